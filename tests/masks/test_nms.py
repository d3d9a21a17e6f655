"""Suppression: greedy by definition, stable on ties, the same for boxes and for the masks of boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.masks import box_iou, box_nms, encode, iou_matrix, mask_nms
from maskwright.testing.strategies import boxes_xyxy, same_size_rles

SIZE = (24, 24)
scenes = st.lists(
    st.tuples(boxes_xyxy(SIZE), st.sampled_from([0.1, 0.5, 0.5, 0.9]), st.integers(0, 1)), min_size=1, max_size=8
)
thresholds = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])


def split(scene):
    boxes, scores, categories = zip(*scene, strict=True)
    return np.array(boxes, float), np.array(scores), np.array(categories)


def greedy(ious, scores, threshold, categories):
    """Suppress by the definition, one pair at a time."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(ious[j, i] <= threshold or categories[j] != categories[i] for j in kept):
            kept.append(i)
    return kept


@given(scenes, thresholds)
def test_box_nms_keeps_what_no_better_kept_box_overlaps(scene, threshold):
    boxes, scores, categories = split(scene)

    assert box_nms(boxes, scores, iou_threshold=threshold).tolist() == greedy(
        box_iou(boxes, boxes), scores, threshold, np.zeros(len(scores))
    )
    assert box_nms(boxes, scores, iou_threshold=threshold, categories=categories).tolist() == greedy(
        box_iou(boxes, boxes), scores, threshold, categories
    )


@given(same_size_rles(min_size=1, max_size=6), thresholds, st.data())
def test_mask_nms_keeps_what_no_better_kept_mask_overlaps(rles, threshold, data):
    scores = np.array(data.draw(st.lists(st.sampled_from([0.2, 0.8]), min_size=len(rles), max_size=len(rles))))
    categories = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(rles), max_size=len(rles))))

    kept = mask_nms(rles, scores, iou_threshold=threshold, categories=categories)

    assert kept.tolist() == greedy(iou_matrix(rles, rles), scores, threshold, categories)


@given(scenes, thresholds)
def test_masks_of_boxes_are_suppressed_like_the_boxes(scene, threshold):
    boxes, scores, _ = split(scene)
    dense = np.zeros((len(boxes), *SIZE), bool)
    for mask, (left, top, right, bottom) in zip(dense, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True

    kept = mask_nms([encode(mask) for mask in dense], scores, iou_threshold=threshold)

    assert kept.tolist() == box_nms(boxes, scores, iou_threshold=threshold).tolist()


@given(scenes, thresholds)
def test_suppressing_twice_changes_nothing(scene, threshold):
    boxes, scores, categories = split(scene)
    kept = box_nms(boxes, scores, iou_threshold=threshold, categories=categories)

    again = box_nms(boxes[kept], scores[kept], iou_threshold=threshold, categories=categories[kept])

    assert again.tolist() == list(range(len(kept)))


def test_equal_scores_keep_their_order():
    boxes = np.array([[0, 0, 4, 4], [10, 10, 14, 14], [0, 0, 4, 4]], float)

    assert box_nms(boxes, np.array([0.5, 0.5, 0.5]), iou_threshold=0.5).tolist() == [0, 1]


def test_an_overlap_equal_to_the_threshold_does_not_suppress():
    boxes = np.array([[0, 0, 2, 1], [1, 0, 3, 1]], float)

    assert box_nms(boxes, np.array([0.9, 0.8]), iou_threshold=1 / 3).tolist() == [0, 1]
    assert box_nms(boxes, np.array([0.9, 0.8]), iou_threshold=0.33).tolist() == [0]


def test_a_float32_overlap_is_compared_with_the_threshold_as_given():
    """3/10 in float32 is above 0.3, and torchvision, whose kernel compares in double, suppresses it."""
    boxes = np.array([[0, 0, 6, 1], [3, 0, 10, 1]], np.float32)

    assert box_nms(boxes, np.array([0.9, 0.8]), iou_threshold=0.3).tolist() == [0]


def test_boxes_without_area_suppress_nothing():
    assert box_nms(np.zeros((2, 4)), np.array([0.9, 0.8]), iou_threshold=0.0).tolist() == [0, 1]


def test_nothing_in_nothing_out():
    assert box_nms(np.zeros((0, 4)), np.zeros(0), iou_threshold=0.5).tolist() == []
    assert mask_nms([], np.zeros(0), iou_threshold=0.5).tolist() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": np.zeros(3)}, r"scores must have one entry for each of 2 candidates, got shape \(3,\)"),
        ({"categories": np.zeros(1)}, "categories must have one entry for each of 2"),
        ({"scores": np.array([0.5, np.nan])}, "scores must be numbers, got NaN at index 1"),
        ({"iou_threshold": 1.5}, "iou_threshold must lie between 0 and 1, got 1.5"),
    ],
)
def test_arrays_that_do_not_belong_together_are_an_error(changes, message):
    arguments = {"boxes_xyxy": np.zeros((2, 4)), "scores": np.zeros(2), "iou_threshold": 0.5} | changes
    with pytest.raises(InputError, match=message):
        box_nms(**arguments)
