"""Losses of promptable segmentation: focal, dice and cross-entropy on logits, squared error on predicted IoU, and the
minimum over candidates.

Where a `weight` is given, pixels count by it: those of a sample stand for others. Targets may lie between 0 and 1.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

# One number for each pixel, or for some pixels together.
Weight = Float[Tensor, "N 1 _h _w"]


def focal_loss(
    logits: Float[Tensor, "N M h w"],
    target: Float[Tensor, "N 1 h w"],
    *,
    gamma: float = 2.0,
    alpha: float = 0.5,
    weight: Weight | None = None,
) -> Float[Tensor, "N M"]:
    """Mean focal loss of each mask (Lin et al. 2017).

    SAM's alpha of 0.25 counts a missed pixel a third of a wrong one: on real pictures, where this small network is
    less sure than on generated ones, its masks came out too small (round 2: 0.66 at threshold 0, 0.69 at a lower one).
    """
    target = target.expand_as(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = logits.sigmoid()
    wrong = p * (1 - target) + (1 - p) * target
    side = alpha * target + (1 - alpha) * (1 - target)
    return _mean(side * wrong**gamma * cross_entropy, weight)


def bce_loss(
    logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"], *, weight: Weight | None = None
) -> Float[Tensor, "N M"]:
    """Mean binary cross-entropy of each mask."""
    return _mean(F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none"), weight)


def dice_loss(
    logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"], *, weight: Weight | None = None
) -> Float[Tensor, "N M"]:
    """One minus the soft Dice coefficient of each mask."""
    p = logits.sigmoid()
    overlap = _sum(p * target, weight)
    return 1 - (2 * overlap + 1) / (_sum(p, weight) + _sum(target, weight) + 1)


def mask_iou(
    masks: Bool[Tensor, "N M h w"], target: Bool[Tensor, "N 1 h w"], *, weight: Weight | None = None
) -> Float[Tensor, "N M"]:
    """Intersection over union of each candidate with its target."""
    intersection = _sum(masks & target, weight)
    union = _sum(masks | target, weight)
    return intersection / union.clamp(min=1)


def _sum(x: Tensor, weight: Weight | None) -> Float[Tensor, "N M"]:
    return x.sum((2, 3)).float() if weight is None else (x * weight).sum((2, 3))


def _mean(x: Float[Tensor, "N M h w"], weight: Weight | None) -> Float[Tensor, "N M"]:
    return x.mean((2, 3)) if weight is None else (x * weight).sum((2, 3)) / weight.expand_as(x[:, :1]).sum((2, 3))


def prompt_loss(
    logits: Float[Tensor, "N M1 h w"],
    predicted_iou: Float[Tensor, "N M1"],
    target: Float[Tensor, "N 1 h w"],
    is_ambiguous: Bool[Tensor, " N"],
    *,
    focal_weight: float = 20.0,
    dice_weight: float = 1.0,
    bce_weight: float = 0.0,
    iou_weight: float = 1.0,
    weight: Weight | None = None,
) -> tuple[Float[Tensor, " N"], Float[Tensor, "N M1"]]:
    """Return each prompt's loss and the true IoU of all candidates.

    Candidates 1.. answer together: only the best of them learns, so that they may differ. Candidate 0 answers alone;
    where the prompt is one click, which may mean several things, its say is small. Corrections have candidate 0 alone.
    """
    per_mask = focal_weight * focal_loss(logits, target, weight=weight)
    per_mask = per_mask + dice_weight * dice_loss(logits, target, weight=weight)
    if bce_weight:
        per_mask = per_mask + bce_weight * bce_loss(logits, target, weight=weight)
    alone = per_mask[:, 0]
    if per_mask.shape[1] == 1:
        mask_term = alone
    else:
        best = per_mask[:, 1:].min(1).values
        ambiguous = is_ambiguous.float()
        mask_term = best * (0.5 + 0.5 * ambiguous) + alone * (1 - 0.6 * ambiguous)
    with torch.no_grad():
        true_iou = mask_iou(logits > 0, target > 0.5, weight=weight)
    iou_term = F.mse_loss(predicted_iou, true_iou, reduction="none").mean(1)
    return mask_term + iou_weight * iou_term, true_iou


__all__ = ["bce_loss", "dice_loss", "focal_loss", "mask_iou", "prompt_loss"]
