"""`SamAutomaticMaskGenerator`: Meta's arguments, attributes and records. Which masks it finds is tested in predict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.compat import SamAutomaticMaskGenerator
from maskwright.core.errors import SettingError
from maskwright.models import load_model
from reference_sam import picture

GOLDEN = Path(__file__).parents[1] / "predict" / "goldens" / "everything.json"


def generator(**arguments: Any) -> SamAutomaticMaskGenerator:
    return SamAutomaticMaskGenerator(load_model("test-sam"), **arguments)


def test_records_have_metas_keys_types_and_values() -> None:
    case = json.loads(GOLDEN.read_text())["cases"][3]
    ours = generator(output_mode="coco_rle", **case["settings"])
    ours.predictor.model.mask_threshold = case["mask_threshold"]

    records = ours.generate(picture(tuple(case["size_hw"])))

    assert len(records) == len(case["masks"])
    for record, expected in zip(records, case["masks"], strict=True):
        assert list(record) == list(expected)
        assert {key: type(value) for key, value in record.items()} == {k: type(v) for k, v in expected.items()}
        assert record["segmentation"]["size"] == expected["segmentation"]["size"]
        assert record["point_coords"] == expected["point_coords"]
        assert record["crop_box"] == expected["crop_box"]
        assert record["bbox"] == pytest.approx(expected["bbox"], abs=1)
        assert record["area"] == pytest.approx(expected["area"], abs=3)
    json.dumps(records)


def test_the_three_output_modes_hold_the_same_masks() -> None:
    image = picture((60, 90))
    loose = {"points_per_side": 3, "pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}

    binary, runs, coco = (
        generator(output_mode=mode, **loose).generate(image) for mode in ("binary_mask", "uncompressed_rle", "coco_rle")
    )

    assert len(binary) == len(runs) == len(coco) == 27
    for dense, uncompressed, compressed in zip(binary, runs, coco, strict=True):
        mask = dense["segmentation"]
        assert (mask.dtype, mask.shape) == (np.bool_, (60, 90))
        counts = uncompressed["segmentation"]["counts"]
        assert np.array_equal(np.repeat(np.arange(len(counts)) % 2, counts), mask.T.ravel())
        assert isinstance(compressed["segmentation"]["counts"], str)
        assert dense["area"] == mask.sum() == uncompressed["area"]


def test_boxes_are_xywh_with_metas_inclusive_edges() -> None:
    (record, *_) = generator(points_per_side=1, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1).generate(
        picture((60, 90))
    )

    y, x = np.nonzero(record["segmentation"])
    assert record["bbox"] == [x.min(), y.min(), x.max() - x.min(), y.max() - y.min()]


def test_settings_changed_after_construction_are_heard() -> None:
    ours = generator(points_per_side=3, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1)
    before = len(ours.generate(picture((60, 90))))

    ours.pred_iou_thresh = 0.95

    assert len(ours.generate(picture((60, 90)))) < before


def test_point_grids_have_one_array_for_each_layer() -> None:
    grids = generator(points_per_side=8, crop_n_layers=2, crop_n_points_downscale_factor=2).point_grids

    assert [grid.shape for grid in grids] == [(64, 2), (16, 2), (4, 2)]


def test_wrong_arguments_are_refused_when_constructed() -> None:
    with pytest.raises(SettingError, match="output_mode must be one of binary_mask, uncompressed_rle, coco_rle"):
        generator(output_mode="png")
    with pytest.raises(SettingError, match="either points_per_side or point_grids"):
        generator(point_grids=[np.zeros((1, 2))])
