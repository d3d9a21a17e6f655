"""Losses of promptable segmentation: focal, dice and cross-entropy on logits, squared error on predicted IoU, and the
minimum over candidates.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def focal_loss(
    logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"], *, gamma: float = 2.0, alpha: float = 0.5
) -> Float[Tensor, "N M"]:
    """Mean focal loss of each mask (Lin et al. 2017).

    SAM's alpha of 0.25 counts a missed pixel a third of a wrong one: on real pictures, where this small network is
    less sure than on generated ones, its masks came out too small (round 2: 0.66 at threshold 0, 0.69 at a lower one).
    """
    target = target.expand_as(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = logits.sigmoid()
    wrong = p * (1 - target) + (1 - p) * target
    weight = alpha * target + (1 - alpha) * (1 - target)
    return (weight * wrong**gamma * cross_entropy).mean((2, 3))


def bce_loss(logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"]) -> Float[Tensor, "N M"]:
    """Mean binary cross-entropy of each mask."""
    return F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none").mean((2, 3))


def dice_loss(logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"]) -> Float[Tensor, "N M"]:
    """One minus the soft Dice coefficient of each mask."""
    p = logits.sigmoid()
    overlap = (p * target).sum((2, 3))
    return 1 - (2 * overlap + 1) / (p.sum((2, 3)) + target.sum((2, 3)) + 1)


def mask_iou(masks: Bool[Tensor, "N M h w"], target: Bool[Tensor, "N 1 h w"]) -> Float[Tensor, "N M"]:
    """Intersection over union of each candidate with its target."""
    intersection = (masks & target).sum((2, 3)).float()
    union = (masks | target).sum((2, 3)).float()
    return intersection / union.clamp(min=1)


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
) -> tuple[Float[Tensor, " N"], Float[Tensor, "N M1"]]:
    """Return each prompt's loss and the true IoU of all candidates.

    Candidates 1.. answer together: only the best of them learns, so that they may differ. Candidate 0 answers alone;
    where the prompt is one click, which may mean several things, its say is small. Corrections have candidate 0 alone.
    """
    per_mask = focal_weight * focal_loss(logits, target) + dice_weight * dice_loss(logits, target)
    if bce_weight:
        per_mask = per_mask + bce_weight * bce_loss(logits, target)
    alone = per_mask[:, 0]
    if per_mask.shape[1] == 1:
        mask_term = alone
    else:
        best = per_mask[:, 1:].min(1).values
        ambiguous = is_ambiguous.float()
        mask_term = best * (0.5 + 0.5 * ambiguous) + alone * (1 - 0.6 * ambiguous)
    with torch.no_grad():
        true_iou = mask_iou(logits > 0, target > 0.5)
    iou_term = F.mse_loss(predicted_iou, true_iou, reduction="none").mean(1)
    return mask_term + iou_weight * iou_term, true_iou


__all__ = ["bce_loss", "dice_loss", "focal_loss", "mask_iou", "prompt_loss"]
