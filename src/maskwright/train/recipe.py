"""What decides the outcome of a training run, the presets, and the learning rate that follows. No torch."""

import dataclasses
import math
import random
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRecipe = TypeVar("AnyRecipe", bound="DataclassInstance")
_Value = TypeVar("_Value", int, float, str)


def option(default: _Value, about: str) -> _Value:
    """A field with its line of help."""
    return field(default=default, metadata={"help": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Every number of a run; written beside the weights. The fields of `PACE` may change when a run goes on."""

    trunk: str = option("lite2", "size of the trunk: lite0, lite1 or lite2")
    side: int = option(512, "side of the frame in pixels, a multiple of 32; validation is at this side")
    sides: str = option("", "sides to change between, by step: 384,512,640; empty: `side` alone")
    batch: int = option(48, "pictures a step at `side`; fewer at larger sides, more at smaller ones")
    per_image: int = option(5, "objects asked for in each picture")
    corrections: int = option(1, "most clicks that correct first answers; each step draws how many")
    learning_rate: float = option(5e-4, "highest learning rate")
    trunk_rate: float = option(0.15, "the trunk's learning rate, as a share of the others'")
    warmup: int = option(100, "steps until the learning rate is at its highest")
    weight_decay: float = option(0.05, "AdamW's, not on the trunk")
    clip: float = option(1.0, "longest gradient")
    iou_weight: float = option(1.0, "weight of the error of predicted IoU")
    teacher_weight: float = option(1.0, "weight of what a teacher answers, beside the truth")
    ema: float = option(0.998, "how slowly the average of the weights follows")
    photographs: int = option(3, "photographs taken of each scene, one a step")
    max_objects: int = option(10, "most objects in a scene")
    scenes_share: float = option(0.35, "share of the pictures that comes from --scenes, where there are any")
    freeze: str = option(
        "blocks", "what keeps its weights: blocks (the first `frozen_blocks`), trunk, encoder, or answers"
    )
    frozen_blocks: int = option(7, "first blocks of the trunk that keep ImageNet's weights")
    seed: int = option(0, "decides every scene; another for each round")
    steps: int = option(0, "steps in all; 0: as many as `minutes` allow")
    minutes: float = option(0.0, "minutes in all, start and export included; 0: until `steps`")
    save_minutes: float = option(2.0, "minutes between checkpoints")
    validate_minutes: float = option(15.0, "minutes between scores on held-out scenes")
    validation_pictures: int = option(24, "held-out pictures to score on")
    workers: int = option(-1, "processes that make scenes; -1: by the machine. Does not change the scenes")

    def __post_init__(self) -> None:
        """Check what would only fail later, or go wrong silently."""
        for side in (self.side, *side_choices(self)):
            if side < 32 or side % 32:
                raise SettingError(
                    f"a side must be a multiple of 32, got {side}. Take {max(32, round(side / 32) * 32)}"
                )
        if self.freeze not in FREEZES:
            raise SettingError(f"freeze must be one of {', '.join(FREEZES)}, got {self.freeze!r}")
        for name in ("batch", "per_image", "photographs", "max_objects", "validation_pictures"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.scenes_share <= 1:
            raise SettingError(f"scenes_share must be within 0..1, got {self.scenes_share}")
        if self.steps <= 0 and self.minutes <= 0:
            raise SettingError("a run needs an end: give minutes or steps above 0")


FREEZES = ("blocks", "trunk", "encoder", "answers")
# What may differ between a run and its continuation: how long it goes and how it is watched, not what it learns.
PACE = ("steps", "minutes", "save_minutes", "validate_minutes", "validation_pictures", "workers")


def read_recipe(name_or_path: str) -> Recipe:
    """Find a preset by its name, or read the recipe.toml that a run has left.

    Raises:
        SettingError: there is no such preset or file, or the file says something that a recipe cannot have.
    """
    if name_or_path in PRESETS:
        return PRESETS[name_or_path]
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise SettingError(f"expected a preset ({', '.join(PRESETS)}) or a recipe file, found neither: {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"this recipe is no TOML ({error}): {path}") from error
    return changed(CPU, (f"{name}={value}" for name, value in values.items()))


_PARSERS: dict[object, Callable[[str], int | float | str]] = {int: int, float: float, str: str}


def changed(recipe: AnyRecipe, changes: Iterable[str]) -> AnyRecipe:
    """Apply changes written as NAME=VALUE.

    Raises:
        SettingError: no field has that name, or the value is not of its kind.
    """
    kinds = {one.name: one.type for one in dataclasses.fields(recipe)}
    values: dict[str, int | float | str] = {}
    for text in changes:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if name not in kinds or not equals:
            raise SettingError(f"expected NAME=VALUE with NAME one of {', '.join(kinds)}; got {text!r}")
        try:
            values[name] = _PARSERS[kinds[name]](value)
        except ValueError as error:
            kind = "a whole number" if kinds[name] is int else "a number"
            raise SettingError(f"{name} must be {kind}, got {value!r}") from error
    return dataclasses.replace(recipe, **values)


def recipe_text(recipe: "DataclassInstance") -> str:
    """Write a recipe as TOML, one commented line a field."""
    lines = [
        f"{one.name} = {_toml(getattr(recipe, one.name))}  # {one.metadata['help']}"
        for one in dataclasses.fields(recipe)
    ]
    return "\n".join(lines) + "\n"


def _toml(value: int | float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def side_choices(recipe: Recipe) -> tuple[int, ...]:
    """List the sides that steps may have."""
    try:
        return tuple(int(side) for side in recipe.sides.split(",") if side.strip()) or (recipe.side,)
    except ValueError as error:
        raise SettingError(f"sides must be numbers with commas between, got {recipe.sides!r}") from error


def side_of(recipe: Recipe, group: int) -> int:
    """Choose the side of one group of steps, by the seed."""
    return random.Random(recipe.seed * 1_000_003 + group).choice(side_choices(recipe))


def batch_of(recipe: Recipe, side: int) -> int:
    """How many pictures a step has at a side: as many pixels as `batch` pictures at `side`."""
    return max(1, round(recipe.batch * (recipe.side / side) ** 2))


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Warm up linearly by step, then a cosine by progress, which is a share of steps or of the time allowed."""
    warm = min(1.0, (step + 1) / max(1, recipe.warmup))
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


GPU = Recipe(minutes=9.0, sides="448,512,576", validate_minutes=3.0)
CPU = Recipe(
    minutes=120.0, batch=8, learning_rate=2e-4, per_image=6, photographs=4, ema=0.995, freeze="trunk", warmup=50
)
SMOKE = Recipe(
    minutes=5.0,
    side=256,
    batch=6,
    per_image=4,
    learning_rate=2e-4,
    ema=0.97,
    warmup=20,
    photographs=4,
    save_minutes=1.0,
    validate_minutes=2.0,
    validation_pictures=12,
)
PRESETS: dict[str, Recipe] = {"gpu": GPU, "cpu": CPU, "smoke": SMOKE}

__all__ = [
    "FREEZES",
    "PACE",
    "PRESETS",
    "Recipe",
    "batch_of",
    "changed",
    "learning_rate",
    "option",
    "read_recipe",
    "recipe_text",
    "side_choices",
    "side_of",
]
