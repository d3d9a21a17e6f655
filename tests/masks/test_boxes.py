"""Boxes: conversion, clipping, intersection over union."""

import numpy as np
import pycocotools.mask as coco_api
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.masks import box_areas, box_iou, clip_boxes, xywh_from_xyxy, xyxy_from_xywh
from maskwright.testing.strategies import boxes_xyxy

many_boxes = st.lists(boxes_xyxy(), min_size=1, max_size=5).map(np.array)


@given(many_boxes)
def test_corners_and_sides_say_the_same(boxes):
    np.testing.assert_array_equal(xyxy_from_xywh(xywh_from_xyxy(boxes)), boxes)


def test_conversion_takes_one_box_or_any_stack_and_keeps_the_dtype():
    assert xywh_from_xyxy(np.array([3, 4, 5, 8], np.int32)).tolist() == [3, 4, 2, 4]
    assert xywh_from_xyxy(np.zeros((2, 3, 4), np.float32)).dtype == np.float32


@given(many_boxes, many_boxes)
def test_box_iou_is_that_of_pycocotools(left, right):
    expected = coco_api.iou(
        xywh_from_xyxy(left).astype(float), xywh_from_xyxy(right).astype(float), [False] * len(right)
    )

    np.testing.assert_allclose(box_iou(left, right), expected, rtol=1e-15)


def test_boxes_without_area_overlap_nothing():
    point = np.array([[2.0, 2.0, 2.0, 2.0]])

    assert box_iou(point, point).tolist() == [[0.0]]
    assert box_areas(np.array([[5, 5, 2, 2]])).tolist() == [0]


def test_box_iou_computes_in_the_dtype_it_is_given():
    boxes = np.array([[0, 0, 3, 3], [1, 0, 4, 3]], np.float32)

    assert box_iou(boxes, boxes).dtype == np.float32


def test_clipping_moves_corners_onto_the_edge():
    boxes = np.array([[-5, 2, 30, 4], [50, 50, 60, 60]])

    assert clip_boxes(boxes, (10, 20)).tolist() == [[0, 2, 20, 4], [20, 10, 20, 10]]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (np.zeros(4), r"an \(N, 4\) array of pixels, got shape \(4,\). Add an axis: boxes\[None\]"),
        (np.zeros((2, 5)), r"got shape \(2, 5\)"),
        ([[0, 0, 1, 1]], "got list"),
        (np.array([[0, 0, np.nan, 1]]), "must be finite pixels, got 1 NaN or infinite values"),
    ],
)
def test_malformed_boxes_are_an_error(boxes, message):
    with pytest.raises(InputError, match=message):
        box_iou(boxes, np.zeros((1, 4)))
