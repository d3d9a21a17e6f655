"""Answers to phrases: of the things in a picture, those that all words of a phrase hold of.

How sure an answer is depends on how well the words hold, on whether the mask looks like a whole thing, and on how far
behind the next one is; `belief` weighs these, and training fits it to how often answers are right.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded
from maskwright.models.tiny.text import NO_WORD, Things
from maskwright.models.tiny.vocabulary import COLOURS

# Another thing joins the answer if it ranks nearly as high as the best, and no lower than this; what overlaps with one
# that was chosen is the same thing.
_MARGIN, _SURE, _SAME = 1.5, -2.0, 0.5
_MOST_JOINED = 12
# What the next one is behind counts up to here.
_FURTHEST_BEHIND = 4.0
_NOTHING = -10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How well each of Q masks answers each of N phrases: log probabilities; `has_colour` tells which name a colour."""

    scores: Float[Tensor, "N Q"]
    has_colour: Bool[Tensor, " N"]
    quality: Float[Tensor, " Q"]
    same: Bool[Tensor, "Q Q"]


def rank(things: Things, text: Int[Tensor, "N k"]) -> Ranking:
    """Score masks for phrases: all words hold of it, and it is a whole thing."""
    return rank_masks(things.words, things.quality, same_things(things.logits > 0), text)


def rank_masks(
    words: Float[Tensor, "Q W"], quality: Float[Tensor, " Q"], same: Bool[Tensor, "Q Q"], text: Int[Tensor, "N k"]
) -> Ranking:
    """Score masks by what was read of them, as if words were independent."""
    held = F.logsigmoid(words)[:, text.clamp(min=0)] * (text != NO_WORD)  # Q N k
    return Ranking(
        scores=held.sum(2).T + F.logsigmoid(quality),
        has_colour=((text >= 0) & (text < len(COLOURS))).any(1),
        quality=F.logsigmoid(quality),
        same=same,
    )


def same_things(masks: Bool[Tensor, "Q h w"]) -> Bool[Tensor, "Q Q"]:
    """Which masks show the same thing, or one a part of the other."""
    flat = masks.flatten(1).float()
    common, pixels = flat @ flat.T, flat.sum(1)
    return common >= _SAME * torch.minimum(pixels[:, None], pixels[None])


def chosen(ranking: Ranking, phrase: int) -> list[int]:
    """Choose the masks that a phrase means, the best first."""
    scores = ranking.scores[phrase]
    order = scores.argsort(descending=True)[:_MOST_JOINED].tolist()
    kept = order[:1]
    least = max(float(scores[order[0]]) - _MARGIN, _SURE)
    for i in order[1:]:
        if scores[i] >= least and not ranking.same[i, kept].any():
            kept.append(i)
    return kept


def evidence(ranking: Ranking, phrase: int, kept: list[int]) -> Float[Tensor, " E"]:
    """Say what speaks for an answer: its score, how far behind others are, its wholeness; 1; a colour in the phrase.

    A colour and a name are rather right than a name alone: names are what is read worst.
    """
    scores = ranking.scores[phrase]
    others = scores.masked_fill(ranking.same[:, kept].any(1), -torch.inf)
    best = scores[kept[0]]
    behind = (best - others.max()).clamp(min=-_FURTHEST_BEHIND, max=_FURTHEST_BEHIND)
    one = torch.ones_like(best)
    return torch.stack([best, behind, ranking.quality[kept[0]], one, ranking.has_colour[phrase] * one])


def thing_evidence(ranking: Ranking, phrase: int, thing: int) -> Float[Tensor, " T"]:
    """Say what speaks for one thing by itself, whatever else is there: its score, its wholeness, 1, and a colour."""
    score = ranking.scores[phrase, thing]
    one = torch.ones_like(score)
    return torch.stack([score, ranking.quality[thing], one, ranking.has_colour[phrase] * one])


def answer(things: Things, text: Int[Tensor, "N k"], belief: Float[Tensor, " E"], *, num_masks: int) -> Decoded:
    """Answer phrases about one picture: all that each means in one mask, or the best `num_masks` by themselves.

    An answer that is hardly believed is the best guess; who asks decides whether to take it.
    """
    if not len(things.logits):
        none = things.logits.new_full((len(text), num_masks, *things.logits.shape[1:]), _NOTHING)
        return Decoded(logits=none, predicted_iou=none[..., 0, 0] * 0)
    ranking = rank(things, text)
    logits, believed = [], []
    for phrase in range(len(text)):
        kept = chosen(ranking, phrase)
        surety = torch.sigmoid(evidence(ranking, phrase, kept) @ belief)
        masks = things.logits[kept].amax(0, keepdim=True)
        if num_masks > 1:
            order = ranking.scores[phrase].argsort(descending=True)
            order = order[torch.arange(num_masks).clamp(max=len(order) - 1)]
            masks = things.logits[order]
            surety = surety * (ranking.scores[phrase][order] - ranking.scores[phrase][order[0]]).exp()
        logits.append(masks)
        believed.append(surety.expand(num_masks))
    return Decoded(logits=torch.stack(logits), predicted_iou=torch.stack(believed))


def answer_placed(drawn: Decoded, each: list[Things], text: Int[Tensor, "N k"], *, num_masks: int) -> Decoded:
    """Answer phrases beside clicks or boxes, which say which one is meant: the best of the masks drawn for each."""
    scores = torch.stack([rank(things, text[n : n + 1]).scores[0] for n, things in enumerate(each)])
    order = scores.argsort(1, descending=True)[:, :num_masks]
    rows = torch.arange(len(order), device=order.device)[:, None]
    return Decoded(logits=drawn.logits[rows, order], predicted_iou=drawn.predicted_iou[rows, order])


__all__ = [
    "Ranking",
    "answer",
    "answer_placed",
    "chosen",
    "evidence",
    "rank",
    "rank_masks",
    "same_things",
    "thing_evidence",
]
