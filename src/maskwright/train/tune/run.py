"""`tune`: epochs behind a frozen encoder until the held-out score no longer rises; the best average is what it gives.

A run may be killed at any moment and goes on from its last state, in the same order of data and with the same prompts:
on a CPU the outcome is the same to the bit. A loss that is no number ends it before anything is learnt from that batch;
what was best until then is kept.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from maskwright.core.errors import InputError, ModelError
from maskwright.models.sam.model import SamModel
from maskwright.train.checkpoints import replace_whole
from maskwright.train.dice import Dice
from maskwright.train.journal import Journal, Row
from maskwright.train.recipe import recipe_text
from maskwright.train.tune.examples import Example, fingerprint
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.held_out import score_held_out
from maskwright.train.tune.memory import fitting_size, is_out_of_memory
from maskwright.train.tune.parts import learning_state, load_learning, merged_state
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Sample, Samples, batch_of, seed_of
from maskwright.train.tune.state import Progress, load_state, save_state
from maskwright.train.tune.step import LossIsNoNumber, tune_step
from maskwright.train.tune.tuner import make_tuner
from maskwright.train.tune.views import views_of

logger = logging.getLogger(__name__)

STATE = "last.pt"
_ROW_STEPS = 20
# Told with what is being done, how much of it, and of how much.
Told = Callable[[str, int, int], None]
# Given all parameters whenever an epoch was the best so far, so that there is something to use at any moment.
Keep = Callable[[Mapping[str, Tensor]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a run gave: all parameters of the best epoch, its scores and those before, and the log."""

    state: Mapping[str, Tensor]
    best_epoch: int
    num_epochs: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    rows: tuple[Row, ...]
    seconds: float
    feature_bytes: int

    @property
    def is_better(self) -> bool:
        """Whether any epoch scored higher than the base."""
        return self.best_epoch > 0


def tune(
    model: SamModel,
    train: Sequence[Example],
    validation: Sequence[Example],
    recipe: TuneRecipe,
    out: Path,
    *,
    features: Path,
    general: Sequence[Example] = (),
    told: Told | None = None,
    keep: Keep | None = None,
) -> Tuned:
    """Fine-tune a model, or go on with the run in `out`; `model` learns in place and is not to be used afterwards.

    `features` is the folder of the cache; `general` are examples that `recipe.replay` mixes in; `keep` is given the
    best so far.

    Raises:
        InputError: there is nothing to learn from, or the disk has no room for features.
        SettingError: `out` holds another run, or the model has no part of that name.
        ModelError: the loss is no number any more, or memory does not suffice; the message says what to do.
    """
    run = _Run(model, train, validation, recipe, out, features=features, general=general, told=told, keep=keep)
    return run.go()


