"""Train `tiny`'s text path on labelled scenes, behind a frozen image encoder.

    maskwright train text --scenes scenes/train --validation scenes/val --out runs/text --minutes 40

Clicks and boxes are answered as before, to the bit: only `text_path.*` learns. Features are encoded once (half a second
a picture and 3.5 MB on a core) into OUT/features and used again by every run from the same weights. When the encoder
has been trained further, give its weights as --start and the last text path as --text: some minutes bring
back what it knew. Resumes from OUT/last.pt; the learning rate follows the clock, so every run ends annealed.
"""

import copy
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from maskwright.core.errors import InputError
from maskwright.models.tiny import TINY_WEIGHTS, TinyConfig, TinySam, build_tiny
from maskwright.models.tiny.presets import build_text_path
from maskwright.models.tiny.text import TextPath
from maskwright.train.checkpoints import export_weights
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore, build_store
from maskwright.train.text_scores import score_text
from maskwright.train.text_step import words_loss
from maskwright.train.word_pixels import gather_pixels, learn_words
from maskwright.train.words import names_in

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe:
    """What decides the outcome of a run behind frozen weights."""

    pictures: int = 6
    learning_rate: float = 1e-3
    pixels_share: float = 0.2
    weight_decay: float = 0.05
    ema: float = 0.99
    seed: int = 0


@dataclass(slots=True, kw_only=True)
class TextTrainer:
    """The text path in training: behind its frozen model, with its average and its optimizer."""

    recipe: TextRecipe
    model: TinySam
    path: TextPath
    average: TextPath
    optimizer: torch.optim.AdamW
    step: int = 0


def make_text_trainer(recipe: TextRecipe, model: TinySam, text: Path | None = None) -> TextTrainer:
    """Freeze a model and put a text path before its decoder: its own, that of another file, or a new one."""
    if model.text_path is None:
        torch.manual_seed(recipe.seed)
        model.text_path = build_text_path(TinyConfig(has_text=True))
    if text is not None:
        prefix = "text_path."
        learned = {k.removeprefix(prefix): v.float() for k, v in load_file(text).items() if k.startswith(prefix)}
        model.text_path.load_state_dict(learned)
    model.requires_grad_(False)
    path = model.text_path.requires_grad_(True)
    decayed = [p for p in path.parameters() if p.ndim > 1]
    others = [p for p in path.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    return TextTrainer(recipe=recipe, model=model, path=path, average=copy.deepcopy(path), optimizer=optimizer)


def text_step(trainer: TextTrainer, stores: Sequence[FeatureStore], progress: float) -> float:
    """Learn from some pictures; `progress` is the share of the run that is over."""
    recipe = trainer.recipe
    warm = min(1.0, (trainer.step + 1) / 50)
    for group in trainer.optimizer.param_groups:
        group["lr"] = recipe.learning_rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, progress))))
    dice = Dice(recipe.seed * 1_000_003 + trainer.step)
    store = stores[dice.pick_index([len(one) for one in stores])]
    pictures = [dice.below(len(store)) for _ in range(recipe.pictures)]
    loss = words_loss(dice, trainer.path, store, pictures)
    trainer.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainer.path.parameters(), 1.0)
    trainer.optimizer.step()
    trainer.step += 1
    decay = min(recipe.ema, trainer.step / (trainer.step + 10))
    with torch.no_grad():
        means, values = list[Tensor](trainer.average.parameters()), list[Tensor](trainer.path.parameters())
        torch._foreach_lerp_(means, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
    return float(loss.detach())


def save(trainer: TextTrainer, out: Path, seconds: float) -> None:
    """Write what a stopped run goes on from, and the weights of now: the whole model with the averaged path."""
    state = {
        "step": trainer.step,
        "seconds": seconds,
        "path": trainer.path.state_dict(),
        "average": trainer.average.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
    }
    partial = out / "last.partial"
    torch.save(state, partial)
    partial.replace(out / "last.pt")
    export(trainer, out / "tiny.safetensors")


def export(trainer: TextTrainer, path: Path) -> None:
    """Write weights as they lie in the package, with the averaged text path."""
    trainer.model.text_path = trainer.average
    note = {"text": json.dumps({"step": trainer.step, "behind": trainer.model.checkpoint_sha256})}
    partial = path.with_suffix(".partial")
    export_weights(trainer.model, partial, note)
    partial.replace(path)
    trainer.model.text_path = trainer.path


def resume(trainer: TextTrainer, path: Path) -> float:
    """Go on from a checkpoint; returns the seconds that the run has had."""
    state = torch.load(path, weights_only=True)
    trainer.path.load_state_dict(state["path"])
    trainer.average.load_state_dict(state["average"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.step = state["step"]
    return state["seconds"]


def run(
    trainer: TextTrainer,
    stores: Sequence[FeatureStore],
    out: Path,
    *,
    minutes: float,
    validation: FeatureStore | None,
    save_minutes: float = 3.0,
) -> None:
    """Train until the time is over; every `save_minutes` save, and every third time score."""
    names = names_in(objects for store in stores for objects in store.words)
    if not names:
        raise InputError("the scenes name no objects; text needs objects.json with names")
    checkpoint = out / "last.pt"
    if checkpoint.exists():
        had = resume(trainer, checkpoint)
    else:
        had = minutes * 60 * trainer.recipe.pixels_share
        learn_pixels(trainer, stores, seconds=had)
        save(trainer, out, had)
    began = saved = time.monotonic()
    num_saves = 0
    while (seconds := had + time.monotonic() - began) < minutes * 60:
        loss = text_step(trainer, stores, seconds / (minutes * 60))
        if trainer.step % 20 == 0:
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"step": trainer.step, "seconds": round(seconds), "loss": loss}) + "\n")
        if time.monotonic() - saved > save_minutes * 60:
            save(trainer, out, seconds)
            saved, num_saves = time.monotonic(), num_saves + 1
            logger.info("step %d  %.0f s  loss %.3f", trainer.step, seconds, loss)
            if validation is not None and num_saves % 3 == 0:
                tell_scores(trainer, validation, names)
    save(trainer, out, minutes * 60)
    if validation is not None:
        tell_scores(trainer, validation, names)


