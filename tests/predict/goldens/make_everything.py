"""Make everything.json: what Meta's SamAutomaticMaskGenerator finds with test-sam's weights in a generated picture.

python tests/predict/goldens/make_everything.py PATH/segment-anything     (needs torchvision, pycocotools, opencv)

The tests read the result and never make it. Its masks mean nothing; order, points, boxes and scores are exact.
"""

import argparse
import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright.models import load_model

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


def picture(size_hw: tuple[int, int]) -> np.ndarray:
    """Draw rings, stripes and a gradient, in integers only so that every machine draws the same."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    rings = ((x - 60) ** 2 + (y - 50) ** 2) // 97 % 256
    stripes = (x // 11 % 2 * 200 + y // 17 % 2 * 40) % 256
    return np.stack([rings, stripes, (3 * x + 2 * y) % 256], axis=-1).astype(np.uint8)


def reference_model(checkout: str) -> Any:
    """Build Meta's network at test-sam's size, with its weights."""
    sys.path.insert(0, checkout)
    from segment_anything import modeling  # pyright: ignore[reportMissingImports]

    encoder = modeling.ImageEncoderViT(
        img_size=128,
        patch_size=16,
        embed_dim=32,
        depth=2,
        num_heads=2,
        out_chans=32,
        norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=5,
        global_attn_indexes=(1,),
    )
    decoder = modeling.MaskDecoder(
        transformer_dim=32,
        transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=4),
        iou_head_hidden_dim=32,
    )
    prompts = modeling.PromptEncoder(
        embed_dim=32, image_embedding_size=(8, 8), input_image_size=(128, 128), mask_in_chans=16
    )
    model = modeling.Sam(encoder, prompts, decoder)
    ours = load_model("test-sam")
    assert isinstance(ours, torch.nn.Module)
    model.load_state_dict(ours.state_dict())
    return model.eval()


def main() -> None:
    """Run all cases and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout")
    model = reference_model(parser.parse_args().checkout)
    from segment_anything import SamAutomaticMaskGenerator  # pyright: ignore[reportMissingImports]

    for case in CASES:
        model.mask_threshold = case["mask_threshold"]
        generator = SamAutomaticMaskGenerator(model, output_mode="coco_rle", **case["settings"])
        case["masks"] = generator.generate(picture(case["size_hw"]))
    made = {"torch": torch.__version__, "reference": "facebookresearch/segment-anything", "cases": CASES}
    (HERE / "everything.json").write_text(json.dumps(made, separators=(",", ":")))


if __name__ == "__main__":
    main()
