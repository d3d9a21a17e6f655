"""The parts of every family, as exporters see them, beside the family's own answers; at sizes that run in moments."""

import pytest
import torch

from maskwright.models import cards
from maskwright.models.backends.check import largest_difference
from maskwright.models.backends.export import describe
from maskwright.models.backends.exported import exported_model
from maskwright.models.backends.parts import parts_of
from maskwright.models.backends.torchscript import TorchScriptRuntime, trace
from maskwright.models.frame import FrameSpec
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.mobile_sam.tiny_vit import TinyViTConfig
from maskwright.models.protocol import FramePrompts
from maskwright.models.sam.image_encoder import ViTEncoder
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.presets import TinyConfig, build_tiny_network
from maskwright.nn.two_way import TwoWayTransformer

SIDE, WIDTH = 128, 64
VIT = {"depth": 3, "num_heads": 2, "global_blocks": (1, 2), "window": 5}
TINY_VIT = TinyViTConfig(side=SIDE, widths=(8, 16, 24, 32), depths=(1, 1, 2, 1), num_heads=(1, 2, 3, 4),
                         window_sides=(7, 7, 5, 7), out_channels=WIDTH)  # fmt: skip


def encoder_of(name):
    if name in ("vit_t", "hq_vit_tiny"):
        return TINY_VIT.build()
    return ViTEncoder(side=SIDE, width=32, out_channels=WIDTH, **VIT)


def build(name):
    """A reduced network of a registered architecture, with random weights."""
    torch.manual_seed(zlib_of(name))
    card = getattr(cards, name.upper())
    parts = {
        "card": card,
        "frame": FrameSpec(side=SIDE, logits_side=SIDE // 4),
        "image_encoder": encoder_of(name),
        "prompt_encoder": PromptEncoder(side=SIDE, grid=SIDE // 16, width=WIDTH),
    }
    transformer = TwoWayTransformer(width=WIDTH, mlp_width=64)
    if name.startswith("hq_"):
        early = TINY_VIT.widths[2] if name == "hq_vit_tiny" else 32
        return HqSamModel(
            **parts, mask_decoder=HqMaskDecoder(transformer=transformer, early_width=early, width=WIDTH)
        ).eval()
    return SamModel(**parts, mask_decoder=MaskDecoder(transformer=transformer, width=WIDTH)).eval()


def zlib_of(name):
    import zlib

    return zlib.crc32(name.encode())


def build_tiny():
    torch.manual_seed(1)
    config = TinyConfig(side=SIDE, width=32, context_width=32, context_depth=1, embedding_depth=1,
                        skip_widths=(16, 8), decoder_mlp_width=32, has_text=True, has_corrector=True)  # fmt: skip
    model = build_tiny_network(cards.TINY, config)
    torch.nn.init.constant_(model.text_path.finder.out.bias, 0.5)
    return model


def prompts_of(num, *, with_masks=False):
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(num, 3, 2, generator=generator) * SIDE
    masks = torch.randn(num, 1, SIDE // 4, SIDE // 4, generator=generator) if with_masks else None
    return FramePrompts(points=points, labels=torch.tensor([[1, 0, -1]] * num), mask_logits=masks)


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=0.0, atol=2e-5 * float(expected.abs().max().clamp(min=1)))


@pytest.mark.parametrize("name", ["vit_b", "vit_t", "hq_vit_b", "hq_vit_tiny", "tiny"])
@torch.no_grad()
def test_every_family_answers_as_it_does_without_export(name):
    model = build_tiny() if name == "tiny" else build(name)
    parts = parts_of(model)
    runtime = TorchScriptRuntime(trace(parts), torch.device("cpu"))
    other = exported_model(runtime, describe(model, parts, "torchscript", None))
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))

    assert max(largest_difference(runtime, part) for part in parts) < 1e-5

    features, ours = model.encode(pixels), other.encode(pixels)
    close(ours.image_embedding, features.image_embedding)
    for multimask in (False, True):
        for with_masks in (False, True):
            asked = prompts_of(2, with_masks=with_masks)
            expected = model.decode(features, asked, multimask=multimask)
            got = other.decode(ours, asked, multimask=multimask)
            close(got.logits, expected.logits)
            close(got.predicted_iou, expected.predicted_iou)
    threshold = model.decode(features[0], prompts_of(20), multimask=True).predicted_iou.median()
    some = model.decode_some(features[0], prompts_of(20), keep=lambda scores: scores > threshold)
    got = other.decode_some(ours[0], prompts_of(20), keep=lambda scores: scores > threshold)
    assert torch.equal(got.prompt_index, some.prompt_index)
    assert torch.equal(got.mask_index, some.mask_index)
    close(got.logits, some.logits)
    close(got.agreement.nan_to_num(-1), some.agreement.nan_to_num(-1))


@torch.no_grad()
def test_tiny_answers_phrases_through_an_exported_text_path():
    model = build_tiny()
    parts = parts_of(model)
    other = exported_model(
        TorchScriptRuntime(trace(parts), torch.device("cpu")), describe(model, parts, "torchscript", None)
    )
    pixels = torch.zeros(1, 3, SIDE, SIDE)
    pixels[:, :, :72] = torch.randn(1, 3, 72, SIDE, generator=torch.Generator().manual_seed(4))
    words = torch.tensor([list(model.text_indices("red mug")), list(model.text_indices("blue box"))])
    asked = FramePrompts(points=torch.zeros(2, 0, 2), labels=torch.zeros(2, 0, dtype=torch.long), text=words)

    assert other.text_indices("red mug") == model.text_indices("red mug")
    assert [part.name for part in parts] == ["encoder", "decoder", "corrector", "finder", "reader"]
    expected = model.decode(model.encode(pixels), asked, multimask=False)
    got = other.decode(other.encode(pixels), asked, multimask=False)
    close(got.logits, expected.logits)
    close(got.predicted_iou, expected.predicted_iou)
    assert expected.logits.max() > 0
