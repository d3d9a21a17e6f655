"""Hypothesis strategies for masks, run lengths, boxes and cleanup steps, for our tests and for yours.

The masks are the ones that go wrong: empty and full, one pixel, one row, checkerboards, pixels that touch at a corner,
holes in islands in holes, and what meets the edge of the image. They shrink to small pictures. Needs hypothesis, which
only the dev extra brings; nothing else of the package imports this module.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import (
    CleanupStep,
    Close,
    ConvexHull,
    DropIslands,
    FillHoles,
    KeepLargest,
    Open,
    SmoothBoundary,
    encode,
)

MAX_SIDE = 24


def sizes_hw(max_side: int = MAX_SIDE) -> st.SearchStrategy[SizeHW]:
    """Draw sizes (height, width)."""
    return st.tuples(st.integers(1, max_side), st.integers(1, max_side))


@st.composite
def masks(draw: st.DrawFn, size_hw: SizeHW | None = None, *, max_side: int = MAX_SIDE) -> Any:
    """Draw bool masks (H, W) of a given or a drawn size."""
    size = draw(sizes_hw(max_side)) if size_hw is None else size_hw
    kind = draw(st.sampled_from([_flat, _speckled, _painted, _nested, _checkered]))
    return draw(kind(size))


def rles(size_hw: SizeHW | None = None, *, max_side: int = MAX_SIDE) -> st.SearchStrategy[RLE]:
    """Draw masks as RLE."""
    return masks(size_hw, max_side=max_side).map(encode)


@st.composite
def same_size_rles(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 4, max_side: int = MAX_SIDE) -> list[RLE]:
    """Draw several masks of one size."""
    size = draw(sizes_hw(max_side))
    return draw(st.lists(rles(size), min_size=min_size, max_size=max_size))


@st.composite
def boxes_xyxy(draw: st.DrawFn, size_hw: SizeHW = (MAX_SIDE, MAX_SIDE)) -> tuple[int, int, int, int]:
    """Draw whole-pixel boxes of at least one pixel within an image."""
    height, width = size_hw
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))


def cleanup_steps() -> st.SearchStrategy[CleanupStep]:
    """Draw cleanup steps of every kind."""
    connectivity: Any = st.sampled_from([4, 8])
    pixels = st.integers(0, 40)
    radius = st.floats(0, 4).map(lambda value: round(value, 2))
    return st.one_of(
        st.builds(FillHoles, st.none() | pixels, connectivity, st.booleans()),
        st.builds(DropIslands, pixels, connectivity, st.booleans()),
        st.builds(KeepLargest, st.integers(1, 4), connectivity),
        st.builds(Open, radius),
        st.builds(Close, radius),
        st.builds(SmoothBoundary, radius),
        st.just(ConvexHull()),
    )


def _flat(size: SizeHW) -> st.SearchStrategy[np.ndarray]:
    return st.booleans().map(lambda value: np.full(size, value))


def _speckled(size: SizeHW) -> st.SearchStrategy[np.ndarray]:
    def speckle(seed: int, tenths: int) -> np.ndarray:
        return np.random.default_rng(seed).random(size) < tenths / 10

    return st.builds(speckle, st.integers(0, 2**16), st.integers(0, 10))


@st.composite
def _painted(draw: st.DrawFn, size: SizeHW) -> np.ndarray:
    """Boxes painted over each other, some with the mask and some with the background."""
    mask = np.zeros(size, bool)
    for left, top, right, bottom in draw(st.lists(boxes_xyxy(size), max_size=6)):
        mask[top:bottom, left:right] = draw(st.booleans())
    return mask


@st.composite
def _nested(draw: st.DrawFn, size: SizeHW) -> np.ndarray:
    """Rings in rings: islands in holes in islands, one or two pixels wide, round or square."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    dy, dx = abs(y - draw(st.integers(0, height - 1))), abs(x - draw(st.integers(0, width - 1)))
    distance = draw(st.sampled_from([np.maximum(dy, dx), dy + dx, np.hypot(dy, dx).astype(int)]))
    return distance // draw(st.integers(1, 2)) % 2 == draw(st.integers(0, 1))


@st.composite
def _checkered(draw: st.DrawFn, size: SizeHW) -> np.ndarray:
    """Squares that touch at corners only."""
    y, x = np.mgrid[: size[0], : size[1]] // draw(st.integers(1, 3))
    return (x + y) % 2 == draw(st.integers(0, 1))


__all__ = ["boxes_xyxy", "cleanup_steps", "masks", "rles", "same_size_rles", "sizes_hw"]
