"""Video models of about a million random parameters, for tests; `pytest.importorskip` is the caller's.

Their encoders are those of SAM 2 and SAM 3 at a size of 128 pixels; EdgeTAM's own needs timm, so it has SAM 2's here.
"""

from functools import lru_cache
from typing import Any

import torch

SIDE = 128
FAMILIES = ("sam2_video", "edgetam_video", "sam3_tracker_video")

_PROMPTS = {"hidden_size": 128, "image_size": SIDE}
_DECODER = {"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
_SHARED: dict[str, Any] = {
    "mask_decoder_config": _DECODER,
    "memory_attention_hidden_size": 128,
    "memory_attention_num_layers": 1,
    "memory_encoder_hidden_size": 128,
    "mask_downsampler_embed_dim": 128,
    "memory_fuser_embed_dim": 128,
    "memory_fuser_intermediate_dim": 32,
}
_HIERA = {
    "model_type": "sam2_vision_model",
    "fpn_hidden_size": 128,
    "backbone_channel_list": [64, 32, 16, 8],
    "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
    "backbone_config": {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "embed_dim_per_stage": [8, 16, 32, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 1, 2, 4],
        "window_size_per_stage": [8, 4, 4, 4],
        "global_attention_blocks": [3],
        "image_size": [SIDE, SIDE],
        "window_positional_embedding_background_size": [2, 2],
    },
}
_PERCEIVER = {
    "perceiver_resampler_num_latents": 16,
    "perceiver_resampler_num_latents_2d": 16,
    "perceiver_resampler_mlp_intermediate_size": 32,
    "perceiver_resampler_num_layers": 1,
}
_VIT = {
    "model_type": "sam3_vision_model",
    "fpn_hidden_size": 128,
    "backbone_config": {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 112,
        "pretrain_image_size": 56,
        "patch_size": 14,
        "window_size": 4,
        "global_attn_indexes": [1],
    },
}


def tiny_config(family: str, **changes: Any) -> Any:
    """A configuration of the family; `changes` are of its fields."""
    import transformers

    match family:
        case "sam2_video":
            own = {"vision_config": _HIERA, "image_size": SIDE, "prompt_encoder_config": _PROMPTS}
            own |= {"memory_attention_rope_feat_sizes": [8, 8], "memory_attention_feed_forward_hidden_size": 32}
            return transformers.Sam2VideoConfig(**_SHARED | own | changes)
        case "edgetam_video":
            own = {"vision_config": _HIERA, "image_size": SIDE, "prompt_encoder_config": _PROMPTS}
            own |= {"memory_attention_rope_feat_sizes": [8, 8], "memory_attention_mlp_hidden_size": 32}
            own |= {"memory_attention_rope_k_sizes": [4, 4], **_PERCEIVER}
            return transformers.EdgeTamVideoConfig(**_SHARED | own | changes)
        case _:
            prompts = {"hidden_size": 128, "image_size": 112, "patch_size": 14}
            own = {"vision_config": _VIT, "image_size": 112, "prompt_encoder_config": prompts}
            own |= {"memory_attention_rope_feat_sizes": [8, 8], "memory_attention_feed_forward_hidden_size": 32}
            return transformers.Sam3TrackerVideoConfig(**_SHARED | own | changes)


def tiny_network(family: str, **changes: Any) -> Any:
    """A network with fixed random weights that believes all objects to be in sight."""
    import transformers

    from maskwright.models.transformers_video.families import FAMILIES as KNOWN

    torch.manual_seed(5)
    network = getattr(transformers, KNOWN[family].network)(tiny_config(family, **changes)).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:  # transformers draws them so small, or 0, that memories would not matter
                fan_in = max(parameter[0].numel(), 16)
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * fan_in**-0.5)
    set_presence(network, 3.0)
    return network


def set_presence(network: Any, logit: float) -> None:
    """Make the network believe that every object is in sight, or that none is."""
    head = network.mask_decoder.pred_obj_score_head
    with torch.no_grad():
        head.proj_out.weight.mul_(0.01)
        head.proj_out.bias.fill_(logit)


def tiny_video_model(family: str, **changes: Any) -> Any:
    """The network behind `VideoModel`."""
    from maskwright.models.cards import ModelCard
    from maskwright.models.transformers_video.families import FAMILIES as KNOWN
    from maskwright.models.transformers_video.loading import assemble

    network = tiny_network(family, **changes)
    card = ModelCard(
        name=f"tiny-{family}",
        family=family,
        title="random weights",
        licence="Apache-2.0",
        input_side=SIDE,
        num_parameters=sum(parameter.numel() for parameter in network.parameters()),
    )
    return assemble(KNOWN[family], network, card, checkpoint_sha256="0" * 64)


@lru_cache
def shared_video_model(family: str) -> Any:
    """One for all tests that do not change it."""
    return tiny_video_model(family)
