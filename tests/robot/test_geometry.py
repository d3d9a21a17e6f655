import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskwright.core.errors import ImageError, MaskError, SettingError
from maskwright.masks import encode
from maskwright.robot.geometry import (
    centroid_xy,
    contact,
    distance_m,
    free_space,
    grasp_cue,
    obstacles,
    occlusion_ratio,
    oriented_box,
    slip_xy,
)

SIZE_HW = (40, 60)
masks = arrays(bool, (12, 17), elements=st.booleans())
seen = masks.filter(lambda mask: mask.any())


def rectangle(x, y, width, height):
    mask = np.zeros(SIZE_HW, bool)
    mask[max(0, y) : y + height, max(0, x) : x + width] = True
    return mask


def test_a_centroid_is_the_mean_of_pixel_centres():
    assert centroid_xy(rectangle(10, 5, 4, 2)) == (11.5, 5.5)
    assert centroid_xy(np.zeros(SIZE_HW, bool)) is None


@given(mask=seen)
def test_run_lengths_and_arrays_are_measured_alike(mask):
    assert centroid_xy(mask) == centroid_xy(encode(mask))
    assert oriented_box(mask) == oriented_box(encode(mask))


@given(mask=seen, dx=st.integers(0, 5), dy=st.integers(0, 5))
def test_what_moves_takes_its_centroid_and_box_along(mask, dx, dy):
    still, moved = np.pad(mask, ((0, 5), (0, 5))), np.zeros((17, 22), bool)
    moved[dy : dy + 12, dx : dx + 17] = mask

    (x, y), (moved_x, moved_y) = centroid_xy(still), centroid_xy(moved)
    before, after = oriented_box(still), oriented_box(moved)

    assert (moved_x - x, moved_y - y) == pytest.approx((dx, dy))
    assert after.length * after.width == pytest.approx(before.length * before.width, rel=1e-3)


@given(mask=seen)
def test_an_oriented_box_holds_every_pixel(mask):
    box = oriented_box(mask)
    ys, xs = np.nonzero(mask)
    turn = np.deg2rad(box.angle_deg)
    away = np.stack([xs, ys], 1) - box.centre_xy
    along, across = away @ [np.cos(turn), np.sin(turn)], away @ [-np.sin(turn), np.cos(turn)]

    assert box.length >= box.width > 0
    assert -90 <= box.angle_deg < 90
    assert np.abs(along).max() <= box.length / 2 + 0.01
    assert np.abs(across).max() <= box.width / 2 + 0.01


@pytest.mark.parametrize("angle", [-60, -30, 0, 20, 45, 80])
def test_the_angle_is_that_of_the_long_side(angle):
    drawn = np.zeros((200, 200), np.uint8)
    cv2.fillPoly(drawn, [cv2.boxPoints(((100, 100), (120, 30), angle)).astype(np.int32)], 1)

    box = oriented_box(drawn > 0)

    assert box.angle_deg == pytest.approx(angle, abs=1.5)
    assert (box.length, box.width) == pytest.approx((121, 31), abs=2)
    assert box.corners_xy.mean(0) == pytest.approx(box.centre_xy)


@given(one=masks, other=masks, reach=st.integers(0, 3))
def test_contact_is_the_same_from_both_sides(one, other, reach):
    here, there = contact(one, other, reach_px=reach), contact(other, one, reach_px=reach)

    assert np.array_equal(here.region, there.region)
    assert 0 <= here.share <= 1
    assert here.is_touching >= bool((one & other).any())


@given(one=masks, other=masks)
def test_a_longer_reach_touches_no_less(one, other):
    areas = [contact(one, other, reach_px=reach).area for reach in range(4)]

    assert areas == sorted(areas)


def test_things_apart_do_not_touch():
    near, far = (
        contact(rectangle(0, 0, 10, 10), rectangle(12, 0, 5, 10)),
        contact(rectangle(0, 0, 10, 10), rectangle(20, 0, 5, 10)),
    )

    assert near.is_touching
    assert not far.is_touching
    assert far.share == 0


@given(mask=masks, by=masks)
def test_occlusion_is_a_share_and_nothing_hides_itself(mask, by):
    assert 0 <= occlusion_ratio(mask, by) <= 1
    assert occlusion_ratio(mask, mask) == 0


