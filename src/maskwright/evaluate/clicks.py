"""Where a simulated user clicks: in the middle of the largest error, the protocol of interactive segmentation.

The middle of a region is its pixel furthest from the region's border and from the picture's edge.
"""

import cv2
import numpy as np
from jaxtyping import Bool


def first_click(truth: Bool[np.ndarray, "H W"]) -> tuple[float, float]:
    """Click in the middle of the object: (x, y) in image pixels."""
    xy, _ = next_click(np.zeros_like(truth), truth)
    return xy


def next_click(predicted: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"]) -> tuple[tuple[float, float], int]:
    """Return where to click next and with which label: 1 on what is missing, 0 on what is too much."""
    missing, extra = _depth(truth & ~predicted), _depth(predicted & ~truth)
    depth, label = (missing, 1) if missing.max() >= extra.max() else (extra, 0)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (float(x) + 0.5, float(y) + 0.5), label


def _depth(region: Bool[np.ndarray, "H W"]) -> np.ndarray:
    padded = np.pad(region, 1).astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


__all__ = ["first_click", "next_click"]
