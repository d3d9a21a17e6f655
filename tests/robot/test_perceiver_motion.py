import cv2
import numpy as np
import pytest

from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_flow import shrunk
from maskwright.robot.perceiver_motion import MotionMeter, Way, joined, reversed_motion
from sliding_scene import picture

GRID_HW = (60, 80)


def shift(dx, dy, *, is_cut=False):
    """Everything moves by (dx, dy)."""
    field = np.broadcast_to(np.array([dx, dy], np.float32), (*GRID_HW, 2)).copy()
    return Motion(backward=-field, forward=field, is_cut=is_cut)


def turn(degrees):
    """Everything turns about the middle."""
    angle = np.deg2rad(degrees)
    ys, xs = np.mgrid[: GRID_HW[0], : GRID_HW[1]].astype(np.float32)
    x, y = xs - GRID_HW[1] / 2, ys - GRID_HW[0] / 2

    def by(a):
        return np.stack([np.cos(a) * x - np.sin(a) * y - x, np.sin(a) * x + np.cos(a) * y - y], -1).astype(np.float32)

    return Motion(backward=by(-angle), forward=by(angle), is_cut=False)


def square():
    mask = np.zeros(GRID_HW, bool)
    mask[20:40, 30:50] = True
    return SoftMask.of_bits(mask, GRID_HW)


def test_joined_shifts_are_their_sum():
    motion = joined(shift(2, 1), shift(3, -2))

    assert np.allclose(motion.forward, [5, -1])
    assert np.allclose(motion.backward, [-5, 1])
    assert joined(shift(0, 0, is_cut=True), shift(0, 0)).is_cut


def test_many_small_turns_are_one_large_one():
    way = Way()
    for _ in range(10):
        way.extend(turn(3))
        way.hold()

    once, _, _ = turn(30).carry(square())
    moved, kept = way.carry(square())

    assert np.abs(moved.grid() - once.grid()).max() < 0.1
    assert kept > 0.9


def test_a_way_that_begins_between_goes_by_the_picture_that_is_held():
    since = shift(4, 0)
    way = Way(reversed_motion(since))  # the held picture lies 4 to the left

    way.extend(shift(6, 1))

    assert way.motion is not None
    assert np.allclose(way.motion.forward, [2, 1])
    way.hold()
    way.extend(shift(1, 1))
    assert np.allclose(way.motion.forward, [3, 2])
    assert np.allclose(way.motion.backward, [-3, -2])


def test_a_way_of_nothing_leaves_masks_where_they_are():
    way = Way()
    way.extend(None)

    moved, kept = way.carry(square())

    assert moved is not None
    assert np.array_equal(moved.grid(), square().grid())
    assert kept == pytest.approx(0.998)


def test_a_meter_gives_one_grid_however_fine_it_looks():
    meter = MotionMeter(160)
    motions = []
    for number, share in enumerate((1.0, 1.0, 0.5, 0.5, 1.0)):
        assert meter.see(picture(number)) is False
        motions.append(meter.motion(share))

    assert motions[0] is None
    assert [motion.backward.shape for motion in motions[1:]] == [(120, 160, 2)] * 4
    for motion, number in zip(motions[1:], range(1, 5), strict=True):  # each from the first picture
        x, y = 10 + 3 * number + 15, 20 + 15
        there = motion.backward[y - 5 : y + 5, x - 5 : x + 5, 0]
        assert np.median(there) == pytest.approx(-3 * number, abs=0.8)


def test_a_picture_is_held_until_another_is():
    meter = MotionMeter(160)
    for number in range(4):
        meter.see(picture(number))
        meter.motion(1.0)
    assert meter.since is not None

    meter.hold()
    assert meter.since is None
    meter.see(picture(5))

    assert np.median(meter.motion(1.0).backward[30:40, 35:45, 0]) == pytest.approx(-6, abs=0.8)
    assert not meter.is_far
    for number in range(6, 30):
        meter.see(picture(number % 12))
        meter.motion(1.0)
    assert meter.is_far


def test_a_motion_that_was_left_out_is_in_the_next():
    meter = MotionMeter(160)
    meter.see(picture(0))
    meter.motion(1.0)
    meter.see(picture(1))
    meter.see(picture(2))

    motion = meter.motion(1.0)

    assert np.median(motion.backward[30:40, 26:36, 0]) == pytest.approx(-6, abs=0.7)
    assert meter.see(picture(2)) is True


@pytest.mark.parametrize(
    ("size_hw", "to_hw"), [((480, 640), (180, 240)), ((480, 640), (63, 84)), ((121, 161), (50, 70))]
)
def test_a_picture_shrunk_in_two_steps_is_the_picture_shrunk(size_hw, to_hw):
    large = picture(3, size_hw)

    small = shrunk(large, to_hw)

    assert small.shape == (*to_hw, 3)
    assert np.abs(small.astype(int) - cv2.resize(large, to_hw[::-1], interpolation=cv2.INTER_AREA)).mean() < 1
    assert shrunk(large[..., 0], to_hw).shape == to_hw
