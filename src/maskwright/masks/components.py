"""Islands and holes of a mask, found on the runs.

Two pixels belong together if they touch: at an edge (connectivity 4), or also at a corner (8). With islands of 8, holes
are of 4, and the other way round; only then do outlines not cross.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks._strips import column_strips

Connectivity = Literal[4, 8]
Choose = Callable[[Int[np.ndarray, " N"], Int[np.ndarray, "N 4"]], Bool[np.ndarray, " N"]]


def islands(rle: RLE, *, connectivity: Connectivity = 8) -> list[RLE]:
    """Split a mask into its connected pieces, largest first."""
    return [unparse(piece) for piece in _pieces(parse(rle), connectivity)]


def holes(rle: RLE, *, connectivity: Connectivity = 4) -> list[RLE]:
    """List the pieces of background that the mask encloses, largest first. What touches the image's edge is no hole."""
    mask = parse(rle)
    return [unparse(piece) for piece in _pieces(~mask, connectivity, inside(mask.shape))]


def inside(size_hw: tuple[int, int]) -> Choose:
    """Make the test for pieces that do not touch the edge of the image."""
    height, width = size_hw

    def is_inside(areas: Int[np.ndarray, " N"], boxes_xywh: Int[np.ndarray, "N 4"]) -> Bool[np.ndarray, " N"]:
        x, y, w, h = boxes_xywh.T
        return (x > 0) & (y > 0) & (x + w < width) & (y + h < height)

    return is_inside


def _pieces(mask: RLEMask, connectivity: Connectivity, choose: Choose | None = None) -> list[RLEMask]:
    """List the chosen pieces, largest first; equal ones in the order in which OpenCV numbers them."""
    if choose is None:
        pieces = mask.connected_components(connectivity)
    else:
        pieces = mask.connected_components(connectivity, filter_fn=lambda areas, boxes, _: choose(areas, boxes))
    if len(pieces) < 2:
        return list(pieces)
    areas = [piece.area() for piece in pieces]
    is_tied = len(set(areas)) < len(areas)
    keys = [(-a, _first_block(piece) if is_tied else ()) for a, piece in zip(areas, pieces, strict=True)]
    return [pieces[i] for i in sorted(range(len(pieces)), key=keys.__getitem__)]


def _first_block(piece: RLEMask) -> tuple[int, int]:
    # OpenCV scans blocks of 2x2 pixels in reading order; its first label wins ties in Meta's remove_small_regions
    strips = column_strips(piece)
    rows, columns = strips[:, 1] // 2, strips[:, 0] // 2
    first = np.lexsort((columns, rows))[0]
    return int(rows[first]), int(columns[first])


__all__ = ["Connectivity", "holes", "islands"]
