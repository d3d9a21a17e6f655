"""Make predictor.npz: what Meta's SamPredictor answers with test-sam's weights on a generated picture.

PYTHONPATH=tests python tests/compat/goldens/make_predictor.py PATH/segment-anything     (needs torchvision)

For each case: masks (packed bits), predicted IoU, every second low-resolution logit. Networks agree to about 1e-6 of
the largest logit, so a pixel at the threshold may fall either way.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from reference_sam import picture, reference_model

HERE = Path(__file__).parent
SIZE_HW = (120, 180)
MASK_THRESHOLD = 5.0
POINTS = np.array([[90, 40], [45, 60], [5, 7]])
LABELS = np.array([1, 0, 1])
BOX = np.array([36, 24, 90, 60])
# `mask_input` names the case whose logits are fed back.
CASES: dict[str, dict[str, Any]] = {
    "click": {"point_coords": POINTS[:1], "point_labels": LABELS[:1], "multimask_output": False},
    "clicks": {"point_coords": POINTS, "point_labels": LABELS},
    "box": {"box": BOX, "multimask_output": False},
    "box and clicks": {"box": BOX, "point_coords": POINTS, "point_labels": LABELS},
    "mask": {"mask_input": "click", "multimask_output": False},
    "mask, box and click": {
        "mask_input": "click",
        "box": BOX,
        "point_coords": POINTS[:1],
        "point_labels": LABELS[:1],
        "multimask_output": True,
    },
    "nothing": {},
    "logits": {"point_coords": POINTS, "point_labels": LABELS, "return_logits": True},
}


def answer(predictor: Any) -> dict[str, np.ndarray]:
    """Run all cases on a predictor, ours or Meta's."""
    predictor.model.mask_threshold = MASK_THRESHOLD
    predictor.set_image(picture(SIZE_HW), image_format="BGR")
    found = {"embedding": predictor.get_image_embedding().numpy()[:, ::4]}
    logits: dict[str, np.ndarray] = {}
    for name, case in CASES.items():
        arguments = {key: logits[value] if key == "mask_input" else value for key, value in case.items()}
        masks, predicted_iou, low_res = predictor.predict(**arguments)
        logits[name] = low_res
        found[f"{name}.masks"] = masks[:, ::5, ::5] if case.get("return_logits") else np.packbits(masks)
        found[f"{name}.iou"] = predicted_iou
        found[f"{name}.low_res"] = low_res[:, ::2, ::2]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout")
    model = reference_model(parser.parse_args().checkout)
    from segment_anything import SamPredictor

    found: dict[str, Any] = answer(SamPredictor(model))
    np.savez_compressed(HERE / "predictor.npz", **found)
