"""ViT-B, ViT-L and ViT-H: the sizes of Segment Anything, as published in April 2023."""

from dataclasses import dataclass

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.sam.image_encoder import ViTEncoder
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.nn.two_way import TwoWayTransformer


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """The sizes in which the three encoders differ."""

    width: int
    depth: int
    num_heads: int
    global_blocks: tuple[int, ...]


VIT_B = ViTConfig(width=768, depth=12, num_heads=12, global_blocks=(2, 5, 8, 11))
VIT_L = ViTConfig(width=1024, depth=24, num_heads=16, global_blocks=(5, 11, 17, 23))
VIT_H = ViTConfig(width=1280, depth=32, num_heads=16, global_blocks=(7, 15, 23, 31))


def build_vit_encoder(config: ViTConfig, frame: FrameSpec) -> ViTEncoder:
    """Build an encoder with random weights."""
    return ViTEncoder(
        side=frame.side,
        width=config.width,
        depth=config.depth,
        num_heads=config.num_heads,
        global_blocks=config.global_blocks,
    )


def build_sam(card: ModelCard, config: ViTConfig) -> SamModel:
    """Build a SAM with random weights, in training mode as torch has it."""
    frame = FrameSpec()
    return SamModel(
        card=card,
        frame=frame,
        image_encoder=build_vit_encoder(config, frame),
        prompt_encoder=PromptEncoder(side=frame.side, grid=frame.side // 16),
        mask_decoder=MaskDecoder(transformer=TwoWayTransformer()),
    )


__all__ = ["VIT_B", "VIT_H", "VIT_L", "ViTConfig", "build_sam", "build_vit_encoder"]
