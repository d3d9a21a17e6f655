"""One polygon for a whole mask, as YOLO wants it: its islands and holes joined by bridges of no width.

A bridge is walked there and back along the same line, so a filler that decides by the centres of pixels gives back the
mask exactly. Fillers that also paint outlines, as OpenCV does, draw a line of one pixel there.
"""

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import Island, Polygons, fill, trace

_DIGITS = 6  # of a share of the side: below 0.01 pixel up to sides of 10,000


def polygon_text(rle: RLE) -> tuple[str, int]:
    """Write a mask that has pixels as x, y pairs from 0 to 1, and tell how many bridges it took."""
    rings = [ring.astype(np.float64) for island in trace(rle).islands for ring in island.rings]
    outline = rings[0]
    waiting = rings[1:]
    while waiting:
        nearest = min(range(len(waiting)), key=lambda i: _gap(outline, waiting[i]))
        outline = _join(outline, waiting.pop(nearest))
    height, width = rle.size_hw
    shares = outline / (width, height)
    return " ".join(f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".") for value in shares.ravel()), len(rings) - 1


def fill_polygon(shares: Float[np.ndarray, " M"], size_hw: SizeHW) -> RLE:
    """Draw a polygon of x, y pairs from 0 to 1.

    Raises:
        MaskError: it has fewer than three points, or points far outside the picture.
    """
    if len(shares) < 6 or len(shares) % 2:
        raise MaskError(f"a polygon must have at least three x, y pairs, got {len(shares)} numbers")
    if not np.isfinite(shares).all() or shares.min() < -0.5 or shares.max() > 1.5:
        raise MaskError(f"a polygon's points must be shares from 0 to 1, got {shares.min():g} to {shares.max():g}")
    height, width = size_hw
    return fill(Polygons(size_hw, (Island(shares.reshape(-1, 2) * (width, height)),)))


def _gap(outline: Float[np.ndarray, "K 2"], ring: Float[np.ndarray, "J 2"]) -> float:
    """Bound the distance of two rings by their boxes; enough to join near ones first."""
    low, high = outline.min(0), outline.max(0)
    outside = np.maximum(0, np.maximum(low - ring.max(0), ring.min(0) - high))
    return float(outside.sum())


def _join(outline: Float[np.ndarray, "K 2"], ring: Float[np.ndarray, "J 2"]) -> Float[np.ndarray, "L 2"]:
    """Walk along the outline to its vertex nearest to the ring, over to the ring, around it, and back."""
    steps = [((outline - vertex) ** 2).sum(1) for vertex in ring[:: max(1, len(ring) // 64)]]
    near = int(np.argmin([step.min() for step in steps]))
    at, start = int(steps[near].argmin()), near * max(1, len(ring) // 64)
    around = np.roll(ring, -start, axis=0)
    return np.concatenate([outline[: at + 1], around, around[:1], outline[at:]])


__all__ = ["fill_polygon", "polygon_text"]