def test_a_finger_before_a_box_hides_a_third_of_it():
    finger = rectangle(20, 0, 10, 40)
    box = rectangle(10, 10, 30, 20) & ~finger

    assert occlusion_ratio(box, finger) == pytest.approx(1 / 3)


def test_a_thing_that_moves_with_the_gripper_does_not_slip():
    thing, hand = rectangle(20, 10, 10, 10), rectangle(18, 20, 14, 6)
    moved, hand_moved = np.roll(thing, 5, 1), np.roll(hand, 5, 1)

    assert slip_xy(moved, hand_moved, thing, hand) == pytest.approx((0, 0))
    assert slip_xy(np.roll(moved, 3, 0), hand_moved, thing, hand) == pytest.approx((0, 3))
    assert slip_xy(np.zeros(SIZE_HW, bool), hand_moved, thing, hand) is None


def test_a_grasp_is_told_from_a_miss():
    thing = rectangle(22, 12, 8, 12)
    fingers = rectangle(16, 8, 6, 20) | rectangle(30, 8, 6, 20)
    aside = np.roll(fingers, -16, 1)

    held = grasp_cue(thing, fingers, thing_before=thing, gripper_before=fingers)
    missed = grasp_cue(thing, aside)

    assert held.overlap == 1
    assert held.contact > 0.5
    assert held.slip_px == 0
    assert (missed.overlap, missed.contact, missed.slip_px) == (0, 0, None)
    with pytest.raises(SettingError, match="slip needs both masks before"):
        grasp_cue(thing, fingers, thing_before=thing)


@settings(deadline=None)
@given(one=masks, other=masks, margin=st.integers(0, 3))
def test_space_is_free_or_blocked_and_never_both(one, other, margin):
    blocked = obstacles({"a": one, "b": other})
    free = free_space(blocked, margin_px=margin)

    assert not (free & blocked).any()
    assert (free | blocked).all() or margin
    assert np.array_equal(obstacles({"a": one, "b": other}, leave_out=["b"]), one)


def test_free_space_keeps_to_the_ground_it_is_given():
    free = free_space(rectangle(10, 10, 5, 5), within=rectangle(0, 0, 30, 30), margin_px=2)

    assert (free[12, 7], free[12, 8], free[12, 16], free[12, 17]) == (True, False, False, True)
    assert not free[30:].any()
    assert not free[:, 30:].any()


def test_distance_is_the_median_of_what_was_read_away_from_the_edge():
    mask = rectangle(10, 10, 12, 12)
    depth = np.full(SIZE_HW, 3.0, np.float32)
    depth[mask] = 0.8
    depth[14:18, 14:18] = np.nan
    depth[10, :] = 2.0  # an edge that bleeds

    found = distance_m(mask, depth)

    assert found.metres == pytest.approx(0.8)
    assert found.valid_share == pytest.approx(1 - 16 / 64)
    assert distance_m(mask, np.full(SIZE_HW, np.nan, np.float32)) is None
    assert distance_m(rectangle(3, 3, 1, 9), depth, erode_px=3).metres == 3.0


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: distance_m(rectangle(0, 0, 5, 5), np.ones((4, 4))),
            MaskError,
            r"one size .*got \(40, 60\) and \(4, 4\)",
        ),
        (
            lambda: distance_m(rectangle(0, 0, 5, 5), np.ones(SIZE_HW, np.uint16)),
            ImageError,
            "floats in metres, got uint16",
        ),
        (lambda: distance_m(rectangle(0, 0, 5, 5), np.full(SIZE_HW, 812.0)), ImageError, "median of 812. Divide"),
        (lambda: contact(np.ones((2, 2), bool), np.ones((2, 3), bool)), MaskError, r"one size .*\(2, 2\) and \(2, 3\)"),
        (lambda: centroid_xy(np.ones((2, 2))), MaskError, r"an RLE or a bool array \(H, W\), got float64 \(2, 2\)"),
        (lambda: centroid_xy("mug"), MaskError, "got str"),
        (lambda: obstacles({}), MaskError, "at least one mask"),
        (lambda: free_space(np.ones((2, 2), bool), margin_px=-1), SettingError, "0 pixels or more, got -1"),
    ],
)
def test_bad_masks_and_depth_are_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
