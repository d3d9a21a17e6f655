"""How far to believe answers to phrases: fitted on how often they are right, about what is there and what is not.

Answers are those that users get, from the whole picture and from a second look, on scenes that nothing was learned
from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.core import SizeHW
from maskwright.models.text_protocol import Part
from maskwright.models.tiny import TinySam
from maskwright.models.tiny.answering import chosen, evidence, thing_evidence
from maskwright.models.tiny.nearer import SeenThings, rank_seen, things_apart
from maskwright.predict.second_look import part_places
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import Phrase, absent_phrase, name_of, phrases_about

_ABSENT_A_PICTURE = 2
_STEPS, _LEAST_WEIGHT = 300, 3e-3
_RIGHT = 0.5
_LEAST_PIXELS = 10  # of a half-side mask; what is smaller is not asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Scenes that were not learned from, the parts of each that a second look takes, and the sizes of the pictures."""

    scenes: FeatureStore
    parts: FeatureStore
    sizes: tuple[SizeHW, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer to a phrase: what spoke for it, and whether it was right."""

    evidence: Float[Tensor, " E"]
    is_right: bool


def fit_belief(model: TinySam, unseen: Unseen, names: Sequence[tuple[int, ...]], *, least: float) -> None:
    """Set how far answers are believed, of the whole picture and of a second look, by logistic regression.

    A second look is taken where the first is believed less than `least`, so it is judged by these phrases alone: those
    that the whole picture answers surely would speak well of it.
    """
    path = model.text_path
    assert path is not None
    first: list[Answered] = []
    second: list[Answered] = []
    each: list[Answered] = []
    for picture in range(len(unseen.scenes)):
        phrases = _phrases(Dice(picture), unseen.scenes, picture, names)
        seen = look_twice(model, unseen, picture)
        truth = torch.from_numpy(unseen.scenes.index_maps[picture].astype(np.int64))
        if len(seen[0].things.logits):  # else neither has an answer, or only the second
            first += answers_to(phrases, seen[:1], truth)
            second += answers_to(phrases, seen, truth)
        each += things_for(phrases, seen, truth)
    if first:
        path.belief.copy_(_regression(first))
    again = [two for one, two in zip(first, second, strict=True) if _believed(one, path.belief) < least]
    if again:
        path.belief_near.copy_(_regression(again))
    if each:
        path.belief_each.copy_(_regression(each))


def _believed(answer: Answered, belief: Float[Tensor, " E"]) -> float:
    return float(torch.sigmoid(answer.evidence @ belief))


def look_twice(model: TinySam, unseen: Unseen, picture: int) -> list[SeenThings]:
    """See a picture and its parts as a second look does."""
    places = part_places(unseen.sizes[picture], model.frame)
    first = picture * len(places)
    parts = [
        Part(features=unseen.parts.features([first + i]), place_xyxy=one.place_xyxy, extent_wh=one.extent_wh)
        for i, one in enumerate(places)
    ]
    with torch.no_grad():
        return list(model.look_at(unseen.scenes.features([picture]), parts))


def answers_to(phrases: Sequence[Phrase], seen: Sequence[SeenThings], truth: Tensor) -> Iterator[Answered]:
    """Answer phrases about a picture from some looks; `truth` are positions of objects, from 1, on the looks' grid."""
    masks = torch.cat([one.on_whole for one in seen])
    if not len(masks):
        return
    for phrase in phrases:
        ranking = rank_seen(seen, torch.tensor([phrase.words]))
        kept = chosen(ranking, 0)
        yield Answered(
            evidence=evidence(ranking, 0, kept), is_right=_overlap(masks[kept].any(0), truth, phrase) >= _RIGHT
        )


def things_for(phrases: Sequence[Phrase], seen: Sequence[SeenThings], truth: Tensor) -> Iterator[Answered]:
    """Tell of each thing that a phrase may hold of what speaks for it, and whether it is one of those meant."""
    masks = torch.cat([one.on_whole for one in seen])
    if not len(masks):
        return
    for phrase in phrases:
        ranking = rank_seen(seen, torch.tensor([phrase.words]))
        for thing in things_apart(ranking, 0):
            is_right, is_unsure = _is_one_of(masks[thing], truth, phrase)
            if is_right or not is_unsure:
                yield Answered(evidence=thing_evidence(ranking, 0, thing), is_right=is_right)


def _is_one_of(mask: Tensor, truth: Tensor, phrase: Phrase) -> tuple[bool, bool]:
    """Whether a mask is one of the things that a phrase means, or one of which that is unknown."""
    numbers = truth[mask].bincount(minlength=len(phrase.meant) + 1)
    pixels = truth.flatten().bincount(minlength=len(phrase.meant) + 1)
    overlap = (numbers / (pixels + int(mask.sum()) - numbers).clamp(min=1))[1:] >= _RIGHT
    return bool((overlap & torch.tensor(phrase.meant)).any()), bool((overlap & torch.tensor(phrase.unsure)).any())


def _phrases(dice: Dice, scenes: FeatureStore, picture: int, names: Sequence[tuple[int, ...]]) -> list[Phrase]:
    """Ask as people do: for names, colours with names, and some that are not there."""
    words, pixels = scenes.words[picture], np.bincount(scenes.index_maps[picture].ravel(), minlength=256)[1:]
    asked = [
        phrase
        for kind, phrase in phrases_about(words)
        if kind != "colour"
        and sum(pixels[: len(words)][list(phrase.meant)]) >= _LEAST_PIXELS
        and len({name_of(one) for one, is_meant in zip(words, phrase.meant, strict=True) if is_meant}) == 1
    ]
    absent = [absent_phrase(dice, words, names) for _ in range(_ABSENT_A_PICTURE)]
    return asked + [phrase for phrase in absent if phrase.is_absent]


def _overlap(answer: Tensor, truth: Tensor, phrase: Phrase) -> float:
    """IoU of an answer with what a phrase means, where that is known."""
    meant, unsure = (torch.tensor([False, *flags])[truth] for flags in (phrase.meant, phrase.unsure))
    answer = answer & ~unsure
    return float((answer & meant).sum() / (answer | meant).sum().clamp(min=1))


def _regression(answers: Sequence[Answered]) -> Float[Tensor, " E"]:
    said = torch.stack([one.evidence for one in answers])
    right = torch.tensor([float(one.is_right) for one in answers])
    weights = torch.zeros(said.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(said @ weights, right) + _LEAST_WEIGHT * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weights.detach()


__all__ = ["Answered", "Unseen", "answers_to", "fit_belief", "look_twice", "things_for"]