def learn_pixels(trainer: TextTrainer, stores: Sequence[FeatureStore], *, seconds: float) -> None:
    """Give a new path a vocabulary, from single pixels; gathering them is not counted."""
    pixels = gather_pixels(Dice(trainer.recipe.seed), stores)
    logger.info("%d pixels of %d pictures", len(pixels), sum(len(store) for store in stores))
    loss = learn_words(trainer.path, pixels, learning_rate=4 * trainer.recipe.learning_rate, seconds=seconds)
    trainer.average.load_state_dict(trainer.path.state_dict())
    logger.info("words %.3f", loss)


def tell_scores(trainer: TextTrainer, validation: FeatureStore, names: list[tuple[int, ...]]) -> None:
    """Score the averaged path and log it."""
    trainer.model.text_path = trainer.average
    logger.info("step %d  %s", trainer.step, score_text(trainer.model, validation, names))
    trainer.model.text_path = trainer.path


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRun:
    """Where a run takes its scenes and weights from, and where it writes."""

    scenes: tuple[Path, ...]
    out: Path
    start: Path = TINY_WEIGHTS
    text: Path | None = None
    validation: Path | None = None
    minutes: float = 30.0
    seed: int = 0
    num_validation: int = 60


def train_text(wanted: TextRun) -> Path:
    """Encode what is not yet encoded, then train; returns where the weights lie."""
    model = build_tiny(weights=wanted.start)

    def open_store(folder: Path, limit: int | None) -> FeatureStore:
        place = wanted.out / "features" / model.checkpoint_sha256[:12] / folder.resolve().name
        return build_store(model, folder, place, limit=limit, progress=tell_progress)

    stores = [open_store(folder, None) for folder in wanted.scenes]
    validation = open_store(wanted.validation, wanted.num_validation) if wanted.validation else None
    trainer = make_text_trainer(TextRecipe(seed=wanted.seed), model, wanted.text)
    run(trainer, stores, wanted.out, minutes=wanted.minutes, validation=validation)
    return wanted.out / "tiny.safetensors"


def tell_progress(done: int, total: int) -> None:
    """Log every fiftieth picture."""
    if done % 50 == 0 or done == total:
        logger.info("encoded %d of %d", done, total)


__all__ = ["TextRecipe", "TextRun", "TextTrainer", "make_text_trainer", "run", "text_step", "train_text"]
