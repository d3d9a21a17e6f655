"""Greedy non-maximum suppression of boxes and of masks: the best survives, whatever overlaps it too much goes.

Deterministic: equal scores keep their order, and the kept indices come best first. Overlap has to exceed the threshold
to suppress, as in torchvision. With `categories`, only things of one category suppress each other.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from maskwright.core.errors import InputError
from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse_all
from maskwright.masks.boxes import _check_boxes, _floating


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
    order = _order(scores, iou_threshold, categories, len(boxes))
    is_gone = np.zeros(len(order), bool)
    suppress = _suppressor(boxes[order], iou_threshold, None if categories is None else np.asarray(categories)[order])
    for i in range(len(order)):
        if not is_gone[i]:
            is_gone[i + 1 :] |= suppress(i)
    return order[~is_gone]


def _suppressor(
    boxes: Float[np.ndarray, "N 4"], iou_threshold: float, categories: np.ndarray | None
) -> Callable[[int], Bool[np.ndarray, " R"]]:
    """Make the function that tells which of the boxes behind box i it suppresses."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    areas = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    threshold = np.float64(iou_threshold)  # a float32 IoU is compared with the threshold as it was given

    def suppress(i: int) -> Bool[np.ndarray, " R"]:
        rest = slice(i + 1, None)
        width = np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest])
        height = np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore"):
            is_close = shared / (areas[i] + areas[rest] - shared) > threshold  # nothing in nothing is nan: not close
        return is_close if categories is None else is_close & (categories[rest] == categories[i])

    return suppress


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
