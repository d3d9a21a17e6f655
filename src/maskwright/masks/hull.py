"""The convex hull of a mask: every pixel whose centre lies within the hull of the mask's pixel centres.

In whole numbers throughout, so that the hull of a hull is itself.
"""

import cv2
import numpy as np
from jaxtyping import Int

from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks._strips import column_strips, spread


def convex_hull(rle: RLE) -> RLE:
    """Find the smallest convex set of pixels around a mask; an empty mask stays empty."""
    strips = column_strips(parse(rle))
    if not len(strips):
        return rle
    ends = np.concatenate([strips[:, :2], strips[:, [0, 2]] - [0, 1]]).astype(np.int32)
    hull = cv2.convexHull(ends)[:, 0].astype(np.int64)
    left, right = int(hull[:, 0].min()), int(hull[:, 0].max())
    tops = np.full(right - left + 1, rle.size_hw[0], np.int64)
    bottoms = np.full(right - left + 1, -1, np.int64)
    x, first, last = _edge_pixels(hull)
    np.minimum.at(tops, x - left, first)
    np.maximum.at(bottoms, x - left, last)
    column = np.arange(left, right + 1) * rle.size_hw[0]
    toggles = np.stack([column + tops, column + bottoms + 1], axis=1).ravel()
    lengths = np.diff(toggles, prepend=0, append=rle.size_hw[0] * rle.size_hw[1])
    return unparse(RLEMask.from_counts(lengths.astype(np.uint32), rle.size_hw, validate_sum=False))


def _edge_pixels(
    hull: Int[np.ndarray, "K 2"],
) -> tuple[Int[np.ndarray, " X"], Int[np.ndarray, " X"], Int[np.ndarray, " X"]]:
    """List, for every column that every edge of the hull crosses, the pixels next to the crossing: x, below, above.

    An edge lies on the upper or on the lower side. Rounded towards the inside, its pixel bounds its own side; the other
    side's edges reach further, so each column may take the extremes of all.
    """
    a, b = hull, np.roll(hull, -1, axis=0)
    is_leftward = a[:, :1] > b[:, :1]
    a, b = np.where(is_leftward, b, a), np.where(is_leftward, a, b)
    edge, x = spread(a[:, 0], b[:, 0] + 1)
    run = np.maximum(b[:, 0] - a[:, 0], 1)[edge]  # an upright edge is only its first vertex; its second starts another
    rise = (x - a[edge, 0]) * (b[:, 1] - a[:, 1])[edge]
    return x, a[edge, 1] - (-rise // run), a[edge, 1] + rise // run


__all__ = ["convex_hull"]
