"""The recipe of the embedded model: generated scenes in, weights for the package out. One command, any machine.

A step takes painted or labelled scenes, photographs them (`photometry`), asks for some objects by click or box,
corrects the answers by clicks (`interaction`), and learns from every answer (`losses`). The average of the weights
(EMA) is what is scored on held-out scenes and exported. A run goes on where it stopped.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from maskwright.core.errors import SettingError
from maskwright.models import Model, load_model
from maskwright.models.checkpoint import has_corrector, has_text_path
from maskwright.models.tiny import TinyConfig, build_tiny_network
from maskwright.train.assets import AssetPack, Split, read_pack
from maskwright.train.builtin_pack import builtin_pack
from maskwright.train.checkpoints import load_checkpoint, load_start, replace_whole, start_names
from maskwright.train.dice import Dice
from maskwright.train.distill import Teacher
from maskwright.train.labelled import LabelledScenes
from maskwright.train.packing import on_device
from maskwright.train.recipe import Recipe, recipe_text
from maskwright.train.run import Clock, Run
from maskwright.train.scenes import Scenes, paint
from maskwright.train.stream import SceneMaker, batches
from maskwright.train.trainer import Trainer, make_trainer
from maskwright.train.validation import HeldOut

logger = logging.getLogger(__name__)

_HELD_OUT_SEED = 424_242_424


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRun:
    """Where a run takes its scenes and weights from, and where it writes."""

    out: Path
    recipe: Recipe
    pack: Path | None = None
    scenes: tuple[Path, ...] = ()
    pictures: tuple[Path, ...] = ()
    validation: Path | None = None
    start: str = "tiny"
    teacher: str | None = None
    device: str = "cpu"


def train_tiny(run: TinyRun, *, began: float | None = None, config: TinyConfig | None = None) -> Path:
    """Train, or go on with, the run in `run.out`; returns the weights.

    `began` is the time.monotonic() from which the recipe's minutes count; `config` is for a network of another size
    than the embedded model's, which starts from nothing.

    Raises:
        SettingError: the folder holds a run of another recipe, or something named is not there.
        ModelError: the loss is no number any more.
    """
    began = time.monotonic() if began is None else began
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if run.device == "auto" else run.device)
    run.out.mkdir(parents=True, exist_ok=True)
    _set_up(device, run.recipe.seed)
    teacher = None if run.teacher is None else load_model(run.teacher, device=device)
    labelled = LabelledScenes([*run.scenes, *label_all(run, teacher)])
    pack = open_pack(run.pack).to(device)
    maker = SceneMaker(recipe=run.recipe, pack=pack, labelled=labelled)
    trainer = open_trainer(run, device, config)
    trainer.teacher = None if teacher is None else Teacher(teacher)
    replace_whole(run.out / "recipe.toml", lambda partial: partial.write_text(recipe_text(run.recipe)))
    with batches(maker, device, first_step=trainer.step) as stream:
        held_out = HeldOut(on_device(held_out_scenes(run, pack), device))
        recipe = run.recipe
        clock = Clock(minutes=recipe.minutes, steps=recipe.steps, began=began, before=trainer.seconds)
        Run(trainer, run.out, clock=clock, held_out=held_out).go(stream)
    return run.out / "tiny.safetensors"


def open_trainer(run: TinyRun, device: torch.device, config: TinyConfig | None = None) -> Trainer:
    """Build the network, and load what the run goes on from or starts from."""
    recipe = run.recipe
    names = start_names(run.start)
    config = config or TinyConfig(
        trunk=recipe.trunk,
        side=recipe.side,
        has_text=has_text_path(names),
        has_corrector=has_corrector(names) or recipe.freeze == "answers",
    )
    network = build_tiny_network(config=config)
    last = run.out / "last.pt"
    if not last.exists():
        load_start(network, run.start)
    trainer = make_trainer(recipe, network.to(device))
    if last.exists():
        load_checkpoint(trainer, last)
        logger.info("going on from step %d, %.0f s: %s", trainer.step, trainer.seconds, last)
    return trainer


def label_all(run: TinyRun, teacher: Model | None) -> list[Path]:
    """Let the teacher label the pictures that have no labels, or those that it has not got to yet."""
    if not run.pictures:
        return []
    if teacher is None:
        raise SettingError("pictures without labels need a teacher that labels them: --teacher vit_b")
    from maskwright.train.label_pictures import label_pictures  # everything-mode needs what training does not

    return [label_pictures(teacher, run.pictures, run.out / "labelled")]


def open_pack(path: Path | None, *, split: Split = "training") -> AssetPack:
    """Read a pack, without what is held out for evaluation, or compute the one that needs no files."""
    pack = builtin_pack() if path is None else read_pack(path, split=split)
    logger.info("%d cut-outs, %d materials%s", len(pack.sprites), len(pack.materials), "" if path else " (computed)")
    return pack


def held_out_scenes(run: TinyRun, pack: AssetPack) -> Scenes:
    """Take the scenes to score on: those of a folder, else painted ones that no step sees."""
    recipe = run.recipe
    if run.validation is not None:
        folder = LabelledScenes([run.validation])
        return folder.first(recipe.validation_pictures, side=recipe.side, max_objects=recipe.max_objects)
    dice = Dice(_HELD_OUT_SEED, pack.sprites.device)
    return paint(dice, pack, batch=recipe.validation_pictures, side=recipe.side, max_objects=recipe.max_objects)


def _set_up(device: torch.device, seed: int) -> None:
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingError("there is no GPU that torch can use here; take --device cpu")
    torch.manual_seed(seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True


__all__ = ["TinyRun", "held_out_scenes", "open_pack", "open_trainer", "train_tiny"]
