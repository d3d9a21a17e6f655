"""Which phrases an epoch asks of which pictures: every label that is there, some of its words alone, and absent ones.

A phrase means every mask whose label has all of its words, as `evaluate` asks it. What is absent is a phrase of other
pictures that no label of this one matches; so pictures should have a mask of everything that the labels name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.frame import FrameSpec
from maskwright.models.words.vocabulary import words_of
from maskwright.train.tune.examples import Example
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.views import LEAST_PIXELS, View, views_of

Phrase = tuple[str, ...]
_ONE_WORD_SHARE = 0.25  # of labels of several words are asked by one of them
_STREAM = 31  # so that phrases are drawn apart from what else the seed draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A phrase asked of a view, and the masks that it means: none if there is no such thing."""

    view: View
    phrase: Phrase
    positions: tuple[int, ...]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.view.example.name}: {' '.join(self.phrase)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBatch:
    """Phrases as tensors: what each means in the frame, and which of `views` each is asked of."""

    asked: tuple[Asked, ...]
    views: tuple[View, ...]
    masks: Float[Tensor, "N 1 s s"]
    is_present: Float[Tensor, " N"]
    view_index: Int[Tensor, " N"]


class WordSamples:
    """Phrases of the labels of some examples."""

    def __init__(self, examples: Sequence[Example], recipe: TuneRecipe) -> None:
        self.recipe = recipe
        self._views = [tuple(views_of(one, mirror=bool(recipe.mirror), crops=0)) for one in examples]
        self.phrases = phrases_of(examples)

    def views(self) -> list[View]:
        """Every view that any epoch may show."""
        return [view for views in self._views for view in views]

    def epoch(self, number: int) -> list[Asked]:
        """Draw what an epoch asks, in order."""
        rng = np.random.default_rng([self.recipe.seed, number, _STREAM])
        found: list[Asked] = []
        for views in self._views:
            example = views[0].example
            present = phrases_of([example])
            chosen = [self._part(present[i], rng) for i in rng.permutation(len(present))[: self.recipe.per_picture]]
            absent = [one for one in self.phrases if not meant_by(one, example)]
            wanted = min(len(absent), math.ceil(self.recipe.absent * len(chosen)))
            chosen += [absent[i] for i in rng.permutation(len(absent))[:wanted]]
            for phrase in chosen:
                view = views[int(rng.integers(len(views)))]
                found.append(Asked(view=view, phrase=phrase, positions=meant_by(phrase, example)))
        return [found[i] for i in rng.permutation(len(found))]

    @staticmethod
    def _part(phrase: Phrase, rng: np.random.Generator) -> Phrase:
        """Ask now and then by one word alone."""
        if len(phrase) == 1 or rng.random() >= _ONE_WORD_SHARE:
            return phrase
        return (phrase[int(rng.integers(len(phrase)))],)


def phrases_of(examples: Sequence[Example]) -> list[Phrase]:
    """List the different labels of examples as phrases, in order of the alphabet."""
    return sorted({words for one in examples for mask in one.masks if (words := words_of(mask.label or ""))})


def meant_by(phrase: Phrase, example: Example) -> tuple[int, ...]:
    """List the masks of a picture whose labels have all words of a phrase."""
    wanted = set(phrase)
    return tuple(i for i, mask in enumerate(example.masks) if wanted <= set(words_of(mask.label or "")))


def asked_batch(asked: Sequence[Asked], spec: FrameSpec, device: torch.device | str) -> AskedBatch | None:
    """Make tensors of what is asked; a phrase of which next to nothing is left in the frame is dropped."""
    kept: list[tuple[Asked, np.ndarray]] = []
    half = spec.side // 2
    for one in asked:
        mask = np.zeros((half, half), np.bool_)
        for position in one.positions:
            mask |= one.view.target(position, spec)
        if not one.positions or mask.sum() >= LEAST_PIXELS:
            kept.append((one, mask))
    if not kept:
        return None
    rows = {one.view.key: one.view for one, _ in kept}
    places = {key: i for i, key in enumerate(rows)}
    return AskedBatch(
        asked=tuple(one for one, _ in kept),
        views=tuple(rows.values()),
        masks=torch.from_numpy(np.stack([mask for _, mask in kept])[:, None]).to(device).float(),
        is_present=torch.tensor([float(bool(one.positions)) for one, _ in kept], device=device),
        view_index=torch.tensor([places[one.view.key] for one, _ in kept], device=device),
    )


__all__ = ["Asked", "AskedBatch", "Phrase", "WordSamples", "asked_batch", "meant_by", "phrases_of"]
