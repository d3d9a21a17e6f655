"""Which masks an epoch asks for, in which order and by which view: a function of seed and epoch alone.

That is what lets a killed run go on exactly: nothing of the order is kept in memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.frame import FrameSpec
from maskwright.train.interaction import Targets
from maskwright.train.tune.examples import Example
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.views import LEAST_PIXELS, View, crops_of_small, views_of

_STRIDE = 1_000_003
_SMALL_ON_WHOLE = 0.25  # how often a mask that a crop would show larger is asked for on the whole picture too
_MOST_MIXED = 2  # masks of general pictures for each of one's own, at a share of one
_MOST_OFTEN = 4  # times that an epoch takes the same general picture, on average: more of a few pictures says no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One mask to be asked for, as one view shows it."""

    view: View
    position: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.view.example.name}: {self.view.example.masks[self.position].key}"


class Samples:
    """Masks of some examples, and of general ones of which each epoch takes a share."""

    def __init__(
        self, examples: Sequence[Example], recipe: TuneRecipe, *, crops: int, general: Sequence[Example] = ()
    ) -> None:
        self.recipe = recipe
        self._own = _affordable(examples, recipe, crops)
        self._general = [tuple(views_of(one, mirror=bool(recipe.mirror), crops=crops)) for one in general]
        looked_at = [views[0].example for views in (*self._own, *self._general)] if crops else []
        self._general_keys = {view.key for views in self._general for view in views}
        self._small = {one.digest: crops_of_small(one).keys() for one in looked_at}

    def views(self) -> list[View]:
        """Every view that any epoch may show."""
        general = self.general() if self.recipe.replay or self.recipe.keeps else []
        return [*(view for views in self._own for view in views), *general]

    def general(self) -> list[View]:
        """Every view of general pictures."""
        return [view for views in self._general for view in views]

    def epoch(self, number: int) -> list[Sample]:
        """Draw the samples of an epoch: each mask once, or some of them where the recipe wants fewer.

        What a model that looks closer would draw on a crop is mostly asked for on crops, where one shows it. Where the
        encoder learns, a view costs more than its masks: fewer pictures are taken then, and what one view shows is
        asked for together.
        """
        rng = np.random.default_rng([self.recipe.seed, number])
        by_view = self.recipe.trains_encoder

        def shuffled(samples: list[Sample]) -> list[Sample]:
            return samples if by_view else [samples[i] for i in rng.permutation(len(samples))]

        own = [self._own[i] for i in rng.permutation(len(self._own))] if by_view else self._own
        chosen = self._drawn(own, rng)
        if len(chosen) > self.recipe.epoch_masks:
            chosen = shuffled(chosen)[: self.recipe.epoch_masks]
        if self._general and self.recipe.replay:
            count = min(math.ceil(self.recipe.replay * len(self._own)), _MOST_OFTEN * len(self._general))
            picked = rng.integers(len(self._general), size=count)
            mixed = shuffled(self._drawn([self._general[i] for i in picked], rng))
            chosen += mixed[: math.ceil(_MOST_MIXED * self.recipe.replay * len(chosen))]
        return _side_by_side(chosen, rng) if by_view else shuffled(chosen)

    def general_views(self, rng: np.random.Generator, count: int) -> list[View]:
        """Draw views of general pictures, any of them; none if there are no such pictures."""
        pictures = [self._general[i] for i in rng.integers(len(self._general), size=count)] if self._general else []
        return [views[int(rng.integers(len(views)))] for views in pictures]

    def is_general(self, view: View) -> bool:
        """Whether a view is of a general picture."""
        return view.key in self._general_keys

    def _drawn(self, pictures: Sequence[tuple[View, ...]], rng: np.random.Generator) -> list[Sample]:
        found: list[Sample] = []
        for views in pictures:
            example = views[0].example
            small = self._small.get(example.digest, ())
            if self.recipe.trains_encoder:
                mirrored = views[int(rng.integers(len(views)))].mirrored
                views = [view for view in views if view.mirrored == mirrored]
            for position in rng.permutation(len(example.masks))[: self.recipe.per_picture].tolist():
                showing = [view for view in views if position in view.masks]
                if position in small and rng.random() >= _SMALL_ON_WHOLE:
                    showing = [view for view in showing if view.box is not None]
                if showing:
                    found.append(Sample(view=showing[int(rng.integers(len(showing)))], position=position))
        return found


def _side_by_side(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Bring what one view shows together; the views come in any order."""
    by_view: dict[str, list[Sample]] = {}
    for one in samples:
        by_view.setdefault(one.view.key, []).append(one)
    groups = list(by_view.values())
    return [one for i in rng.permutation(len(groups)) for one in groups[i]]


def _affordable(examples: Sequence[Example], recipe: TuneRecipe, crops: int) -> list[tuple[View, ...]]:
    """Views of each picture: all that the recipe names, or fewer where the pictures are many."""
    found: list[tuple[View, ...]] = []
    for mirror, most in ((bool(recipe.mirror), crops), (False, crops), (False, min(1, crops)), (False, 0)):
        found = [tuple(views_of(one, mirror=mirror, crops=most)) for one in examples]
        if sum(map(len, found)) <= recipe.views:
            break
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBatch:
    """Samples as tensors: N masks, and which of the batch's `views` each is seen by."""

    samples: tuple[Sample, ...]
    views: tuple[View, ...]
    masks: Float[Tensor, "N 1 s s"]
    view_index: Int[Tensor, " N"]

    def targets(self, which: slice) -> Targets:
        """Some of the masks as targets; `image_index` counts the views of the batch."""
        return Targets(masks=self.masks[which], image_index=self.view_index[which])

    def seen_by(self, own: slice) -> "SampleBatch":
        """Keep the views of some of the masks only; `view_index` means nothing for the others."""
        chosen = self.view_index[own].unique()
        if len(chosen) == len(self.views):
            return self
        new = torch.zeros(len(self.views), dtype=torch.long, device=self.view_index.device)
        new[chosen] = torch.arange(len(chosen), device=chosen.device)
        views = tuple(self.views[i] for i in chosen.tolist())
        return SampleBatch(samples=self.samples, views=views, masks=self.masks, view_index=new[self.view_index])


def batch_of(samples: Sequence[Sample], spec: FrameSpec, device: torch.device | str) -> SampleBatch | None:
    """Make tensors of samples; those of which next to nothing is left in the model's frame are dropped."""
    drawn = [(one, one.view.target(one.position, spec)) for one in samples]
    kept = [(one, mask) for one, mask in drawn if mask.sum() >= LEAST_PIXELS]
    if not kept:
        return None
    keys: dict[str, int] = {}
    views: list[View] = []
    index = []
    for one, _ in kept:
        if one.view.key not in keys:
            keys[one.view.key] = len(views)
            views.append(one.view)
        index.append(keys[one.view.key])
    masks = torch.from_numpy(np.stack([mask for _, mask in kept])[:, None]).to(device).float()
    return SampleBatch(
        samples=tuple(one for one, _ in kept),
        views=tuple(views),
        masks=masks,
        view_index=torch.tensor(index, device=device),
    )


def seed_of(recipe: TuneRecipe, epoch: int, step: int) -> int:
    """The seed of the prompts of one step."""
    return ((recipe.seed * _STRIDE + epoch) * _STRIDE + step) % (1 << 62)


__all__ = ["Sample", "SampleBatch", "Samples", "batch_of", "seed_of"]
