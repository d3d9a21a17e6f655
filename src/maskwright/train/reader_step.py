"""One step of teaching `tiny` to read masks: which words hold of each, which mask of a picture a phrase means, and
which masks are whole things. The second is what will be asked; halves of things are there to lose."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from maskwright.models.tiny.reading import MaskReader
from maskwright.train.dice import Dice
from maskwright.train.thing_table import PictureThings
from maskwright.train.words import Phrase, phrases_about

# A word that holds weighs more than one that does not: where mug and cup are equally likely, both are shown.
_PRESENT_WEIGHT = 3.0
_WORDS_WEIGHT, _PHRASES_WEIGHT = 0.2, 0.3
_PHRASES_A_PICTURE = 5
_NOISE = 0.1  # in standard deviations of the numbers
# IoU from which on a mask looks more and more like a whole thing, and how far that goes.
_HALF_FROM, _HALF_TO = 0.3, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A phrase about a picture, and for each of its masks whether it is an answer, and whether that is unknown."""

    phrase: Phrase
    kind: str
    is_right: Tensor
    is_unsure: Tensor


def questions_of(things: PictureThings) -> tuple[Question, ...]:
    """Ask for every name, every colour with its name, and every colour of a picture."""
    found = []
    for kind, phrase in phrases_about(things.words):
        right, unsure = things.right_for(phrase)
        found.append(Question(phrase=phrase, kind=kind, is_right=right, is_unsure=unsure))
    return tuple(found)


def reader_loss(
    dice: Dice, reader: MaskReader, pictures: Sequence[PictureThings], questions: Sequence[tuple[Question, ...]]
) -> Tensor:
    """Learn from the masks of some pictures."""
    numbers = torch.cat([one.numbers for one in pictures]).float()
    words, quality = reader(numbers + _NOISE * dice.normal(*numbers.shape) / reader.learned_scale)
    loss = _WORDS_WEIGHT * _words_loss(words, pictures) + _quality_loss(quality, pictures)
    start, asked = 0, []
    for one, about in zip(pictures, questions, strict=True):
        rows = slice(start, start := start + len(one.numbers))
        asked += _phrase_losses(dice, words[rows], quality[rows], about)
    return loss + _PHRASES_WEIGHT * torch.stack(asked).mean() if asked else loss


def _words_loss(words: Tensor, pictures: Sequence[PictureThings]) -> Tensor:
    holds = torch.cat([one.holds for one in pictures]).float()
    known = torch.cat([one.is_known for one in pictures]) * torch.cat([one.weight for one in pictures])[:, None]
    weight = torch.full_like(words[:1], _PRESENT_WEIGHT)
    loss = F.binary_cross_entropy_with_logits(words, holds, reduction="none", pos_weight=weight)
    return (loss * known).sum(1).mean()


def _quality_loss(quality: Tensor, pictures: Sequence[PictureThings]) -> Tensor:
    best = [one.overlap.amax(1) if len(one.words) else one.pixels * 0 for one in pictures]
    return F.binary_cross_entropy_with_logits(quality, ((torch.cat(best) - _HALF_FROM) / _HALF_TO).clamp(0, 1))


def _phrase_losses(dice: Dice, words: Tensor, quality: Tensor, about: Sequence[Question]) -> list[Tensor]:
    """Cross-entropy over the masks of a picture, of some phrases that have an answer among them."""
    losses = []
    for _ in range(min(_PHRASES_A_PICTURE, len(about))):
        question = about[dice.below(len(about))]
        if question.is_right.any():
            scores = F.logsigmoid(words[:, list(question.phrase.words)]).sum(1) + F.logsigmoid(quality)
            scores = scores.masked_fill(question.is_unsure, -1e4)
            losses.append(scores.logsumexp(0) - scores[question.is_right].logsumexp(0))
    return losses


__all__ = ["Question", "questions_of", "reader_loss"]
