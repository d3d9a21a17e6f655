"""Boxes as arrays: xyxy and xywh, intersection over union, clipping.

Boxes are pixels with exclusive right and bottom edges. The dtype that comes in is the dtype that is computed in, so
that float32 boxes give the decisions that float32 code elsewhere gives.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from maskwright.core.errors import InputError
from maskwright.core.shapes import SizeHW


def xywh_from_xyxy(boxes_xyxy: Shaped[np.ndarray, "*N 4"]) -> Shaped[np.ndarray, "*N 4"]:
    """Turn corners into x, y, width, height.

    >>> xywh_from_xyxy(np.array([3, 4, 5, 8])).tolist()
    [3, 4, 2, 4]
    """
    boxes = _check_boxes(boxes_xyxy, ndim=None)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def xyxy_from_xywh(boxes_xywh: Shaped[np.ndarray, "*N 4"]) -> Shaped[np.ndarray, "*N 4"]:
    """Turn x, y, width, height into corners."""
    boxes = _check_boxes(boxes_xywh, ndim=None)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def clip_boxes(boxes_xyxy: Shaped[np.ndarray, "*N 4"], size_hw: SizeHW) -> Shaped[np.ndarray, "*N 4"]:
    """Move corners that lie outside the image onto its edge; a box that lies wholly outside gets no area."""
    height, width = size_hw
    boxes = _check_boxes(boxes_xyxy, ndim=None)
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def box_iou(boxes_xyxy: Shaped[np.ndarray, "I 4"], others_xyxy: Shaped[np.ndarray, "J 4"]) -> Float[np.ndarray, "I J"]:
    """Compute the intersection over union of every pair; 0 where neither box has an area.

    Raises:
        InputError: an array is not (N, 4).
    """
    return _box_iou(_floating(_check_boxes(boxes_xyxy)), _floating(_check_boxes(others_xyxy)))


def _box_iou(boxes: Float[np.ndarray, "I 4"], others: Float[np.ndarray, "J 4"]) -> Float[np.ndarray, "I J"]:
    shared_wh = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(
        boxes[:, None, :2], others[None, :, :2]
    )
    shared = np.prod(np.maximum(shared_wh, 0), axis=-1)  # I J
    joined = _areas(boxes)[:, None] + _areas(others)[None, :] - shared
    return np.divide(shared, joined, out=np.zeros_like(shared), where=joined > 0)


def box_areas(boxes_xyxy: Shaped[np.ndarray, "*N 4"]) -> Shaped[np.ndarray, "*N"]:
    """Compute the area of each box in square pixels; an inverted box has none."""
    return _areas(_check_boxes(boxes_xyxy, ndim=None))


def _areas(boxes: Shaped[np.ndarray, "*N 4"]) -> Shaped[np.ndarray, "*N"]:
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)


def _check_boxes(boxes: Any, *, ndim: int | None = 2) -> np.ndarray:
    if not isinstance(boxes, np.ndarray) or boxes.ndim == 0 or boxes.shape[-1] != 4 or ndim not in (None, boxes.ndim):
        got = f"shape {boxes.shape}" if isinstance(boxes, np.ndarray) else type(boxes).__name__
        one = isinstance(boxes, np.ndarray) and boxes.shape == (4,)
        raise InputError(f"boxes must be an (N, 4) array of pixels, got {got}.{' Add an axis: boxes[None].' * one}")
    if boxes.dtype.kind == "f" and not np.isfinite(boxes).all():
        raise InputError(f"boxes must be finite pixels, got {int((~np.isfinite(boxes)).sum())} NaN or infinite values")
    return boxes


def _floating(boxes: np.ndarray) -> np.ndarray:
    return boxes if boxes.dtype.kind == "f" else boxes.astype(np.float64)


__all__ = ["box_areas", "box_iou", "clip_boxes", "xywh_from_xyxy", "xyxy_from_xywh"]
