"""Greedy non-maximum suppression of boxes and of masks: the best survives, whatever overlaps it too much goes.

Deterministic: equal scores keep their order, and the kept indices come best first. Overlap has to exceed the threshold
to suppress, as in torchvision. With `categories`, only things of one category suppress each other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from maskwright.core.errors import InputError
from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse_all
from maskwright.masks.boxes import _box_iou, _check_boxes, _floating


def box_nms(
    boxes_xyxy: Shaped[np.ndarray, "N 4"],
    scores: Float[np.ndarray, " N"],
    *,
    iou_threshold: float,
    categories: Int[np.ndarray, " N"] | None = None,
) -> Int[np.ndarray, " kept"]:
    """Choose the boxes that no better kept box overlaps by more than `iou_threshold`; best first.

    Raises:
        InputError: the arrays do not belong together, or a score or the threshold is not a number in range.
    """
    boxes = _floating(_check_boxes(boxes_xyxy))
    waiting = _order(scores, iou_threshold, categories, len(boxes))
    kept: list[int] = []
    while waiting.size:
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        suppressed = _box_iou(boxes[best, None], boxes[rest])[0] > iou_threshold
        waiting = rest[~(suppressed & _same_category(categories, best, rest))]
    return np.array(kept, np.int64)


def mask_nms(
    rles: Sequence[RLE],
    scores: Float[np.ndarray, " N"],
    *,
    iou_threshold: float,
    categories: Int[np.ndarray, " N"] | None = None,
) -> Int[np.ndarray, " kept"]:
    """Choose the masks that no better kept mask overlaps by more than `iou_threshold`; best first.

    Pairs whose boxes do not meet are never compared, so a scene of many small masks costs little more than its boxes.

    Raises:
        InputError: the arrays do not belong together, the sizes differ, or a score or the threshold is not in range.
    """
    masks = parse_all(rles)
    waiting = _order(scores, iou_threshold, categories, len(masks))
    corners = np.array([mask.bbox() for mask in masks], np.float64).reshape(-1, 4)  # x y width height
    corners[:, 2:] += corners[:, :2]
    kept: list[int] = []
    while waiting.size:
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        meets = (corners[best, :2] < corners[rest, 2:]).all(-1) & (corners[rest, :2] < corners[best, 2:]).all(-1)
        rivals = np.flatnonzero(meets & _same_category(categories, best, rest))
        suppressed = np.zeros(len(rest), bool)
        if rivals.size:
            ious = RLEMask.iou_matrix([masks[best]], [masks[i] for i in rest[rivals]])[0]
            suppressed[rivals] = ious > iou_threshold
        waiting = rest[~suppressed]
    return np.array(kept, np.int64)


def _order(scores: Any, iou_threshold: float, categories: Any, count: int) -> Int[np.ndarray, " N"]:
    for name, values in (("scores", scores), ("categories", categories)):
        if values is not None and np.shape(values) != (count,):
            raise InputError(f"{name} must have one entry for each of {count} candidates, got shape {np.shape(values)}")
    if np.isnan(scores).any():
        raise InputError(f"scores must be numbers, got NaN at index {int(np.flatnonzero(np.isnan(scores))[0])}")
    if not 0 <= iou_threshold <= 1:
        raise InputError(f"iou_threshold must lie between 0 and 1, got {iou_threshold}")
    return np.argsort(-np.asarray(scores, np.float64), kind="stable")


def _same_category(categories: Any, best: int, rest: np.ndarray) -> Any:
    if categories is None:
        return True
    chosen = np.asarray(categories)
    return chosen[rest] == chosen[best]


__all__ = ["box_nms", "mask_nms"]
