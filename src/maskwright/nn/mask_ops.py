"""Torch twins of `maskwright.masks` for logits and boxes that are on a device: boxes, stability, agreement, box NMS.

The numpy versions are the reference; parity is tested against them. Boxes are xyxy with exclusive right and bottom
edges.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def mask_boxes(masks: Bool[Tensor, "*n H W"]) -> Int[Tensor, "*n 4"]:
    """Find the tight box of each mask; an empty mask has the box (0, 0, 0, 0)."""
    height, width = masks.shape[-2:]
    rows, columns = masks.any(-1), masks.any(-2)
    edges = [
        _first(columns),
        _first(rows),
        width - _first(columns.flip(-1)),
        height - _first(rows.flip(-1)),
    ]
    return torch.stack(edges, -1) * rows.any(-1, keepdim=True)


def stability_score(
    logits: Float[Tensor, "*n H W"], threshold: float = 0.0, offset: float = 1.0
) -> Float[Tensor, "*n"]:
    """IoU of the masks at `threshold` plus and minus `offset`; NaN where both are empty.

    Source: SAM's automatic mask generator.
    """
    inner = (logits > threshold + offset).sum((-1, -2), dtype=torch.int32)
    outer = (logits > threshold - offset).sum((-1, -2), dtype=torch.int32)
    return inner / outer


def agreement_score(masks: Bool[Tensor, "*n M H W"]) -> Float[Tensor, "*n"]:
    """The mean IoU of each two of M masks: how far candidates for one thing agree. NaN for fewer than two.

    Two empty masks agree.
    """
    num_masks = masks.shape[-3]
    if num_masks < 2:
        return torch.full(masks.shape[:-3], torch.nan, device=masks.device)
    flat = masks.flatten(-2).float()  # whose products count pixels, in a third of the time of sums over bool
    both = flat @ flat.transpose(-1, -2)  # *n M M
    areas = both.diagonal(dim1=-2, dim2=-1)
    either = areas[..., :, None] + areas[..., None, :] - both
    ious = torch.where(either > 0, both / either.clamp(min=1), 1.0)
    return (ious.sum((-1, -2)) - num_masks) / (num_masks * (num_masks - 1))  # each mask agrees with itself


def box_nms(
    boxes_xyxy: Float[Tensor, "N 4"], scores: Float[Tensor, " N"], iou_threshold: float
) -> Int[Tensor, " _kept"]:
    """Drop boxes that overlap a better one by more than `iou_threshold`; return the rest, best first.

    Of equal scores the earlier box wins. A box without area overlaps nothing.
    """
    order = scores.sort(descending=True, stable=True).indices
    boxes = boxes_xyxy[order].float()
    overlaps = _box_iou(boxes).double() > iou_threshold  # as the reference: in the precision of the threshold as given
    kept = torch.ones(len(boxes), dtype=torch.bool)
    # The greedy choice is sequential: one transfer of the N x N table is cheaper than N small steps on a GPU.
    for i, row in enumerate(overlaps.cpu()):
        if kept[i]:
            kept[i + 1 :] &= ~row[i + 1 :]
    return order[kept.to(order.device)]


def _first(present: Bool[Tensor, "*n L"]) -> Int[Tensor, "*n"]:
    return present.to(torch.uint8).argmax(-1)


def _box_iou(boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N N"]:
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inner = (bottom_right - top_left).clamp(min=0).prod(-1)
    return (inner / (area[:, None] + area[None] - inner)).nan_to_num(0.0)


__all__ = ["agreement_score", "box_nms", "mask_boxes", "stability_score"]
