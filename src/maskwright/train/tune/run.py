"""`tune`: epochs behind a frozen encoder until the held-out score no longer rises; the best average is what it gives.

A run may be killed at any moment and goes on from its last state, in the same order of data and with the same prompts:
on a CPU the outcome is the same to the bit. A loss that is no number ends it before anything is learnt from that batch;
what was best until then is kept.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from maskwright.core.errors import ModelError, SettingError
from maskwright.core.out_of_memory import is_out_of_memory
from maskwright.models.sam.model import SamModel
from maskwright.train.checkpoints import replace_whole
from maskwright.train.journal import Journal, Row
from maskwright.train.recipe import recipe_text
from maskwright.train.tune.crew import ALONE, Crew
from maskwright.train.tune.drawing_back import draw_back
from maskwright.train.tune.examples import Example, fingerprint
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.lesson import Lesson, MaskLesson
from maskwright.train.tune.memory import fitting_size, let_go
from maskwright.train.tune.parts import learning_state, load_learning, merged_state
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import seed_of
from maskwright.train.tune.state import Progress, load_state, save_state
from maskwright.train.tune.step import LossIsNoNumber
from maskwright.train.tune.tuner import make_tuner
from maskwright.train.tune.words_lesson import WordsLesson

logger = logging.getLogger(__name__)

STATE = "last.pt"
_ROW_STEPS = 20
_PARTS_OF_THE_WAY = (0.5, 0.25)  # from the base to the last epoch, tried where no epoch was better
# Told with what is being done, how much of it, and of how much.
Told = Callable[[str, int, int], None]
# Given all parameters whenever an epoch was the best so far, so that there is something to use at any moment.
Keep = Callable[[Mapping[str, Tensor]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a run gave: all parameters of the best epoch, its scores and those before, and the log.

    `shares` tells how far the weights went from the base to what was learnt, where they were drawn back.
    """

    state: Mapping[str, Tensor]
    best_epoch: int
    num_epochs: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    rows: tuple[Row, ...]
    seconds: float
    feature_bytes: int
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_better(self) -> bool:
        """Whether any epoch scored higher than the base, and something of it was kept."""
        return self.best_epoch > 0 and (not self.shares or any(self.shares.values()))


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
    crew: Crew = ALONE,
) -> Tuned:
    """Fine-tune a model, or go on with the run in `out`; `model` learns in place and is not to be used afterwards.

    `features` is the folder of the cache; `general` are examples of other things: half are to be answered as before,
    and mixed in by `recipe.replay`, half tell how far to go from the base. `keep` is given the best so far. Of a `crew`
    every process calls this with the same; the first alone writes, tells and keeps.

    Raises:
        InputError: there is nothing to learn from, or the disk has no room for features.
        SettingError: `out` holds another run, the model has no part of that name, or a crew is larger than a batch.
        ModelError: the loss is no number any more, or memory does not suffice; the message says what to do.
    """
    crops = recipe.crops if model.card.looks_closer else 0
    lesson = (
        WordsLesson(train, validation, recipe)
        if recipe.teaches_words
        else MaskLesson(train, validation, recipe, crops=crops, general=general)
    )
    data = fingerprint([*train, *validation])
    return _Run(model, lesson, recipe, out, data, features=features, told=told, keep=keep, crew=crew).go()


