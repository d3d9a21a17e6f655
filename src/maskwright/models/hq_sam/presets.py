"""HQ-SAM as published in June 2023: on ViT-B, ViT-L, ViT-H and (light HQ-SAM) on TinyViT."""

from torch import nn

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.mobile_sam.presets import TINY_VIT_5M
from maskwright.models.sam.presets import ViTConfig, build_vit_encoder
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.nn.two_way import TwoWayTransformer


def build_hq_sam(card: ModelCard, config: ViTConfig) -> HqSamModel:
    """Build HQ-SAM on a plain ViT with random weights, in training mode as torch has it."""
    frame = FrameSpec()
    return _build(card, frame, build_vit_encoder(config, frame), early_width=config.width)


def build_hq_tiny(card: ModelCard) -> HqSamModel:
    """Build light HQ-SAM with random weights, in training mode as torch has it."""
    return _build(card, FrameSpec(side=TINY_VIT_5M.side), TINY_VIT_5M.build(), early_width=TINY_VIT_5M.widths[2])


def _build(card: ModelCard, frame: FrameSpec, image_encoder: nn.Module, *, early_width: int) -> HqSamModel:
    return HqSamModel(
        card=card,
        frame=frame,
        image_encoder=image_encoder,
        prompt_encoder=PromptEncoder(side=frame.side, grid=frame.side // 16),
        mask_decoder=HqMaskDecoder(transformer=TwoWayTransformer(), early_width=early_width),
    )


__all__ = ["build_hq_sam", "build_hq_tiny"]
