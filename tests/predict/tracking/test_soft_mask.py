"""Soft masks: what is carried is the mask moved, and what is drawn is the mask that was laid down."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import SizeHW
from maskwright.masks import decode, iou
from maskwright.masks.rle import encode
from maskwright.predict.tracking.soft_mask import SoftMask

GRID = (60, 80)


def disc(size_hw: SizeHW, x: float, y: float, radius: float) -> np.ndarray:
    ys, xs = np.mgrid[: size_hw[0], : size_hw[1]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


@given(
    x=st.integers(0, 159),
    y=st.integers(0, 119),
    radius=st.integers(8, 40),
    scale=st.sampled_from([(120, 160), (119, 161), (240, 320)]),
)
def test_a_mask_survives_the_grid(x: int, y: int, radius: int, scale: SizeHW) -> None:
    mask = disc(scale, x * scale[1] / 160, y * scale[0] / 120, radius * scale[1] / 160)
    drawn = SoftMask.of_bits(mask, GRID).rle(scale)
    assert iou(drawn, encode(mask)) > 0.85


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_a_mask_at_the_edge_is_drawn_up_to_the_edge(edge: str) -> None:
    mask = np.zeros((120, 160), bool)
    sides = {"left": np.s_[:, :20], "right": np.s_[:, -20:], "top": np.s_[:20], "bottom": np.s_[-20:]}
    mask[sides[edge]] = True
    soft = SoftMask.of_bits(mask, GRID)
    assert soft.touches_edge
    assert np.array_equal(decode(soft.rle((120, 160))), mask)


@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_carrying_along_an_even_flow_moves_the_mask(dx: int, dy: int) -> None:
    soft = SoftMask.of(disc(GRID, 40, 30, 8).astype(np.float32))
    backward = np.broadcast_to(np.float32([-dx, -dy]), (*GRID, 2))
    moved = soft.carried(backward, reach=9.0)
    assert np.array_equal(moved.grid() > 0.5, disc(GRID, 40 + dx, 30 + dy, 8))


def test_what_leaves_the_picture_is_let_go() -> None:
    soft = SoftMask.of(disc(GRID, 70, 30, 8).astype(np.float32))
    for _ in range(4):
        soft = soft.carried(np.broadcast_to(np.float32([-8, 0]), (*GRID, 2)), reach=8.0)
    assert soft.area == 0
    assert not decode(soft.rle((120, 160))).any()


def test_nothing_stays_nothing() -> None:
    nothing = SoftMask.nothing(GRID)
    assert nothing.carried(np.zeros((*GRID, 2), np.float32), 0.0) is nothing
    assert not nothing.touches_edge
    assert not decode(nothing.rle((120, 160))).any()


@given(
    x=st.integers(-10, 170),
    y=st.integers(-10, 130),
    radius=st.integers(0, 60),
    size_hw=st.sampled_from([(120, 160), (119, 161), (90, 120), (80, 100), (60, 80), (30, 40)]),
)
def test_only_the_part_with_the_mask_is_shrunk_and_that_is_the_whole_shrunk(
    x: int, y: int, radius: int, size_hw: SizeHW
) -> None:
    mask = disc(size_hw, x, y, radius)

    laid = SoftMask.of_bits(mask, GRID)

    whole = SoftMask.of(cv2.resize(mask.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA))
    assert laid.grid_hw == GRID
    assert np.allclose(laid.grid(), whole.grid(), atol=1e-6)