class _Run:
    def __init__(
        self,
        model: SamModel,
        train: Sequence[Example],
        validation: Sequence[Example],
        recipe: TuneRecipe,
        out: Path,
        *,
        features: Path,
        general: Sequence[Example],
        told: Told | None,
        keep: Keep | None,
    ) -> None:
        self.recipe, self.out, self.told = recipe, out, told or (lambda what, done, total: None)
        self.keep = keep or (lambda state: None)
        self.began = time.monotonic()
        crops = recipe.crops if model.card.looks_closer else 0
        self.samples = Samples(train, recipe, crops=crops, general=general)
        self.held_out = _all_of(validation, recipe)
        if not self.held_out or not self.samples.epoch(0):
            raise InputError("expected masks to learn from and masks to hold out, got none on one side")
        self.cache = None if recipe.trains_encoder else FeatureCache(features, model)
        if self.cache is not None:
            views = [*self.samples.views(), *(one.view for one in self.held_out)]
            num_new = self.cache.fill(model, views, progress=lambda done, total: self.told("encoding", done, total))
            logger.info("%d views encoded, %.2f GB kept: %s", num_new, self.cache.num_bytes / 1e9, self.cache.folder)
        self.per_epoch = -(-len(self.samples.epoch(0)) // recipe.batch)
        self.tuner = make_tuner(model, recipe, num_steps=self.per_epoch * recipe.epochs)
        self.fingerprint = fingerprint([*train, *validation])
        out.mkdir(parents=True, exist_ok=True)
        self.progress = Progress()
        if (out / STATE).exists():
            self.progress = load_state(out / STATE, self.tuner, self.fingerprint)
            logger.info("going on with epoch %d, step %d", self.progress.epoch + 1, self.tuner.step)
        self.before_s = self.progress.seconds
        replace_whole(out / "recipe.toml", lambda partial: partial.write_text(recipe_text(recipe)))
        self.journal = Journal(out, step=self.tuner.step)
        self.saved = time.monotonic()

    def go(self) -> Tuned:
        progress = self.progress
        if not progress.first_scores:
            progress.first_scores = self._score()
            progress.best_scores, progress.best_score = progress.first_scores, progress.first_scores["held_out_score"]
            progress.best = learning_state(self.tuner.average)
        while not progress.is_over and progress.epoch < self.recipe.epochs:
            self._epoch()
        progress.is_over = True
        self._save()
        self.journal.close()
        load_learning(self.tuner.average, progress.best)
        return Tuned(
            state=merged_state(self.tuner.average),
            best_epoch=progress.best_epoch,
            num_epochs=progress.epoch,
            before=progress.first_scores,
            after=progress.best_scores,
            rows=tuple(self.journal.rows),
            seconds=progress.seconds,
            feature_bytes=0 if self.cache is None else self.cache.num_bytes,
        )

    def _epoch(self) -> None:
        """Ask for every training mask once, score, and decide whether to go on."""
        progress, size = self.progress, self.recipe.batch
        drawn = self.samples.epoch(progress.epoch)
        pieces = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        while progress.batch < len(pieces):
            self._learn(pieces[progress.batch])
            progress.batch += 1
            self.told(f"epoch {progress.epoch + 1} of {self.recipe.epochs}", progress.batch, len(pieces))
            if time.monotonic() - self.saved > self.recipe.save_minutes * 60:
                self._save()
        progress.epoch, progress.batch = progress.epoch + 1, 0
        scores = self._score()
        if scores["held_out_score"] > progress.best_score:
            progress.best_epoch, progress.best_score, progress.best_scores = (
                progress.epoch, scores["held_out_score"], scores,
            )  # fmt: skip
            progress.best = learning_state(self.tuner.average)
            self.keep(merged_state(self.tuner.average))
        progress.is_over = progress.epoch - progress.best_epoch >= self.recipe.patience
        self._save()

    def _learn(self, samples: Sequence[Sample]) -> None:
        progress, tuner = self.progress, self.tuner
        batch = batch_of(samples, tuner.model.frame, tuner.device)
        if batch is None:
            return
        dice = Dice(seed_of(self.recipe, progress.epoch, progress.batch), tuner.device)
        try:
            self.journal.add(tune_step(tuner, self.cache, batch, dice))
        except LossIsNoNumber as error:
            names = ", ".join(one.name for one in samples[:3])
            raise ModelError(
                f"{error} at epoch {progress.epoch + 1}, batch {progress.batch + 1} ({names}, ...). The best weights "
                f"until then are kept (of epoch {progress.best_epoch}). Lower learning_rate, or look at these masks: "
                f"{self.out}"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = fitting_size(tuner, self.cache, batch)
            raise ModelError(
                f"out of memory with {self.recipe.at_once or len(samples)} prompts at a time; "
                + (
                    f"{fits} fit. Go on with --set at_once={fits}"
                    if fits
                    else "not even one fits, take a smaller model"
                )
                + f": {self.out}"
            ) from error
        if tuner.step % _ROW_STEPS == 0:
            self.journal.write(tuner.step, self._seconds(), epoch=progress.epoch + 1)

    def _score(self) -> dict[str, float]:
        scores = score_held_out(self.tuner.average, self.cache, self.held_out)
        self.journal.write(self.tuner.step, self._seconds(), epoch=self.progress.epoch, **scores)
        told = "  ".join(f"{name.removeprefix('held_out_')} {value:.3f}" for name, value in scores.items())
        logger.info("epoch %d, %.0f s, held out: %s", self.progress.epoch, self._seconds(), told)
        return scores

    def _seconds(self) -> float:
        return self.before_s + time.monotonic() - self.began

    def _save(self) -> None:
        self.progress.seconds = self._seconds()
        save_state(self.out / STATE, self.tuner, self.progress, self.fingerprint)
        self.saved = time.monotonic()


def _all_of(examples: Sequence[Example], recipe: TuneRecipe) -> list[Sample]:
    """Every held-out mask, as the whole picture shows it."""
    return [
        Sample(view=view, position=position)
        for one in examples
        for view in views_of(one, mirror=False, crops=0)
        for position in range(min(recipe.per_picture, len(one.masks)))
    ]


__all__ = ["STATE", "Told", "Tuned", "tune"]
