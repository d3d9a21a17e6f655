"""How wide a thing is: the median width of a mask along its middle lines, in pixels of the picture.

An area says little of a cable: long and thin things are what masks of low resolution lose.
"""

import cv2
import numpy as np
from jaxtyping import Bool

from maskwright.core.rle import RLE
from maskwright.masks import box_xyxy, crop, decode

THIN_PX = 10.0


def median_width(mask: RLE) -> float:
    """Measure the median width over the middle of a mask, in pixels; 0 for an empty one.

    The middle is where the distance to the outside is no smaller than at any neighbour. Right to half a pixel for bars,
    since those of odd and of even width have the same distances.
    """
    x1, y1, x2, y2 = (round(edge) for edge in box_xyxy(mask))
    if x2 <= x1:
        return 0.0
    depth = distance_inside(decode(crop(mask, (x1, y1, x2, y2))))
    is_ridge = (depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))
    return float(2 * np.median(depth[is_ridge]) - 0.5)


def distance_inside(region: Bool[np.ndarray, "H W"]) -> np.ndarray:
    """Distance of each pixel of a region to the nearest pixel outside of it; beyond the picture is outside."""
    padded = np.pad(region, 1).astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


__all__ = ["THIN_PX", "distance_inside", "median_width"]
