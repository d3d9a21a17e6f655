"""Meta's network at test-sam's size, for the scripts that make goldens; and the picture that they were made on."""

import functools
import sys
from typing import Any

import numpy as np
import torch

from maskwright.models import load_model


def picture(size_hw: tuple[int, int]) -> np.ndarray:
    """Draw rings, stripes and a gradient, in integers only so that every machine draws the same."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    rings = ((x - 60) ** 2 + (y - 50) ** 2) // 97 % 256
    stripes = (x // 11 % 2 * 200 + y // 17 % 2 * 40) % 256
    return np.stack([rings, stripes, (3 * x + 2 * y) % 256], axis=-1).astype(np.uint8)


def reference_model(checkout: str) -> Any:
    """Build Meta's network from a checkout of segment-anything, with test-sam's weights."""
    sys.path.insert(0, checkout)
    from segment_anything import modeling

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
