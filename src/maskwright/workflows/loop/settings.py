"""`LoopSettings`: what a loop was asked. They lie beside the store, so that the next call needs none of them again."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from maskwright.core.errors import SettingError
from maskwright.review.engine import Bar, EngineSettings, Mode
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.workflows.costs import Span

MODES: tuple[Mode, ...] = get_args(Mode)
_PATHS = ("out", "source", "images")
_SPANS = ("wage", "machine_price")
_WAGE, _MACHINE_PRICE = Span(15, 25), Span(0.5, 4)  # as `estimate` assumes them


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """`budget` masks are shown to people a round, at most `rounds` rounds (None: until another rule says stop).

    `goal` is the share of what people see that needs no correction, `tolerance` the gain on held-out masks below which
    a round was not worth it, `max_error_rate` what may be wrong of what a rule accepts. `sure` is the predicted IoU and
    stability from which on the rule accepts (None: found from what people decided). `wage` and `machine_price` are
    money an hour. `test` and `general` are as for `fine_tune`.

    Raises:
        SettingError: a number cannot be.
    """

    mode: Mode = "assisted_manual"
    model: str = "tiny"
    source: Path | None = None
    text: tuple[str, ...] = ()
    images: Path | None = None
    out: Path = Path("checkpoints")
    budget: int = 200
    rounds: int | None = None
    goal: float = 0.95
    tolerance: float = 0.005
    max_error_rate: float = 0.05
    sure: float | None = None
    test: str | None = None
    general: str | None = None
    wage: Span = _WAGE
    machine_price: Span = _MACHINE_PRICE
    seed: int = 0
    recipe: TuneRecipe = field(default_factory=TuneRecipe)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SettingError(f"a mode is one of {', '.join(map(dashed, MODES))}; got {self.mode!r}")
        if self.budget < 1:
            raise SettingError(f"the budget must be at least 1 mask a round, got {self.budget}")
        if self.rounds is not None and self.rounds < 1:
            raise SettingError(f"the rounds must be at least 1, got {self.rounds}")
        for name in ("goal", "max_error_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingError(f"{name} is a share above 0 and up to 1, got {getattr(self, name):g}")
        if self.sure is not None and not 0 <= self.sure <= 1:
            raise SettingError(f"what is sure enough lies between 0 and 1, got {self.sure:g}")
        if self.tolerance < 0:
            raise SettingError(f"the tolerance must not be negative, got {self.tolerance:g}")

    def engine(self, bar: Bar, audit_share: float) -> EngineSettings:
        """The rules of a round, as `review.engine` takes them."""
        return EngineSettings(
            mode=self.mode, bar=bar, audit_share=audit_share, max_error_rate=self.max_error_rate, seed=self.seed
        )

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types."""
        told = dataclasses.asdict(self)
        for name in _PATHS:
            told[name] = None if told[name] is None else str(told[name])
        for name in _SPANS:
            told[name] = [getattr(self, name).low, getattr(self, name).high]
        return {**told, "text": list(self.text)}


def settings_of(told: Mapping[str, Any]) -> LoopSettings:
    """Read what `as_json` wrote; what this version does not know is left out.

    Raises:
        SettingError, KeyError, TypeError, ValueError: it cannot be read.
    """
    known = {one.name for one in dataclasses.fields(LoopSettings)}
    values = {name: value for name, value in told.items() if name in known}
    for name in _PATHS:
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in _SPANS:
        if name in values:
            values[name] = Span(*values[name])
    if "recipe" in values:
        parts = {one.name for one in dataclasses.fields(TuneRecipe)}
        values["recipe"] = TuneRecipe(**{name: value for name, value in values["recipe"].items() if name in parts})
    values["text"] = tuple(values.get("text", ()))
    return LoopSettings(**values)


def mode_of(text: str) -> Mode:
    """Read a mode as people type it: assisted-manual, semi-automatic, automatic.

    Raises:
        SettingError: it is none.
    """
    for mode in MODES:
        if text.replace("_", "-") in (dashed(mode), dashed(mode).removeprefix("fully-")):
            return mode
    raise SettingError(f"a mode is assisted-manual, semi-automatic or automatic; got {text!r}")


def dashed(mode: str) -> str:
    """Write a mode as people type it: semi-automatic."""
    return mode.replace("_", "-")


__all__ = ["MODES", "LoopSettings", "dashed", "mode_of", "settings_of"]
