"""The torch twins beside the numpy reference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from maskwright import masks
from maskwright.nn import mask_ops

BITMAPS = arrays.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)))


@settings(deadline=None)
@given(BITMAPS)
def test_boxes_of_masks_are_those_of_the_run_lengths(bitmaps: np.ndarray) -> None:
    boxes = mask_ops.mask_boxes(torch.from_numpy(bitmaps))

    assert boxes.tolist() == masks.boxes_xyxy(masks.encode_batch(bitmaps)).tolist()


@settings(deadline=None)
@given(
    arrays.arrays(np.int64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 12)),
    st.integers(0, 2**16),
    st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
)
def test_box_nms_keeps_what_the_reference_keeps_in_its_order(corners: np.ndarray, seed: int, threshold: float) -> None:
    boxes = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1)
    boxes = boxes.astype(np.float32)
    scores = np.random.default_rng(seed).integers(0, 5, len(boxes)).astype(np.float32)

    kept = mask_ops.box_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)

    assert kept.tolist() == masks.box_nms(boxes, scores, iou_threshold=threshold).tolist()


def test_agreement_is_the_mean_iou_of_each_two_candidates() -> None:
    wide, narrow, none = torch.zeros(3, 4, 6, dtype=torch.bool)
    wide[:, :4], narrow[:, :2] = True, True
    same, apart = torch.stack([wide, wide, wide]), torch.stack([wide, narrow, none])

    found = mask_ops.agreement_score(torch.stack([same, apart, torch.stack([none, none, none])]))

    assert found.tolist() == pytest.approx([1, 0.5 / 3, 1])
    assert mask_ops.agreement_score(same[:1]).isnan()


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_that_of_the_run_lengths(seed: int) -> None:
    drawn = np.random.default_rng(seed).random((3, 9, 7)) < 0.4
    rles = [masks.encode(one) for one in drawn]

    ious = masks.iou_matrix(rles, rles)

    found = mask_ops.agreement_score(torch.from_numpy(drawn))
    assert float(found) == pytest.approx(ious[np.triu_indices(3, 1)].mean())


def test_stability_is_the_iou_of_the_masks_at_both_thresholds() -> None:
    logits = torch.tensor([[[-2.0, 0.0], [0.5, 3.0]], [[-9.0, -9.0], [-9.0, -9.0]]])

    scores = mask_ops.stability_score(logits, threshold=0.0, offset=1.0)

    assert scores[0] == 1 / 3
    assert scores[1].isnan()
