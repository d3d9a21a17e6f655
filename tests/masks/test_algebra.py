"""Set algebra on runs: the laws of sets, and pycocotools as the oracle."""

import numpy as np
import pycocotools.mask as coco_api
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE
from maskwright.core.errors import MaskError
from maskwright.masks import (
    area,
    areas,
    box_xyxy,
    boxes_xyxy,
    complement,
    decode,
    difference,
    empty_mask,
    encode,
    full_mask,
    intersection,
    iou_matrix,
    is_empty,
    to_coco,
    union,
)
from maskwright.testing.strategies import rles, same_size_rles


@given(same_size_rles(min_size=1))
def test_union_and_intersection_are_those_of_the_pixels(drawn):
    dense = np.stack([decode(rle) for rle in drawn])

    np.testing.assert_array_equal(decode(union(drawn)), dense.any(axis=0))
    np.testing.assert_array_equal(decode(intersection(drawn)), dense.all(axis=0))


@given(same_size_rles(min_size=2, max_size=2))
def test_sets_obey_de_morgan(pair):
    a, b = pair

    assert complement(union([a, b])) == intersection([complement(a), complement(b)])
    assert difference(a, b) == intersection([a, complement(b)])


@given(same_size_rles(min_size=3, max_size=3))
def test_intersection_distributes_over_union(three):
    a, b, c = three

    assert intersection([a, union([b, c])]) == union([intersection([a, b]), intersection([a, c])])


@given(rles())
def test_a_mask_and_its_complement_part_the_image(rle):
    rest = complement(rle)

    assert complement(rest) == rle
    assert union([rle, rest]) == full_mask(rle.size_hw)
    assert intersection([rle, rest]) == empty_mask(rle.size_hw)
    assert area(rle) + area(rest) == rle.size_hw[0] * rle.size_hw[1]


@given(same_size_rles(min_size=2, max_size=2))
def test_areas_of_two_masks_add_up(pair):
    assert area(union(pair)) + area(intersection(pair)) == area(pair[0]) + area(pair[1])


@given(rles())
def test_area_box_and_emptiness_are_those_of_the_pixels(rle):
    ys, xs = np.nonzero(decode(rle))
    box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else (0, 0, 0, 0)

    assert area(rle) == len(xs)
    assert box_xyxy(rle) == box
    assert is_empty(rle) == (len(xs) == 0)


@given(rles())
def test_area_and_box_are_those_of_pycocotools(rle):
    x, y, w, h = coco_api.toBbox(to_coco(rle))

    assert box_xyxy(rle) == (x, y, x + w, y + h)
    assert area(rle) == coco_api.area(to_coco(rle))


@given(st.lists(rles(), max_size=4))
def test_areas_and_boxes_of_many_take_masks_of_any_size(drawn):
    assert areas(drawn).tolist() == [area(rle) for rle in drawn]
    assert boxes_xyxy(drawn).shape == (len(drawn), 4)
    assert [tuple(box) for box in boxes_xyxy(drawn)] == [box_xyxy(rle) for rle in drawn]


def test_areas_of_malformed_counts_are_an_error():
    with pytest.raises(MaskError, match="2x2 = 4 pixels, got 1 bytes"):
        areas([full_mask((2, 2)), RLE((2, 2), b"5")])


def test_areas_of_more_than_255_masks_do_not_overflow():
    """pycocotools.mask.area raises OverflowError here with numpy 2; nobody should meet that through us."""
    assert areas([full_mask((3, 4))] * 300).tolist() == [12] * 300


@given(same_size_rles(min_size=1, max_size=3), st.data())
def test_iou_is_that_of_pycocotools_with_and_without_crowds(left, data):
    right = data.draw(st.lists(rles(left[0].size_hw), min_size=1, max_size=3))
    is_crowd = data.draw(st.lists(st.booleans(), min_size=len(right), max_size=len(right)))

    def expected(crowds):
        return coco_api.iou([to_coco(rle) for rle in left], [to_coco(rle) for rle in right], crowds)

    np.testing.assert_array_equal(iou_matrix(left, right), expected([False] * len(right)))
    np.testing.assert_array_equal(iou_matrix(left, right, is_crowd=is_crowd), expected(is_crowd))


@given(same_size_rles(min_size=2))
def test_iou_is_symmetric_and_one_on_itself(drawn):
    ious = iou_matrix(drawn, drawn)

    np.testing.assert_array_equal(ious, ious.T)
    np.testing.assert_array_equal(np.diag(ious), [0.0 if is_empty(rle) else 1.0 for rle in drawn])


def test_iou_with_no_masks_has_no_entries():
    assert iou_matrix([], [empty_mask((2, 2))]).shape == (0, 1)
    assert iou_matrix([], []).shape == (0, 0)


def test_masks_of_two_sizes_do_not_mix():
    small, large = empty_mask((2, 3)), empty_mask((4, 5))

    for operation in (
        lambda: union([small, large]),
        lambda: intersection([large, small]),
        lambda: difference(small, large),
        lambda: iou_matrix([small], [large]),
    ):
        with pytest.raises(MaskError, match=r"one size \(height x width\), got 2x3, 4x5. Resize or paste them first."):
            operation()


def test_the_union_of_nothing_has_no_size():
    with pytest.raises(MaskError, match="union needs at least one mask, got none. Start from empty_mask"):
        union([])
    with pytest.raises(MaskError, match="intersection needs at least one mask"):
        intersection([])


def test_crowd_flags_belong_to_the_second_list():
    mask = encode(np.ones((2, 2), bool))

    with pytest.raises(MaskError, match=r"one entry for each of the 1 masks, got shape \(2,\)"):
        iou_matrix([mask], [mask], is_crowd=[True, False])
