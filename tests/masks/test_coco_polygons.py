"""COCO's polygon lists: pycocotools' filling rule, and what the lists lose."""

import numpy as np
import pycocotools.mask as coco_api
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import MaskError, SettingError
from maskwright.masks import (
    area,
    empty_mask,
    fill,
    from_coco_polygons,
    holes,
    polygons_from_coco,
    to_coco_polygons,
    trace,
    union,
)
from maskwright.testing.strategies import rles, sizes_hw

polygon = st.lists(st.floats(-5, 30), min_size=3, max_size=9).flatmap(
    lambda xs: st.lists(st.floats(-5, 30), min_size=len(xs), max_size=len(xs)).map(
        lambda ys: [value for pair in zip(xs, ys, strict=True) for value in pair]
    )
)


def filled_by_pycocotools(segmentation, size_hw):
    return coco_api.merge(coco_api.frPyObjects(segmentation, *size_hw))["counts"]


@given(st.lists(polygon, min_size=1, max_size=3), sizes_hw())
def test_coco_polygons_fill_as_pycocotools_fills_them(segmentation, size_hw):
    assert from_coco_polygons(segmentation, size_hw).counts == filled_by_pycocotools(segmentation, size_hw)


@given(rles())
def test_a_mask_without_holes_is_exact_in_coco_polygons_for_us_and_for_pycocotools(rle):
    solid = union([rle, *holes(rle), *holes(rle, connectivity=8)])
    written = to_coco_polygons(trace(solid))

    assert written.is_lossless
    assert from_coco_polygons(written.segmentation, rle.size_hw) == solid
    if written.segmentation:
        assert filled_by_pycocotools(written.segmentation, rle.size_hw) == solid.counts


@given(rles())
def test_filling_holes_says_how_many_pixels_it_adds(rle):
    traced = trace(rle)
    written = to_coco_polygons(traced)

    assert written.num_holes_filled == sum(len(island.holes) for island in traced.islands)
    assert area(from_coco_polygons(written.segmentation, rle.size_hw)) == area(rle) + written.num_pixels_gained


@given(rles())
def test_bridged_holes_are_exact_for_us_and_for_pycocotools(rle):
    written = to_coco_polygons(trace(rle), holes="bridge")

    assert written.is_lossless
    assert fill(polygons_from_coco(written.segmentation, rle.size_hw)) == rle
    assert from_coco_polygons(written.segmentation, rle.size_hw) == rle


def test_no_polygons_are_an_empty_mask():
    assert from_coco_polygons([], (3, 4)) == empty_mask((3, 4))


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [2, 2], "counts": "4"}, "a list of flat x, y lists, got dict. Use from_coco for RLE."),
        ([0, 0, 1, 0, 1, 1], r"polygon 0 .* got shape \(\). Wrap it in a list"),
        ([[0, 0, 1, 1]], r"polygon 0 must be a flat list of at least three x, y pairs, got shape \(4,\)"),
        ([[0, 0, 1, 1, 2, 2, 3]], r"got shape \(7,\)"),
        ([[0, 0, 1, 1, 2, 2], [0, 0, 1, float("nan"), 2, 2]], "polygon 1 must have finite coordinates"),
        ([["a", "b", "c", "d", "e", "f"]], "polygon 0 must be a flat list of numbers"),
    ],
)
def test_a_malformed_polygon_is_an_error_that_says_which(segmentation, message):
    with pytest.raises(MaskError, match=message):
        from_coco_polygons(segmentation, (4, 4))
    with pytest.raises(MaskError, match=message):
        polygons_from_coco(segmentation, (4, 4))


def test_holes_are_filled_or_bridged():
    with pytest.raises(SettingError, match="holes must be fill or bridge, got 'keep'"):
        to_coco_polygons(trace(empty_mask((2, 2))), holes="keep")


def test_a_float_outline_with_a_hole_is_bridged_into_one_ring():
    square, hole = [[0.5, 0.5], [9.5, 0.5], [9.5, 9.5], [0.5, 9.5]], [[3.2, 3.1], [3.3, 6.7], [6.1, 5.2]]
    polygons = polygons_from_coco([np.ravel(square).tolist()], (10, 10))
    with_hole = type(polygons)((10, 10), (type(polygons.islands[0])(square, (hole,)),))

    written = to_coco_polygons(with_hole, holes="bridge")

    assert len(written.segmentation) == 1
    assert fill(polygons_from_coco(written.segmentation, (10, 10))) == fill(with_hole)
    assert area(fill(with_hole)) < area(fill(polygons))
