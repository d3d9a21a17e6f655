"""COCO's polygon lists, `[[x1, y1, x2, y2, ...], ...]`: what they cannot hold, and both ways of filling them.

COCO joins the polygons of one object and knows no holes. `to_coco_polygons` either fills holes and says how many pixels
that adds, or cuts each ring open and walks into the hole and back along one line, which every filler renders right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import MaskError, SettingError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks._engine import RLEMask, unparse
from maskwright.masks.algebra import area
from maskwright.masks.polygons import Island, Polygons, fill
from maskwright.masks.rle import _check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoPolygons:
    """One flat x, y list per island, and what was lost: `num_pixels_gained` pixels of `num_holes_filled` holes."""

    segmentation: list[list[float]]
    num_holes_filled: int = 0
    num_pixels_gained: int = 0

    @property
    def is_lossless(self) -> bool:
        """Whether the list holds all that the polygons held."""
        return self.num_holes_filled == 0


def to_coco_polygons(polygons: Polygons, *, holes: Literal["fill", "bridge"] = "fill") -> CocoPolygons:
    """Write polygons as COCO's lists.

    `fill` drops holes and reports it; `bridge` keeps them in one outline that touches itself: right for fillers, not
    valid for shapely.

    Raises:
        SettingError: `holes` is neither.
    """
    if holes == "bridge":
        bridged = [_bridge(island) for island in polygons.islands]
        return CocoPolygons(segmentation=[_flat(ring) for ring in bridged])
    if holes != "fill":
        raise SettingError(f"holes must be fill or bridge, got {holes!r}")
    without = Polygons(polygons.size_hw, tuple(Island(island.exterior) for island in polygons.islands))
    num_holes = sum(len(island.holes) for island in polygons.islands)
    gained = area(fill(without)) - area(fill(polygons)) if num_holes else 0
    lists = [_flat(island.exterior) for island in polygons.islands]
    return CocoPolygons(segmentation=lists, num_holes_filled=num_holes, num_pixels_gained=gained)


def polygons_from_coco(segmentation: Sequence[Sequence[float]], size_hw: SizeHW) -> Polygons:
    """Read COCO's lists as outlines: one island each, no holes.

    Raises:
        MaskError: a polygon is not a flat list of at least three finite x, y pairs.
    """
    return Polygons(size_hw, tuple(Island(ring) for ring in _read(segmentation)))


def from_coco_polygons(segmentation: Sequence[Sequence[float]], size_hw: SizeHW) -> RLE:
    """Fill COCO's lists with pycocotools' rule, bit for bit; it includes some pixels whose centre is outside.

    Use `fill(polygons_from_coco(...))` for the pixels whose centres are inside.

    Raises:
        MaskError: a polygon is not a flat list of at least three finite x, y pairs.
    """
    size_hw = _check_size(size_hw)
    drawn = [RLEMask.from_polygon(ring, imshape=size_hw) for ring in _read(segmentation)]
    return unparse(RLEMask.union(drawn) if drawn else RLEMask.zeros(size_hw))


def _read(segmentation: Any) -> list[Float[np.ndarray, "K 2"]]:
    if isinstance(segmentation, str | bytes) or not isinstance(segmentation, Sequence):
        raise MaskError(
            f"COCO's polygons must be a list of flat x, y lists, got {type(segmentation).__name__}. "
            "Use from_coco for RLE."
        )
    return [_read_ring(i, flat) for i, flat in enumerate(segmentation)]


def _read_ring(i: int, flat: Any) -> Float[np.ndarray, "K 2"]:
    try:
        values = np.asarray(flat, np.float64)
    except (TypeError, ValueError) as error:
        raise MaskError(f"polygon {i} must be a flat list of numbers x1, y1, x2, y2, ..., got {flat!r:.60}") from error
    if values.ndim != 1 or values.size < 6 or values.size % 2:
        nested = " Wrap it in a list: [[x1, y1, ...]]." if values.ndim == 0 else ""
        raise MaskError(
            f"polygon {i} must be a flat list of at least three x, y pairs, got shape {values.shape}.{nested}"
        )
    if not np.isfinite(values).all():
        raise MaskError(f"polygon {i} must have finite coordinates, got NaN or infinity")
    return values.reshape(-1, 2)


def _flat(ring: np.ndarray) -> list[float]:
    return ring.astype(np.float64).ravel().tolist()


def _bridge(island: Island) -> Float[np.ndarray, "K 2"]:
    """Join holes to the exterior from left to right, each by a level cut from its leftmost vertex."""
    outline = island.exterior.astype(np.float64)
    for hole in sorted(island.holes, key=lambda ring: float(ring[:, 0].min())):
        outline = _join(outline, hole.astype(np.float64))
    return outline


def _join(outline: Float[np.ndarray, "K 2"], hole: Float[np.ndarray, "J 2"]) -> Float[np.ndarray, "L 2"]:
    start = int(hole[:, 0].argmin())
    x, y = hole[start]
    ax, ay = outline.T
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    spans = (np.minimum(ay, by) <= y) & (np.maximum(ay, by) >= y) & (ay != by)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(spans, ax + (y - ay) * (bx - ax) / (by - ay), np.inf)
    crossing[crossing > x] = -np.inf
    crossing[~spans] = -np.inf
    edge = int(crossing.argmax())
    gate = np.array([crossing[edge], y]) if np.isfinite(crossing[edge]) else outline[edge]
    inward = np.roll(hole, -start, axis=0)
    return np.concatenate([outline[: edge + 1], [gate], inward, inward[:1], [gate], outline[edge + 1 :]])


__all__ = ["CocoPolygons", "from_coco_polygons", "polygons_from_coco", "to_coco_polygons"]
