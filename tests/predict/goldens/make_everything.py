"""Make everything.json: what Meta's SamAutomaticMaskGenerator finds with test-sam's weights in a generated picture.

PYTHONPATH=tests python tests/predict/goldens/make_everything.py PATH/segment-anything

It needs torchvision, pycocotools and opencv.

The tests read the result and never make it. Its masks mean nothing; order, points, boxes and scores are exact.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from reference_sam import picture, reference_model

HERE = Path(__file__).parent
PLAIN = {"points_per_side": 7, "pred_iou_thresh": 0.75, "stability_score_thresh": 0.05, "box_nms_thresh": 0.97}
CASES: list[dict[str, Any]] = [
    {"size_hw": [120, 180], "mask_threshold": 15.0, "settings": PLAIN},
    {"size_hw": [300, 75], "mask_threshold": 30.0, "settings": {**PLAIN, "stability_score_offset": 2.0}},
    {"size_hw": [90, 133], "mask_threshold": 30.0, "settings": {**PLAIN, "min_mask_region_area": 40}},
    {
        "size_hw": [240, 250],
        "mask_threshold": 30.0,
        "settings": {**PLAIN, "crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "crop_nms_thresh": 0.8},
    },
    {
        "size_hw": [240, 250],
        "mask_threshold": 15.0,
        "settings": {**PLAIN, "points_per_batch": 5, "crop_n_layers": 2, "min_mask_region_area": 60},
    },
]


def main() -> None:
    """Run all cases and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout")
    model = reference_model(parser.parse_args().checkout)
    from segment_anything import SamAutomaticMaskGenerator

    for case in CASES:
        model.mask_threshold = case["mask_threshold"]
        generator = SamAutomaticMaskGenerator(model, output_mode="coco_rle", **case["settings"])
        case["masks"] = generator.generate(picture(case["size_hw"]))
    made = {"torch": torch.__version__, "reference": "facebookresearch/segment-anything", "cases": CASES}
    (HERE / "everything.json").write_text(json.dumps(made, separators=(",", ":")))


if __name__ == "__main__":
    main()
