"""Answers to phrases by pointing: click where a phrase holds best, and keep the masks that it holds of.

The decoder draws what a click means; words say which of the drawn masks are meant. A word that is unsure of every
pixel is often right about a whole object, and right about which object of the picture is the likeliest: on held-out
scenes, with true masks, 0.69 of phrases are answered so, and 0.25 by the map of where a phrase holds.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.text import all_hold

NUM_POINTS = 12
# A peak is a spot of this side, one of a grid of that step, with none higher so many steps away; map pixels.
_SPOT, _STEP, _APART = 4, 2, 2
# The mean of a word in a mask starts from so many pixels of this logit: small masks are seldom right by luck.
_PRIOR_PIXELS, _PRIOR_LOGIT = 10, -4.0
# What ranks masks: the phrase's logit, how much less it holds just outside (of a part of a thing, it does not), and
# the decoder's own doubt.
_EDGE_WEIGHT, _MOST_EDGE, _RING, _DRAWN_WEIGHT = 0.6, 2.0, 3, 3.0
# A mask joins the answer if it ranks nearly as high as the best, or if the phrase surely holds of it.
_MARGIN, _SURE, _SURE_MARGIN = 0.6, 0.0, 2.5
_SAME_IOU = 0.5
# Predicted IoU of an answer, from the phrase's logit, and the logit below which nothing is there.
_BELIEF_SLOPE, _BELIEF_SHIFT, _LEAST = 1.0, 3.0, -5.0
_NOTHING = -10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseMaps:
    """Where each word of N phrases holds, in picture order; `is_word` is False for padding."""

    logits: Float[Tensor, "N k h w"]
    is_word: Bool[Tensor, "N k"]

    def held_of(self, masks: Bool[Tensor, "N C h w"], prior_pixels: int = _PRIOR_PIXELS) -> Float[Tensor, "N C"]:
        """Logit that the phrase holds of whole masks: that all words do, each by its mean in the mask."""
        inside = masks.flatten(2).float()
        total = inside @ self.logits.flatten(2).transpose(1, 2) + prior_pixels * _PRIOR_LOGIT  # N C k
        mean = total / (inside.sum(2, keepdim=True) + prior_pixels).clamp(min=1)
        return all_hold(mean.transpose(1, 2), self.is_word)

    def held_around(self, masks: Bool[Tensor, "N C h w"]) -> Float[Tensor, "N C"]:
        """Logit that the phrase holds just outside of masks."""
        grown = F.max_pool2d(masks.float(), 2 * _RING + 1, 1, _RING) > 0
        return self.held_of(grown & ~masks, prior_pixels=0)

    def points(self, stride: float) -> Float[Tensor, "N P 2"]:
        """Where to click, in frame pixels: the highest spots, apart from each other; `stride` is of the maps."""
        where = all_hold(self.logits.flatten(2), self.is_word).unflatten(1, self.logits.shape[2:])
        spots = F.avg_pool2d(where[:, None], _SPOT, _STEP)
        is_peak = spots == F.max_pool2d(spots, 2 * _APART + 1, 1, _APART)
        height = torch.where(is_peak, spots, torch.full_like(spots, -torch.inf)).flatten(1)
        chosen = height.topk(min(NUM_POINTS, height.shape[1]), dim=1).indices
        columns = spots.shape[-1]
        corner = torch.stack([chosen % columns, chosen // columns], -1).float() * _STEP
        return (corner + _SPOT / 2) * stride


def clicks(points: Float[Tensor, "N P 2"]) -> FramePrompts:
    """One prompt for each point, as `predict` would ask with it."""
    each = points.flatten(0, 1)[:, None]
    labels = torch.tensor([1, -1], device=points.device).expand(len(each), 2)
    return FramePrompts(points=torch.cat([each, torch.zeros_like(each)], 1), labels=labels)


def answer(maps: PhraseMaps, drawn: Decoded, *, num_masks: int, is_placed: bool) -> Decoded:
    """Choose among the masks drawn for each phrase: the union of all that it means, or the best `num_masks`.

    With `is_placed` a click or a box said which one is meant, so the best is the answer.
    """
    masks = drawn.logits > 0
    held = maps.held_of(masks)
    edge = (held - maps.held_around(masks)).clamp(max=_MOST_EDGE)
    score = held + _EDGE_WEIGHT * edge + _DRAWN_WEIGHT * drawn.predicted_iou.clamp(min=0.01).log()
    score = score.masked_fill(~masks.flatten(2).any(2), -torch.inf)
    order = score.argsort(1, descending=True)[:, :num_masks]
    rows = torch.arange(len(order), device=order.device)[:, None]
    logits, best = drawn.logits[rows, order], held[rows, order]
    believed = drawn.predicted_iou[rows, order] * torch.sigmoid(_BELIEF_SLOPE * best + _BELIEF_SHIFT)
    if not is_placed:
        if num_masks == 1:
            logits = _union(drawn.logits, score, held > _SURE)
        is_nothing = (best < _LEAST)[..., None, None]
        logits = torch.where(is_nothing, logits.clamp(max=0) + _NOTHING, logits)
    return Decoded(logits=logits, predicted_iou=believed)


def _union(
    logits: Float[Tensor, "N C h w"], score: Float[Tensor, "N C"], is_sure: Bool[Tensor, "N C"]
) -> Float[Tensor, "N 1 h w"]:
    """Join the best mask with others nearly as good, or good enough; of masks of one thing only the best counts."""
    out = []
    for drawn, rank, sure in zip(logits, score, is_sure, strict=True):
        order = rank.argsort(descending=True)
        enough = rank >= rank.max() - torch.where(sure, _SURE_MARGIN, _MARGIN)
        kept = [int(order[0])]
        for i in order[1:].tolist():
            if enough[i] and all(_overlap(drawn[i] > 0, drawn[j] > 0) < _SAME_IOU for j in kept):
                kept.append(i)
        out.append(drawn[kept].amax(0))
    return torch.stack(out)[:, None]


def _overlap(a: Bool[Tensor, "h w"], b: Bool[Tensor, "h w"]) -> float:
    """Share of the smaller mask that both have."""
    return float((a & b).sum() / torch.minimum(a.sum(), b.sum()).clamp(min=1))


__all__ = ["NUM_POINTS", "PhraseMaps", "answer", "clicks"]
