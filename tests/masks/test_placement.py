"""Crop, paste, shift and resize against plain array slicing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import MaskError
from maskwright.masks import crop, decode, empty_mask, encode, full_mask, is_empty, paste, resize, shift
from maskwright.testing.strategies import boxes_xyxy, masks, rles, sizes_hw

offsets = st.integers(-30, 30)


@given(masks(), st.data())
def test_crop_is_slicing(mask, data):
    left, top, right, bottom = data.draw(boxes_xyxy(mask.shape))

    np.testing.assert_array_equal(decode(crop(encode(mask), (left, top, right, bottom))), mask[top:bottom, left:right])


@given(masks(max_side=12), sizes_hw(16), offsets, offsets)
def test_paste_places_what_fits_and_cuts_the_rest(mask, size_hw, left, top):
    canvas = np.zeros((100, 100), bool)
    canvas[40 + top : 40 + top + mask.shape[0], 40 + left : 40 + left + mask.shape[1]] = mask

    pasted = paste(encode(mask), size_hw, at_xy=(left, top))

    np.testing.assert_array_equal(decode(pasted), canvas[40 : 40 + size_hw[0], 40 : 40 + size_hw[1]])


@given(masks(), st.data())
def test_a_crop_pasted_back_is_the_mask_within_the_box(mask, data):
    left, top, right, bottom = box = data.draw(boxes_xyxy(mask.shape))
    within = np.zeros_like(mask)
    within[top:bottom, left:right] = mask[top:bottom, left:right]

    assert paste(crop(encode(mask), box), mask.shape, at_xy=box[:2]) == encode(within)


@given(rles(), offsets, offsets)
def test_shifting_there_and_back_loses_only_what_left_the_frame(rle, dx, dy):
    seen = shift(full_mask(rle.size_hw), dx=-dx, dy=-dy)

    there_and_back = shift(shift(rle, dx=dx, dy=dy), dx=-dx, dy=-dy)

    np.testing.assert_array_equal(decode(there_and_back), decode(rle) & decode(shift(seen, dx=0, dy=0)))


def test_a_shift_far_away_leaves_nothing():
    assert is_empty(shift(full_mask((4, 5)), dx=10**9, dy=0))


@given(masks(), st.integers(1, 4), st.integers(1, 4))
def test_enlarging_by_whole_numbers_repeats_pixels_and_shrinks_back(mask, rows, columns):
    rle = encode(mask)
    large = resize(rle, (mask.shape[0] * rows, mask.shape[1] * columns))

    np.testing.assert_array_equal(decode(large), mask.repeat(rows, 0).repeat(columns, 1))
    assert resize(large, rle.size_hw) == rle


@given(masks(), sizes_hw(40))
def test_resize_takes_the_pixel_under_each_new_centre(mask, size_hw):
    height, width = size_hw
    expected = np.empty(size_hw, bool)
    for y in range(height):
        for x in range(width):
            row, column = (2 * y + 1) * mask.shape[0] // (2 * height), (2 * x + 1) * mask.shape[1] // (2 * width)
            expected[y, x] = mask[row, column]

    np.testing.assert_array_equal(decode(resize(encode(mask), size_hw)), expected)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, 6, 4), r"inside the 5 x 4 \(width x height\) image, got 0,0,6,4. Clip it first with clip_boxes."),
        ((2, 0, 2, 4), "x1 < x2"),
        ((-1, 0, 2, 4), "inside the 5 x 4"),
        ((0.5, 0, 2, 4), r"4 whole numbers x1, y1, x2, y2 in pixels, got \(0.5, 0, 2, 4\). Round them first."),
        ((0, 0, 2), "4 whole numbers"),
        ((0, 0, float("nan"), 4), "4 whole numbers"),
    ],
)
def test_a_bad_crop_box_is_an_error(box, message):
    with pytest.raises(MaskError, match=message):
        crop(empty_mask((4, 5)), box)


def test_a_position_is_whole_pixels():
    with pytest.raises(MaskError, match="a position must be 2 whole numbers x, y"):
        paste(empty_mask((4, 5)), (4, 5), at_xy=(0.5, 1))
