"""Growing and shrinking by discs, against the definition on whole images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import SettingError
from maskwright.masks import (
    area,
    box_xyxy,
    closing,
    complement,
    decode,
    dilate,
    encode,
    erode,
    full_mask,
    intersection,
    opening,
)
from maskwright.testing.strategies import masks, rles

radii = st.sampled_from([0, 1, 1.5, 2, 3.7, 13])


def grown(mask, radius):
    """Grow by the definition: every offset of the disc, one at a time."""
    reach = int(radius)
    height, width = mask.shape
    canvas = np.pad(mask, reach)
    result = np.zeros_like(mask)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dx * dx + dy * dy <= radius * radius:
                result |= canvas[reach + dy : reach + dy + height, reach + dx : reach + dx + width]
    return result


def within(inner, outer):
    return intersection([inner, outer]) == inner


@given(masks(), radii)
def test_dilation_adds_every_pixel_within_the_disc(mask, radius):
    np.testing.assert_array_equal(decode(dilate(encode(mask), radius)), grown(mask, radius))


@given(rles(), radii)
def test_erosion_is_the_dilation_of_the_background(rle, radius):
    assert erode(rle, radius) == complement(dilate(complement(rle), radius))


@given(rles(), radii)
def test_opening_removes_and_closing_adds_and_both_are_done_once(rle, radius):
    opened, closed = opening(rle, radius), closing(rle, radius)

    assert within(opened, rle)
    assert within(rle, closed)
    assert opening(opened, radius) == opened
    assert closing(closed, radius) == closed
    assert opened == dilate(erode(rle, radius), radius)
    assert closed == erode(dilate(rle, radius), radius)


@given(rles())
def test_a_radius_of_zero_changes_nothing(rle):
    assert dilate(rle, 0) == erode(rle, 0) == opening(rle, 0) == closing(rle, 0) == rle


def test_a_mask_that_fills_the_image_keeps_its_corners():
    full = full_mask((30, 40))

    assert opening(full, 5) == erode(full, 5) == closing(full, 20) == full


def test_a_far_object_in_a_large_image_is_closed_like_a_near_one():
    mask = np.zeros((600, 800), bool)
    mask[400:420, 700:720] = True
    mask[410, 700:715] = False

    closed = closing(encode(mask), 1.5)

    assert area(closed) == 400
    assert box_xyxy(closed) == (700, 400, 720, 420)


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_a_radius_is_finite_pixels(radius):
    with pytest.raises(SettingError, match="a radius must be a finite number of pixels of at least 0, got"):
        dilate(full_mask((2, 2)), radius)
