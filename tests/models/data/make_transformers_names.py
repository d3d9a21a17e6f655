"""Write the parameter names and shapes of transformers' SamModel and SamHQModel, at test-sam's size, to a JSON file.

Run by hand when transformers changes its layout: python tests/models/data/make_transformers_names.py
"""

import json
from pathlib import Path

from transformers import SamConfig, SamHQConfig, SamHQModel, SamModel

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 128,
    "patch_size": 16,
    "window_size": 5,
    "global_attn_indexes": [1],
    "output_channels": 32,
    "mlp_dim": 128,
    "num_pos_feats": 16,
}
PROMPTS = {
    "hidden_size": 32,
    "image_size": 128,
    "patch_size": 16,
    "mask_input_channels": 16,
    "image_embedding_size": 8,
}
DECODER = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 32}


def transformers_sam() -> SamModel:
    """SamModel at test-sam's size."""
    config = SamConfig(vision_config=VISION, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
    return SamModel(config)


def transformers_sam_hq() -> SamHQModel:
    """SamHQModel at test-sam's size."""
    decoder = {**DECODER, "vit_dim": 32}
    return SamHQModel(SamHQConfig(vision_config=VISION, prompt_encoder_config=PROMPTS, mask_decoder_config=decoder))


def names(model) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in sorted(model.state_dict().items())}


if __name__ == "__main__":
    layouts = {"sam": names(transformers_sam()), "sam_hq": names(transformers_sam_hq())}
    Path(__file__).with_name("transformers_names.json").write_text(json.dumps(layouts, indent=1) + "\n")
