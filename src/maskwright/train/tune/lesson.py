"""`Lesson`: what a run teaches, by itself or word by word: what an epoch asks, a step, and the score that decides.

`MaskLesson` is masks by clicks and boxes; `words_lesson.WordsLesson` is phrases. A run knows of them this much.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from maskwright.core.errors import InputError
from maskwright.models.sam.model import SamModel
from maskwright.train.tune.crew import Crew
from maskwright.train.tune.examples import Example, spread
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.held_out import score_held_out
from maskwright.train.tune.keeping import Elsewhere, elsewhere, elsewhere_in
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Sample, SampleBatch, Samples, batch_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import Tuner
from maskwright.train.tune.views import View, closest_view, views_of

_MOST_JUDGED, _JUDGED_MASKS = 32, 4
_MOST_KEPT = 16  # times an epoch that the base is asked about a general picture, on average: more say little more
_MOST_HELD_OUT = 160  # masks that are scored after every epoch; of more, these are spread over all


@runtime_checkable
class Lesson(Protocol):
    """What a run teaches. What it asks is its own; it has a `name` for messages."""

    def views(self) -> list[View]:
        """Every view that is to be encoded once, as the base sees it."""
        ...

    def epoch(self, number: int) -> Sequence[Any]:
        """What an epoch asks, in order: a function of the recipe and the number alone."""
        ...

    def step(
        self, tuner: Tuner, cache: FeatureCache | None, asked: Sequence[Any], seed: int, crew: Crew
    ) -> dict[str, Tensor] | None:
        """Learn from one batch; None if nothing of it is left in the model's frame."""
        ...

    def score(self, model: SamModel, cache: FeatureCache | None) -> dict[str, float]:
        """Score what was held out; `held_out_score` decides."""
        ...


class MaskLesson:
    """Masks by clicks, boxes and corrections."""

    def __init__(
        self,
        train: Sequence[Example],
        validation: Sequence[Example],
        recipe: TuneRecipe,
        *,
        crops: int,
        general: Sequence[Example] = (),
    ) -> None:
        judged = judged_of(general) if recipe.draws_back else ()
        learnt = general[1::2] or general if recipe.draws_back else general
        self.samples = Samples(train, recipe, crops=crops, general=learnt)
        self.keep = min(recipe.keep, _MOST_KEPT * len(learnt) / max(1, len(self.samples.epoch(0))))
        self.judged = _all_of(judged[:_MOST_JUDGED], replace(recipe, per_picture=_JUDGED_MASKS))
        held_out = list(spread(_all_of(validation, recipe), _MOST_HELD_OUT))
        self.held_out = [_seen_closer(one) for one in held_out] if crops else held_out
        if not self.held_out or not self.samples.epoch(0):
            raise InputError("expected masks to learn from and masks to hold out, got none on one side")

    def views(self) -> list[View]:
        """See `Lesson`; where the encoder learns, the base sees nothing but what it is asked about."""
        recipe = self.samples.recipe
        if recipe.trains_encoder:
            return self.samples.general() if recipe.keeps else []
        return [*self.samples.views(), *(one.view for one in (*self.held_out, *self.judged))]

    def epoch(self, number: int) -> list[Sample]:
        """See `Lesson`."""
        return self.samples.epoch(number)

    def step(
        self, tuner: Tuner, cache: FeatureCache | None, asked: Sequence[Sample], seed: int, crew: Crew
    ) -> dict[str, Tensor] | None:
        """See `Lesson`."""
        batch = batch_of(asked, tuner.model.frame, tuner.device)
        if batch is None:
            return None
        at = self._elsewhere(tuner, batch, seed) if tuner.base is not None else None
        return tune_step(tuner, cache, batch, seed, crew, at=at)

    def _elsewhere(self, tuner: Tuner, batch: SampleBatch, seed: int) -> Elsewhere | None:
        """Where the base is asked: in general pictures, or, where every view is encoded anew, in those of the batch."""
        rng = np.random.default_rng(seed)
        if tuner.recipe.trains_encoder:
            return elsewhere_in(batch, self.samples.is_general, tuner.recipe.keep, tuner.model.frame, rng)
        views = self.samples.general_views(rng, math.ceil(self.keep * len(batch.samples)))
        return elsewhere(views, tuner.model.frame, rng, tuner.device) if views else None

    def score(self, model: SamModel, cache: FeatureCache | None) -> dict[str, float]:
        """See `Lesson`."""
        return score_held_out(model, cache, self.held_out)

    def judge(self, model: SamModel, cache: FeatureCache | None, corrects: bool) -> dict[str, float]:
        """Score general pictures that nothing is learnt from, by two clicks each: by one, chance has more say."""
        return score_held_out(model, cache, self.judged, rounds=2, corrects=corrects)


def _all_of(examples: Sequence[Example], recipe: TuneRecipe) -> list[Sample]:
    """Every held-out mask, as the whole picture shows it."""
    return [
        Sample(view=view, position=position)
        for one in examples
        for view in views_of(one, mirror=False, crops=0)
        for position in range(min(recipe.per_picture, len(one.masks)))
    ]


def judged_of(general: Sequence[Example]) -> Sequence[Example]:
    """Take the general pictures that tell how far weights may go; the others are learnt from."""
    return general[::2]


def _seen_closer(sample: Sample) -> Sample:
    return replace(sample, view=closest_view(sample.view.example, sample.position))


__all__ = ["Lesson", "MaskLesson", "judged_of"]
