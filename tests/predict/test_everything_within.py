"""Everything in a box: where the points lie, and which masks count as being in it."""

from dataclasses import replace

import numpy as np
import pytest

from maskwright.core import BoxPrompt
from maskwright.core.errors import PromptOutsideImage
from maskwright.predict import FAST, THOROUGH
from maskwright.predict.everything_within import box_within, mostly_within, points_within
from maskwright.testing.store_values import make_record, make_ref, rectangle


@pytest.mark.parametrize("settings", [FAST, THOROUGH])
def test_all_points_lie_evenly_in_the_box(settings):
    box = box_within(BoxPrompt((-3, 10.5, 30, 90)), (40, 60))

    found = points_within(settings, box, (40, 60))
    points = found.point_grid(0) * (60, 40)

    assert box == (0, 10, 30, 40)
    assert len(points) == len(settings.point_grid(0))
    assert points.min(axis=0) == pytest.approx(np.array([0, 10]) + 15 / settings.points_per_side)
    assert points.max(axis=0) == pytest.approx(np.array([30, 40]) - 15 / settings.points_per_side)
    assert [layer for _, layer in found.crops((40, 60))] == [0]


def test_a_box_beside_the_picture_is_refused():
    with pytest.raises(PromptOutsideImage, match="lies outside the image of 60x40"):
        box_within(BoxPrompt((60, 0, 80, 40)), (40, 60))


def test_masks_that_the_box_only_touches_are_left_out():
    inside, mostly, touched = (
        make_record(make_ref(0), rle=rle)
        for rle in (rectangle(0, 0, 4, 4), rectangle(0, 0, 5, 4), rectangle(2, 0, 8, 4))
    )
    empty = replace(inside, rle=rectangle(0, 0, 0, 0), area=0, box_xyxy=(0, 0, 0, 0))

    assert list(mostly_within([inside, mostly, touched, empty], (0, 0, 4, 4))) == [inside, mostly]
