"""MobileSAM as published in June 2023: `vit_t` in its own registry."""

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.mobile_sam.tiny_vit import TinyViTConfig
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.nn.two_way import TwoWayTransformer

TINY_VIT_5M = TinyViTConfig()


def build_mobile_sam(card: ModelCard) -> SamModel:
    """Build MobileSAM with random weights, in training mode as torch has it."""
    frame = FrameSpec(side=TINY_VIT_5M.side)
    return SamModel(
        card=card,
        frame=frame,
        image_encoder=TINY_VIT_5M.build(),
        prompt_encoder=PromptEncoder(side=frame.side, grid=frame.side // 16),
        mask_decoder=MaskDecoder(transformer=TwoWayTransformer()),
    )


__all__ = ["TINY_VIT_5M", "build_mobile_sam"]
