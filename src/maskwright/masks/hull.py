"""The convex hull of a mask: every pixel whose centre lies within the hull of the mask's pixel centres.

In whole numbers throughout, so that the hull of a hull is itself.
"""

import cv2
import numpy as np
from jaxtyping import Int

from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks._strips import column_strips


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
    for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        _narrow(tops, bottoms, a - [left, 0], b - [left, 0])
    x = np.arange(left, right + 1) * rle.size_hw[0]
    toggles = np.stack([x + tops, x + bottoms + 1], axis=1).ravel()
    lengths = np.diff(toggles, prepend=0, append=rle.size_hw[0] * rle.size_hw[1])
    return unparse(RLEMask.from_counts(lengths.astype(np.uint32), rle.size_hw, validate_sum=False))


def _narrow(
    tops: Int[np.ndarray, " X"],
    bottoms: Int[np.ndarray, " X"],
    a: Int[np.ndarray, " 2"],
    b: Int[np.ndarray, " 2"],
) -> None:
    """Stretch each column's range to the pixels inside the hull's edge from a to b.

    An edge only ever lies on the upper or the lower side; rounding towards the inside is right for its own side, and
    the other side's edges reach further, so both may take the extremes of both.
    """
    if a[0] > b[0]:
        a, b = b, a
    x = np.arange(a[0], b[0] + 1)
    if a[0] == b[0]:
        first, last = min(a[1], b[1]), max(a[1], b[1])
    else:
        rise, run = (x - a[0]) * (b[1] - a[1]), b[0] - a[0]
        first, last = a[1] - (-rise // run), a[1] + rise // run  # ceil and floor of the crossing
    tops[x] = np.minimum(tops[x], first)
    bottoms[x] = np.maximum(bottoms[x], last)


__all__ = ["convex_hull"]
