"""The published sizes of SAM 2 as transformers' configurations.

Source: the numbers are those of Meta's `sam2_hiera_*.yaml` and `sam2.1_hiera_*.yaml`.
"""

from typing import Any

from maskwright.models.cards import ModelCard

_WIDTHS = {"tiny": 96, "small": 96, "base_plus": 112, "large": 144}
_BACKBONES: dict[str, dict[str, Any]] = {
    "tiny": {"blocks_per_stage": [1, 2, 7, 2], "global_attention_blocks": [5, 7, 9]},
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base_plus": {
        "blocks_per_stage": [2, 3, 16, 3],
        "global_attention_blocks": [12, 16, 20],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "window_positional_embedding_background_size": [14, 14],
    },
    "large": {
        "blocks_per_stage": [2, 6, 36, 4],
        "global_attention_blocks": [23, 33, 43],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "window_size_per_stage": [8, 4, 16, 8],
    },
}


def sam2_config(card: ModelCard) -> Any:
    """Make the configuration of a model that is known by name."""
    from transformers import Sam2VideoConfig

    version, _, size = card.name.removeprefix("sam").partition("_hiera_")
    widths = [_WIDTHS[size] * 2**stage for stage in range(4)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": widths[0],
        "embed_dim_per_stage": widths,
        **_BACKBONES[size],
    }
    is_newer = version == "2.1"
    return Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": backbone,
            "backbone_channel_list": widths[::-1],
        },
        enable_temporal_pos_encoding_for_object_pointers=is_newer,
        enable_occlusion_spatial_embedding=is_newer,
    )


__all__ = ["sam2_config"]
