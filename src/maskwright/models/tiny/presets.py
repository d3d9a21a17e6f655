"""`tiny`'s size, its card, and how to build it with the weights that lie in the package."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from maskwright.models.cards import TINY, ModelCard
from maskwright.models.checkpoint import has_corrector, has_text_path
from maskwright.models.frame import FrameSpec
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.corrector import Corrector
from maskwright.models.tiny.efficientnet_lite import TRUNKS
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.models.tiny.model import TinySam
from maskwright.models.tiny.text import TextPath
from maskwright.nn.two_way import TwoWayTransformer

TINY_WEIGHTS = Path(__file__).with_name("tiny.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig:
    """Sizes of the network, whether it takes text, and whether corrections have a decoder of their own.

    The frame's side must be a multiple of 32.
    """

    trunk: str = "lite2"
    side: int = 640
    width: int = 192
    context_width: int = 256
    context_depth: int = 4
    embedding_depth: int = 3
    skip_widths: tuple[int, int] = (64, 32)
    decoder_mlp_width: int = 1024
    has_text: bool = False
    has_corrector: bool = False


tiny_card = TINY  # in models/cards.py, so that listing models costs no torch


def build_tiny_network(card: ModelCard = tiny_card, config: TinyConfig | None = None) -> TinySam:
    """Build the network with random weights, in eval mode."""
    config = config or TinyConfig(has_text=card.takes_text, has_corrector=card.has_corrector)
    half = (127.5, 127.5, 127.5)
    model = TinySam(
        card=card,
        frame=FrameSpec(side=config.side, logits_side=config.side // 4, mean=half, std=half),
        image_encoder=TinyImageEncoder(
            trunk=TRUNKS[config.trunk],
            width=config.width,
            context_width=config.context_width,
            context_depth=config.context_depth,
            embedding_depth=config.embedding_depth,
            skip_widths=config.skip_widths,
        ),
        prompt_encoder=_build_prompt_encoder(config),
        mask_decoder=_build_mask_decoder(config, num_candidates=3),
        text_path=build_text_path(config) if config.has_text else None,
        corrector=build_corrector(config) if config.has_corrector else None,
    )
    return model.eval()


def _build_prompt_encoder(config: TinyConfig) -> PromptEncoder:
    return PromptEncoder(side=config.side, grid=config.side // 16, width=config.width)


def _build_mask_decoder(config: TinyConfig, *, num_candidates: int) -> MaskDecoder:
    return MaskDecoder(
        transformer=TwoWayTransformer(depth=2, width=config.width, mlp_width=config.decoder_mlp_width),
        width=config.width,
        upscaled_widths=config.skip_widths,
        num_candidates=num_candidates,
        iou_head_hidden=config.width,
    )


def build_corrector(config: TinyConfig) -> Corrector:
    """Build the decoder for corrections with random weights."""
    return Corrector(
        prompt_encoder=_build_prompt_encoder(config), mask_decoder=_build_mask_decoder(config, num_candidates=0)
    )


def build_text_path(config: TinyConfig) -> TextPath:
    """Build the text path with random weights."""
    return TextPath(
        embedding_width=config.width,
        trunk_width=TRUNKS[config.trunk].stages[4].channels,
        skip_widths=config.skip_widths,
    )


def build_tiny(card: ModelCard = tiny_card, weights: Path | None = None) -> TinySam:
    """Build the model with the weights in the package, or with those of another training run of the same size."""
    path = weights or TINY_WEIGHTS
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    model = build_tiny_network(card, TinyConfig(has_text=has_text_path(state), has_corrector=has_corrector(state)))
    model.load_state_dict(state)
    model.checkpoint_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return model


__all__ = [
    "TINY_WEIGHTS",
    "TinyConfig",
    "build_corrector",
    "build_text_path",
    "build_tiny",
    "build_tiny_network",
    "tiny_card",
]