class _Run:
    def __init__(
        self,
        model: SamModel,
        lesson: Lesson,
        recipe: TuneRecipe,
        out: Path,
        data: str,
        *,
        features: Path,
        told: Told | None,
        keep: Keep | None,
        crew: Crew,
    ) -> None:
        self.lesson, self.recipe, self.out, self.crew = lesson, recipe, out, crew
        self.told = told if told is not None and crew.is_first else lambda what, done, total: None
        self.keep = keep if keep is not None and crew.is_first else lambda state: None
        self.began = time.monotonic()
        _check_crew(crew, recipe, lesson, data, model)
        base_features = FeatureCache(features, model)
        if views := lesson.views():
            num_new = base_features.fill(
                model, views, progress=lambda done, total: self.told("encoding", done, total), crew=crew
            )
            size, folder = base_features.num_bytes / 1e9, base_features.folder
            logger.info("%d views encoded, %.2f GB kept: %s", num_new, size, folder)
        self.cache = None if recipe.trains_encoder else base_features
        self.per_epoch = -(-len(lesson.epoch(0)) // recipe.batch)
        self.tuner = make_tuner(model, recipe, num_steps=self.per_epoch * recipe.epochs, base_features=base_features)
        self.base = learning_state(self.tuner.average)
        self.fingerprint = data
        out.mkdir(parents=True, exist_ok=True)
        self.progress = Progress()
        if crew.told((out / STATE).exists()):
            self.progress = load_state(out / STATE, self.tuner, self.fingerprint)
            logger.info("going on with epoch %d, step %d", self.progress.epoch + 1, self.tuner.step)
        crew.wait()  # nobody writes before all have read
        self.before_s = self.progress.seconds
        self.journal = Journal(out, step=self.tuner.step) if crew.is_first else _NoJournal()
        if crew.is_first:
            replace_whole(out / "recipe.toml", lambda partial: partial.write_text(recipe_text(recipe)))
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
        if not progress.best_epoch:
            self._try_nearer_base()
        load_learning(self.tuner.average, progress.best)
        if progress.best_epoch and isinstance(self.lesson, MaskLesson) and self.lesson.judged:
            self._draw_back(self.lesson)
        self.journal.close()
        return Tuned(
            state=merged_state(self.tuner.average),
            best_epoch=progress.best_epoch,
            num_epochs=progress.epoch,
            before=progress.first_scores,
            after=progress.best_scores,
            rows=tuple(self.journal.rows),
            seconds=progress.seconds,
            feature_bytes=0 if self.cache is None else self.cache.num_bytes,
            shares=progress.shares,
        )

    def _draw_back(self, lesson: MaskLesson) -> None:
        """Leave the average between the base and the best epoch, as far as general pictures allow, and score it."""
        progress, average = self.progress, self.tuner.average
        if not progress.shares:
            self.told("drawing back", 0, 1)
            shares: dict[str, float] = {}
            if self.crew.is_first:
                judge = partial(lesson.judge, average, self.cache)
                recipe = self.recipe
                shares = draw_back(
                    average,
                    self.base,
                    progress.best,
                    judge,
                    allowed=recipe.keep_within,
                    reach=recipe.reach,
                    only_boxes=recipe.asks_boxes,
                    together=recipe.trains_encoder,
                )
                progress.best = learning_state(average)
            progress.shares = self.crew.told(shares)
            told = ", ".join(f"{name} {share:.2f}" for name, share in progress.shares.items())
            logger.info("drawn back towards the base, to this share of what was learnt: %s", told)
            progress.best_scores = self._score("drawn back")
            self._save()
            self.told("drawing back", 1, 1)

    def _epoch(self) -> None:
        """Ask for every training mask once, score, and decide whether to go on."""
        progress, size = self.progress, self.recipe.batch
        drawn = self.lesson.epoch(progress.epoch)
        pieces = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        while progress.batch < len(pieces):
            self._learn(pieces[progress.batch])
            progress.batch += 1
            self.told(f"epoch {progress.epoch + 1} of {self.recipe.epochs}", progress.batch, len(pieces))
            if time.monotonic() - self.saved > self.recipe.save_minutes * 60:
                self._save()
        progress.epoch, progress.batch = progress.epoch + 1, 0
        self._judge()
        # Until the middle the learning rate is high, and scores say little of where they will end.
        progress.is_over = progress.epoch - max(progress.best_epoch, self.recipe.epochs // 2) >= self.recipe.patience
        self._save()

    def _judge(self, what: str = "") -> None:
        """Score the average, and keep it if it is the best."""
        progress, scores = self.progress, self._score(what)
        if scores["held_out_score"] > progress.best_score:
            progress.best_epoch, progress.best_score, progress.best_scores = (
                progress.epoch, scores["held_out_score"], scores,
            )  # fmt: skip
            progress.best = learning_state(self.tuner.average)
            self.keep(merged_state(self.tuner.average))

    def _try_nearer_base(self) -> None:
        """Where no epoch was better, a part of the way to the last one may be (WiSE-FT, Wortsman et al. 2022)."""
        last = learning_state(self.tuner.average)
        for share in _PARTS_OF_THE_WAY:
            load_learning(self.tuner.average, {name: self.base[name].lerp(last[name], share) for name in last})
            self._judge(f"{share:g} of the way from the base")
        load_learning(self.tuner.average, last)

    def _learn(self, asked: Sequence[Any]) -> None:
        progress, tuner = self.progress, self.tuner
        seed = seed_of(self.recipe, progress.epoch, progress.batch)
        try:
            measured = self.lesson.step(tuner, self.cache, asked, seed, self.crew)
        except LossIsNoNumber as error:
            names = ", ".join(one.name for one in asked[:3])
            best = progress.best_epoch
            kept = (
                f"The best weights until then are kept (of epoch {best})" if best else "No epoch was better until then"
            )
            raise ModelError(
                f"{error} at epoch {progress.epoch + 1}, batch {progress.batch + 1} ({names}, ...). {kept}. "
                f"Lower learning_rate, or look at these masks: {self.out}"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            let_go(error)
            raise self._out_of_memory(asked, seed) from error
        if measured is None:
            return
        self.journal.add(measured)
        if tuner.step % _ROW_STEPS == 0:
            self.journal.write(tuner.step, self._seconds(), epoch=progress.epoch + 1)

    def _out_of_memory(self, asked: Sequence[Any], seed: int) -> ModelError:
        """Say how many prompts would fit; where others wait for one's gradients, that cannot be tried."""
        size = min(self.tuner.at_once(len(asked)), -(-len(asked) // self.crew.size))
        told = f"out of memory with {size} prompts at a time; "
        if self.crew.size > 1:
            return ModelError(f"{told}go on with --set at_once={max(1, size // 2)}: {self.out}")
        attempt = partial(self.lesson.step, self.tuner, self.cache, asked, seed, self.crew)
        fits = fitting_size(self.tuner, attempt, size)
        how = f"{fits} fit. Go on with --set at_once={fits}" if fits else "not even one fits, take a smaller model"
        return ModelError(f"{told}{how}: {self.out}")

    def _score(self, what: str = "") -> dict[str, float]:
        """Score the average; of a crew the first does, since all must go by the same numbers."""
        own = self.lesson.score(self.tuner.average, self.cache) if self.crew.is_first else {}
        scores = self.crew.told(own)
        self.journal.write(self.tuner.step, self._seconds(), epoch=self.progress.epoch, **scores)
        told = "  ".join(f"{name.removeprefix('held_out_')} {value:.3f}" for name, value in scores.items())
        logger.info("%s, %.0f s, held out: %s", what or f"epoch {self.progress.epoch}", self._seconds(), told)
        return scores

    def _seconds(self) -> float:
        return self.before_s + time.monotonic() - self.began

    def _save(self) -> None:
        self.progress.seconds = self._seconds()
        self.saved = time.monotonic()
        if not self.crew.is_first:
            return
        save_state(self.out / STATE, self.tuner, self.progress, self.fingerprint)


def _check_crew(crew: Crew, recipe: TuneRecipe, lesson: Lesson, data: str, model: SamModel) -> None:
    """Check that every process has something to do, and that all have the same before them."""
    num_asked = len(lesson.epoch(0))
    if min(recipe.batch, num_asked) < crew.size:
        what = f"a batch of {recipe.batch}" if recipe.batch < crew.size else f"{num_asked} masks to learn from"
        raise SettingError(
            f"expected at least one prompt of a batch for each of {crew.size} processes, got {what}. "
            "Start fewer with --nproc-per-node"
        )
    crew.check_same({"the data": data, "the base": model.checkpoint_sha256, "the recipe": recipe_text(recipe)})


class _NoJournal:
    """What those write who do not write."""

    rows: tuple[Row, ...] = ()

    def add(self, measured: Mapping[str, Tensor]) -> None:
        pass

    def write(self, step: int, seconds: float, **more: float) -> None:
        pass

    def close(self) -> None:
        pass


__all__ = ["STATE", "Told", "Tuned", "tune"]
