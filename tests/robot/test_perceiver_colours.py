"""A thing is found again by its colours, and stays where flow says if they say nothing."""

import numpy as np
import pytest

from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_colours import Colours, ColourView
from maskwright.robot.perceiver_motion import Way

SIZE_HW = (120, 160)


def _scene(x: int, *, colour=(200, 60, 40)) -> tuple[np.ndarray, np.ndarray]:
    """A patch of 30 x 40 on a noisy wall, and its mask."""
    pixels = np.random.default_rng(0).integers(90, 130, (*SIZE_HW, 3)).astype(np.uint8)
    mask = np.zeros(SIZE_HW, bool)
    mask[40:70, x : x + 40] = True
    pixels[mask] = colour
    return pixels, mask


def _soft(mask: np.ndarray) -> SoftMask:
    return SoftMask.of_bits(mask, SIZE_HW)


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_mask_that_flow_left_behind_comes_to_where_its_colours_are():
    before, mask = _scene(20)
    now, truth = _scene(70)

    drawn = Colours(ColourView(before)).redraw(_soft(mask), _soft(mask), ColourView(now))

    assert _iou(mask, truth) == 0
    assert _iou(drawn.grid() > 0.5, truth) > 0.9


def test_an_edge_that_flow_wore_away_is_put_right():
    before, mask = _scene(60)
    worn = mask.copy()
    worn[:, 60:65] = False
    worn[40:44] = False

    drawn = Colours(ColourView(before)).redraw(_soft(mask), _soft(worn), ColourView(before))

    assert _iou(drawn.grid() > 0.5, mask) > _iou(worn, mask) + 0.1


def test_a_thing_of_the_walls_own_colours_stays_where_flow_carried_it():
    before, mask = _scene(60)
    before[mask] = np.random.default_rng(1).integers(90, 130, (int(mask.sum()), 3))
    carried = np.roll(mask, 6, axis=1)

    drawn = Colours(ColourView(before)).redraw(_soft(mask), _soft(carried), ColourView(before))

    assert _iou(drawn.grid() > 0.5, carried) > 0.8


@pytest.mark.parametrize(("noise", "is_found"), [(0.0, False), (9.0, True)])
def test_a_way_asks_colours_only_where_flow_does_not_agree_with_itself(noise: float, is_found: bool):
    before, mask = _scene(20)
    now, truth = _scene(70)
    still = np.zeros((*SIZE_HW, 2), np.float32)
    motion = Motion(backward=still, forward=still + np.float32(noise), is_cut=False)
    way = Way(view=ColourView(before))

    way.extend(motion, ColourView(now))
    carried, _ = way.carry(_soft(mask))

    assert (_iou(carried.grid() > 0.5, truth) > 0.8) == is_found


def test_a_camera_may_write_its_next_picture_over_the_one_that_is_known():
    before, mask = _scene(20)
    now, truth = _scene(70)
    camera = before.copy()
    colours = Colours(ColourView(camera))

    camera[...] = now
    drawn = colours.redraw(_soft(mask), _soft(mask), ColourView(camera))

    assert _iou(drawn.grid() > 0.5, truth) > 0.9


def test_an_empty_carried_mask_is_looked_for_around_the_known_one():
    before, mask = _scene(20)
    now, truth = _scene(50)

    drawn = Colours(ColourView(before)).redraw(_soft(mask), SoftMask.nothing(SIZE_HW), ColourView(now))

    assert _iou(drawn.grid() > 0.5, truth) > 0.9
