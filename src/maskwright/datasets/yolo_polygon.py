"""One polygon for a whole mask, as YOLO wants it: its islands and holes joined by bridges of no width.

A bridge is walked there and back along the same line, so a filler that decides by the centres of pixels gives back the
mask exactly. Fillers that also paint outlines, as OpenCV does, draw a line of one pixel there.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import Island, Polygons, fill, trace

Ring = Float[np.ndarray, "K 2"]

_TRIED = 16  # vertices of a ring from which the shortest bridge is sought
_DIGITS = 6  # of a share of the side: below 0.01 pixel up to sides of 10,000


def polygon_text(rle: RLE) -> tuple[str, int]:
    """Write a mask that has pixels as x, y pairs from 0 to 1, and tell how many bridges it took."""
    rings = [ring.astype(np.float64) for island in trace(rle).islands for ring in island.rings]
    height, width = rle.size_hw
    shares = (_walk(rings) / (width, height)).ravel().tolist()
    return " ".join(f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".") for value in shares), len(rings) - 1


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


def _walk(rings: list[Ring]) -> Ring:
    """Walk around the first ring, and at each vertex with a bridge over to another ring, around that, and back."""
    bridges = _bridges(rings)
    entry = {bridge.child: bridge.arrival for bridge in bridges}
    leaving: dict[int, list[_Bridge]] = defaultdict(list)
    for bridge in bridges:
        leaving[bridge.parent].append(bridge)
    walks: dict[int, Ring] = {}
    for i in [*(bridge.child for bridge in reversed(bridges)), 0]:  # a ring after all that hang on it
        ring, start = rings[i], entry.get(i, 0)
        around = np.concatenate([np.roll(ring, -start, axis=0), ring[start : start + 1]])
        pieces, at = [], 0
        for bridge in sorted(leaving[i], key=lambda one: (one.departure - start) % len(ring)):
            there = (bridge.departure - start) % len(ring)
            pieces += [around[at : there + 1], walks.pop(bridge.child)]
            at = there
        walks[i] = np.concatenate([*pieces, around[at:]])
    return walks[0][:-1]


@dataclass(frozen=True, slots=True)
class _Bridge:
    """From vertex `departure` of ring `parent` to vertex `arrival` of ring `child`."""

    parent: int
    child: int
    departure: int
    arrival: int


def _bridges(rings: list[Ring]) -> list[_Bridge]:
    """Choose bridges that join all rings to the first, near ones first, by the distance of their boxes (Prim)."""
    low, high = np.array([ring.min(0) for ring in rings]), np.array([ring.max(0) for ring in rings])
    distance, parent = np.full(len(rings), np.inf), np.zeros(len(rings), int)
    waiting = np.ones(len(rings), bool)
    newest, bridges = 0, []
    waiting[0] = False
    while waiting.any():
        gaps = np.maximum(0, np.maximum(low[newest] - high, low - high[newest])).sum(1)
        nearer = waiting & (gaps < distance)
        distance[nearer], parent[nearer] = gaps[nearer], newest
        newest = int(np.where(waiting, distance, np.inf).argmin())
        waiting[newest] = False
        bridges.append(_between(rings, int(parent[newest]), newest))
    return bridges


def _between(rings: list[Ring], parent: int, child: int) -> _Bridge:
    step = max(1, len(rings[child]) // _TRIED)
    apart = ((rings[parent][:, None] - rings[child][None, ::step]) ** 2).sum(2)
    departure, arrival = np.unravel_index(int(apart.argmin()), apart.shape)
    return _Bridge(parent, child, int(departure), int(arrival) * step)


__all__ = ["fill_polygon", "polygon_text"]
