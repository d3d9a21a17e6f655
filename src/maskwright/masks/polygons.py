"""`Polygons`: a mask as outlines, islands with holes, and the exact way there and back.

Vertices are xy pixels on the corners of pixels: the mask of the one pixel (3, 4) is the square (3, 4) to (4, 5), as its
box is. `trace` follows the cracks between pixels, so `fill(trace(rle)) == rle` for every mask. Seen on the screen,
exteriors run clockwise and holes anticlockwise; no ring touches itself, so every traced island is valid in the sense of
OGC and shapely. Islands that meet at a corner only are two islands; a hole may touch its exterior at a corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks._strips import column_strips, spread
from maskwright.masks.rle import _check_size

Ring = Shaped[np.ndarray, "K 2"]


@dataclass(frozen=True, slots=True, eq=False)
class Island:
    """One outline and the holes in it: rings of at least three xy vertices, the last joined to the first."""

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "exterior", _check_ring("an exterior", self.exterior))
        object.__setattr__(self, "holes", tuple(_check_ring("a hole", hole) for hole in self.holes))

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The exterior, then the holes."""
        return (self.exterior, *self.holes)


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """The outlines of one mask of an image of `size_hw`. Vertices may be fractional and may leave the image."""

    size_hw: SizeHW
    islands: tuple[Island, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_hw", _check_size(self.size_hw))
        object.__setattr__(self, "islands", tuple(self.islands))

    @property
    def num_vertices(self) -> int:
        """How many vertices all rings have together."""
        return sum(len(ring) for island in self.islands for ring in island.rings)


def trace(rle: RLE) -> Polygons:
    """Follow the outline of a mask along the edges of its pixels, exactly. Costs its runs, not its pixels.

    >>> from maskwright.masks import from_runs
    >>> trace(from_runs([3, 1, 0], (2, 2))).islands[0].exterior.tolist()
    [[1, 1], [2, 1], [2, 2], [1, 2]]
    """
    strips = column_strips(parse(rle))
    if not len(strips):
        return Polygons(rle.size_hw, ())
    corners = _corners(strips)
    rings = _rings(corners)
    return Polygons(rle.size_hw, _islands(rings, corners, strips))


def fill(polygons: Polygons) -> RLE:
    """Draw polygons: a pixel is set if its centre lies inside an island and not in one of its holes.

    Within an island the even-odd rule decides; islands that overlap are joined. What leaves the image is cut off.
    """
    drawn = [_fill_even_odd(island.rings, polygons.size_hw) for island in polygons.islands]
    return unparse(RLEMask.union(drawn) if drawn else RLEMask.zeros(polygons.size_hw))


@dataclass(frozen=True, slots=True)
class _Corners:
    """The points where the outline turns, in column order. A point where pixels meet diagonally is there twice."""

    x: Int[np.ndarray, " K"]
    y: Int[np.ndarray, " K"]
    next: list[int]
    row_keys: Int[np.ndarray, " K"]  # y * stride + x, sorted
    by_row: Int[np.ndarray, " K"]  # the corner at each of row_keys
    stride: int


def _corners(strips: Int[np.ndarray, "S 3"]) -> _Corners:
    """Find the turns of the outline and link each to the next one, the mask on the right hand (y points down).

    A lattice point is a turn if exactly one of the pixel edges to its left and right belongs to the outline, or if both
    do with the mask on opposite sides: then two pixels meet diagonally, and each keeps to itself.
    """
    stride = int(strips[:, 1:].max()) + 2  # lattice points of a column
    tops = strips[:, 0] * stride + strips[:, 1]
    bottoms = strips[:, 0] * stride + strips[:, 2]
    edges = np.concatenate([tops, bottoms])
    side = np.concatenate([np.ones(len(tops), np.int8), -np.ones(len(bottoms), np.int8)])  # 1: mask below
    keys = np.concatenate([edges, edges + stride])  # the left end of each edge, and its right end
    right = np.concatenate([side, np.zeros_like(side)])  # the edge that leaves to the right of the point, if any
    left = np.concatenate([np.zeros_like(side), side])
    order = np.argsort(keys, kind="stable")
    keys, right, left = keys[order], right[order], left[order]
    is_pair = np.append(keys[1:] == keys[:-1], False)
    is_second = np.append(False, is_pair[:-1])
    # merge the two halves of a point that has both edges
    right_of = right + np.where(is_pair, np.append(right[1:], 0), 0)
    left_of = left + np.where(is_pair, np.append(left[1:], 0), 0)
    point = ~is_second & (right_of != left_of)
    keys, right_of, left_of = keys[point], right_of[point], left_of[point]
    is_saddle = (right_of != 0) & (left_of != 0)
    copies = np.where(is_saddle, 2, 1)
    keys, right_of, left_of = (np.repeat(values, copies) for values in (keys, right_of, left_of))
    is_copy = np.append(False, keys[1:] == keys[:-1])  # the second of a saddle
    return _link(keys, stride, right_of, left_of, is_copy)


def _link(
    keys: Int[np.ndarray, " K"], stride: int, right_of: np.ndarray, left_of: np.ndarray, is_copy: np.ndarray
) -> _Corners:
    """Pair corners along columns and rows, and choose the direction that keeps the mask on the right."""
    x, y = keys // stride, keys % stride
    index = np.arange(len(keys))
    row_stride = int(x.max()) + 2
    row_keys = y * row_stride + x
    # In a column a saddle's first copy ends the edge above and its second begins the edge below. In a row the copy that
    # ends the left edge comes first: the upper one if the mask lies upper left, else the lower one.
    is_saddle = (right_of != 0) & (left_of != 0)
    upper_takes_left = left_of < 0  # the mask is above the left edge
    row_rank = np.where(is_saddle, np.where(upper_takes_left, is_copy, ~is_copy), False)
    by_row = np.lexsort((row_rank, row_keys))
    along_row = np.empty_like(index)
    along_row[by_row] = by_row[index ^ 1]
    along_column = index ^ 1
    # Clockwise on screen: below a top edge (mask below, side 1) go right, along a bottom edge go left.
    position = np.empty_like(index)
    position[by_row] = index
    opens = position % 2 == 0  # the left end of its horizontal segment
    edge_side = np.where(opens, right_of, left_of)
    leaves_by_row = opens == (edge_side > 0)
    following = np.where(leaves_by_row, along_row, along_column)
    return _Corners(x, y, following.tolist(), row_keys[by_row], by_row, row_stride)


def _rings(corners: _Corners) -> list[list[int]]:
    """Walk the links into rings, cutting a ring in two wherever it would touch itself."""
    following = corners.next
    points = (corners.x * (int(corners.y.max()) + 1) + corners.y).tolist()
    is_seen = bytearray(len(following))
    rings: list[list[int]] = []
    for start in range(len(following)):
        if is_seen[start]:
            continue
        path: list[int] = []
        at = start
        while not is_seen[at]:
            is_seen[at] = 1
            path.append(at)
            at = following[at]
        rings.extend(_simple_rings(path, points))
    return rings


def _simple_rings(path: list[int], points: list[int]) -> list[list[int]]:
    if len({points[at] for at in path}) == len(path):
        return [path]
    rings: list[list[int]] = []
    open_path: list[int] = []
    place: dict[int, int] = {}  # point -> its index in open_path
    for at in path:
        point = points[at]
        if point in place:
            cut = place[point]
            ring = open_path[cut:]
            rings.append(ring)
            for passed in ring:
                del place[points[passed]]
            del open_path[cut:]
        place[point] = len(open_path)
        open_path.append(at)
    rings.append(open_path)
    return rings


def _islands(rings: list[list[int]], corners: _Corners, strips: Int[np.ndarray, "S 3"]) -> tuple[Island, ...]:
    """Give each hole to the exterior around it.

    The pixel to the left of a hole's leftmost edge belongs to the same island; the top of that pixel's strip is an edge
    of a ring that begins further left, whose island is known already if rings are taken from left to right.
    """
    ring_of = np.empty(len(corners.x), np.int64)
    for i, ring in enumerate(rings):
        ring_of[ring] = i
    vertices = [np.stack([corners.x[ring], corners.y[ring]], axis=1) for ring in rings]
    leftmost = [min(ring) for ring in rings]  # corners are in column order
    keys = strips[:, 0] * (strips[:, 2].max() + 1) + strips[:, 1]
    owner: dict[int, int] = {}
    holes: dict[int, list[Ring]] = {}
    for i in sorted(range(len(rings)), key=leftmost.__getitem__):
        if _signed_area(vertices[i]) > 0:
            owner[i] = i
            holes[i] = []
            continue
        x, y = int(corners.x[leftmost[i]]) - 1, int(corners.y[leftmost[i]])
        strip = int(np.searchsorted(keys, x * (strips[:, 2].max() + 1) + y, side="right")) - 1
        top = int(strips[strip, 1])
        edge = int(np.searchsorted(corners.row_keys, top * corners.stride + x, side="right")) - 1
        owner[i] = owner[int(ring_of[corners.by_row[edge]])]
        holes[owner[i]].append(vertices[i])
    return tuple(Island(vertices[i], tuple(inner)) for i, inner in holes.items())


def _signed_area(ring: Ring) -> float:
    """Twice the area of a ring: positive if it runs clockwise on the screen."""
    x, y = ring[:, 0], ring[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _fill_even_odd(rings: Sequence[Ring], size_hw: SizeHW) -> RLEMask:
    """Toggle, in every column, the pixels below each crossing of an outline with the column's centre line."""
    height, width = size_hw
    toggles = np.sort(np.concatenate([_crossings(ring, size_hw) for ring in rings]))
    lengths = np.diff(toggles, prepend=0, append=height * width)
    return RLEMask.from_counts(lengths.astype(np.uint32), size_hw, validate_sum=False)


def _crossings(ring: Ring, size_hw: SizeHW) -> Int[np.ndarray, " X"]:
    """List, as column-major positions, the first pixel centre at or below each crossing."""
    height, width = size_hw
    ax, ay = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    flip = ax > bx
    ax, bx, ay, by = np.where(flip, bx, ax), np.where(flip, ax, bx), np.where(flip, by, ay), np.where(flip, ay, by)
    # columns whose centre line x + 0.5 lies in [ax, bx): half open, so a shared vertex counts once
    first = np.clip(np.ceil(ax - 0.5), 0, width).astype(np.int64)
    last = np.clip(np.ceil(bx - 0.5), 0, width).astype(np.int64)
    edge, x = spread(first, last)
    slope = (by - ay)[edge] / (bx - ax)[edge]
    y = ay[edge] + (x + 0.5 - ax[edge]) * slope
    row = np.clip(np.ceil(y - 0.5), 0, height).astype(np.int64)
    return x * height + row


def _check_ring(what: str, ring: Any) -> Ring:
    try:
        vertices = np.asarray(ring)
    except ValueError as error:
        raise MaskError(f"{what} must be at least three xy vertices of shape (K, 2), got a ragged sequence") from error
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3 or vertices.dtype.kind not in "iuf":
        raise MaskError(
            f"{what} must be at least three xy vertices of shape (K, 2), got {vertices.dtype} {vertices.shape}"
        )
    if vertices.dtype.kind == "f" and not np.isfinite(vertices).all():
        raise MaskError(f"{what} must have finite vertices, got NaN or infinity")
    return vertices


__all__ = ["Island", "Polygons", "Ring", "fill", "trace"]
