"""test-sam: SAM's parts at a fraction of their size, with weights that are a function of parameter names and shapes.

Nothing is shipped or downloaded: `fill_with_fixed_weights` draws every tensor from numpy's legacy generator, whose
stream is frozen by NEP 19, seeded by the tensor's name. The window of 5 does not divide the grid of 8, so that window
padding is exercised too.
"""

import zlib

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.sam.image_encoder import ViTEncoder
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.nn.two_way import TwoWayTransformer

_PATCH, _WIDTH = 16, 32


def build_test_sam(card: ModelCard) -> SamModel:
    """Build test-sam with random weights."""
    frame = FrameSpec(side=card.input_side, logits_side=card.input_side // 4)
    encoder = ViTEncoder(
        side=frame.side,
        width=_WIDTH,
        depth=2,
        num_heads=2,
        global_blocks=(1,),
        window=5,
        patch=_PATCH,
        out_channels=_WIDTH,
    )
    return SamModel(
        card=card,
        frame=frame,
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(side=frame.side, grid=frame.side // _PATCH, width=_WIDTH),
        mask_decoder=MaskDecoder(
            transformer=TwoWayTransformer(width=_WIDTH, num_heads=4, mlp_width=2 * _WIDTH),
            width=_WIDTH,
            iou_head_hidden=_WIDTH,
        ),
    )


def fill_with_fixed_weights(model: nn.Module) -> None:
    """Give every parameter its fixed value."""
    state = {name: fixed_tensor(name, tuple(value.shape)) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})


def fixed_tensor(name: str, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
    """Draw one parameter: norms near one, biases near zero, everything else so that activations keep their size.

    The last layers are scaled so that logits spread over tens and predicted IoU over about 0.8..1, the ranges in
    which the filters of everything-mode decide something.
    """
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) == 1:
        value = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
    elif "embed" in name or "token" in name.split(".")[-2] or "gaussian" in name:
        value = noise
    else:
        fan_in = shape[0] if "output_upscaling" in name else int(np.prod(shape[1:]))
        value = noise / np.sqrt(fan_in)
    if name.startswith("mask_decoder.iou_prediction_head.layers.2"):
        value = 0.15 * value + (0.9 if name.endswith("bias") else 0.0)
    if "output_hypernetworks_mlps" in name and ".layers.2." in name:
        value = 40.0 * value
    return np.asarray(value, np.float32)


__all__ = ["build_test_sam", "fill_with_fixed_weights", "fixed_tensor"]
