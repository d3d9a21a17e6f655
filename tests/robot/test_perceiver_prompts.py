import numpy as np
import pytest

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, TextPrompt
from maskwright.masks import box_xyxy, encode
from maskwright.predict.tracking.motion import Motion
from maskwright.robot.perceiver_prompts import moved, rescaled

SIZE_HW = (120, 160)


def shift(dx, dy):
    field = np.broadcast_to(np.array([dx, dy], np.float32), (60, 80, 2)).copy()
    return Motion(backward=-field, forward=field, is_cut=False)


def mask():
    bits = np.zeros(SIZE_HW, bool)
    bits[20:40, 30:60] = True
    return encode(bits)


def test_prompts_move_with_the_picture():
    everything = CombinedPrompt([BoxPrompt((30, 20, 60, 40)), PointPrompt([(40, 30)], [1]), TextPrompt("mug")])

    box, point, words = moved(everything, shift(5, -2), SIZE_HW).parts  # half the picture's pixels
    shifted = moved(MaskPrompt(mask()), shift(5, -2), SIZE_HW)

    assert box.box_xyxy == pytest.approx((40, 16, 70, 36))
    assert point.points_xy[0] == pytest.approx((50, 26))
    assert words == TextPrompt("mug")
    assert box_xyxy(shifted.rle) == pytest.approx((40, 16, 70, 36), abs=1)


def test_prompts_stay_in_the_picture():
    box = moved(BoxPrompt((30, 20, 60, 40)), shift(200, 200), SIZE_HW)
    point = moved(PointPrompt([(40, 30)]), shift(-200, 0), SIZE_HW)

    assert box.box_xyxy[0] == SIZE_HW[1] - 1
    assert point.points_xy[0] == pytest.approx((0, 30))


def test_prompts_are_said_about_another_size():
    assert rescaled(BoxPrompt((30, 20, 60, 40)), SIZE_HW, (240, 160)) == BoxPrompt((30, 40, 60, 80))
    assert rescaled(PointPrompt([(30, 20)]), SIZE_HW, (240, 320)) == PointPrompt([(60, 40)])
    assert rescaled(TextPrompt("mug"), SIZE_HW, (240, 320)) == TextPrompt("mug")
    assert rescaled(MaskPrompt(mask()), SIZE_HW, (240, 320)) is None
