import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_rigid import MotionOfThings, as_a_whole, moved

GRID_HW = (60, 80)


def soft(x, y, width, height):
    mask = np.zeros(GRID_HW, bool)
    mask[y : y + height, x : x + width] = True
    return SoftMask.of_bits(mask, GRID_HW)


def flow(forward):
    return Motion(backward=-forward, forward=forward, is_cut=False)


def field(matrix):
    ys, xs = np.mgrid[: GRID_HW[0], : GRID_HW[1]]
    places = np.stack([xs, ys], -1).astype(np.float32)
    return (places @ matrix[:, :2].T + matrix[:, 2] - places).astype(np.float32)


@settings(deadline=None)
@given(angle=st.floats(-30, 30), scale=st.floats(0.8, 1.25), dx=st.floats(-15, 15), dy=st.floats(-15, 15))
def test_a_turn_a_shift_and_a_scale_are_found(angle, scale, dx, dy):
    truth = cv2.getRotationMatrix2D((40, 30), angle, scale)
    truth[:, 2] += dx, dy

    found = as_a_whole(soft(30, 20, 20, 20), flow(field(truth)))

    assert found == pytest.approx(truth, abs=0.02)


def test_flow_that_leaks_in_at_the_edge_moves_nothing_less():
    truth = np.array([[1, 0, 9], [0, 1, -4]], float)
    forward = field(truth)
    forward[:, :34] = 0  # the left fifth of the mask is taken for the ground, which stands still

    found = as_a_whole(soft(30, 20, 20, 20), flow(forward))

    assert found == pytest.approx(truth, abs=0.02)


def test_what_goes_apart_is_no_whole():
    forward = np.random.default_rng(0).uniform(-20, 20, (*GRID_HW, 2)).astype(np.float32)

    assert as_a_whole(soft(30, 20, 20, 20), flow(forward)) is None
    assert as_a_whole(soft(30, 20, 3, 3), flow(field(np.eye(3)[:2]))) is None
    assert as_a_whole(SoftMask.nothing(GRID_HW), flow(forward)) is None


@pytest.mark.parametrize("shift", [(0, 0), (7, -3), (-50, 0), (0, 200)])
def test_moving_is_moving_the_whole_grid(shift):
    mask = soft(30, 20, 20, 10)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)

    there = moved(mask, matrix)

    assert there.grid() == pytest.approx(cv2.warpAffine(mask.grid(), matrix, GRID_HW[::-1]))
    assert there.grid_hw == GRID_HW


def test_turning_is_turning_the_whole_grid():
    mask = soft(30, 20, 20, 10)
    matrix = cv2.getRotationMatrix2D((35, 20), 25, 1.1)

    assert np.abs(moved(mask, matrix).grid() - cv2.warpAffine(mask.grid(), matrix, GRID_HW[::-1])).max() < 0.05


def test_motion_of_things_keeps_a_mask_whole_where_its_flow_is_torn():
    forward = np.zeros((*GRID_HW, 2), np.float32)
    forward[:, 34:70] = (9, 0)
    torn = Motion(backward=-forward, forward=forward, is_cut=False)
    mask = soft(30, 20, 20, 20)

    carried, agreement, _ = MotionOfThings.of(torn).carry(mask)
    by_pixel, usual, _ = torn.carry(mask)

    assert carried.area == pytest.approx(mask.area, rel=0.05)
    assert by_pixel.area < 0.9 * mask.area or by_pixel.area > 1.1 * mask.area
    assert agreement == usual
