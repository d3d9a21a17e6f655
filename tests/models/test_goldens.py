"""Parity with the published networks, stage by stage, on photographs at full size with reproducible weights.

Compared: the preprocessed frame, the embedding, and for seven kinds of prompts predicted IoU, low-resolution logits and
the area of the full-size mask. Not compared: speed, and other precisions than float32. SAM's and HQ-SAM's ViT-B are
the same encoder with the same weights, so a photograph is encoded once for both.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_cases import (
    AREA_TOLERANCE,
    EMBEDDING_TOLERANCE,
    IOU_TOLERANCE,
    LOGITS_TOLERANCE,
    assert_close,
    frame_of,
    full_size_area,
    load_golden_weights,
    needs_shared,
    photo,
    prompts_of,
)
from maskwright.models import build_model
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features


@dataclass
class Encoded:
    """A photograph with what the encoder made of it."""

    golden: dict[str, np.ndarray]
    frame: ModelFrame
    pixels: Tensor
    features: Features


def golden_model(name: str):
    needs_shared("goldens", "golden_init.py")
    model = build_model(name)
    load_golden_weights(model)
    return model


def frame_pixels(photo_name: str) -> tuple[ModelFrame, Tensor]:
    pixels = photo(photo_name)
    frame = frame_of(pixels)
    return frame, frame.pixels_to_model(pixels, "cpu")


def load_golden(name: str) -> dict[str, np.ndarray]:
    with np.load(needs_shared("goldens", f"{name}.npz")) as file:
        return dict(file)


@pytest.fixture(scope="module")
def mobile_sam():
    return golden_model("vit_t")


@pytest.fixture(scope="module")
def hq_vit_b():
    return golden_model("hq_vit_b")


@pytest.fixture(scope="module")
def vit_b(hq_vit_b):
    """SAM's own decoder on HQ-SAM's encoder, which is SAM's."""
    model = build_model("vit_b")
    shared = {key: value for key, value in hq_vit_b.state_dict().items() if key in model.state_dict()}
    model.load_state_dict(shared, strict=True, assign=True)
    return model.eval()


@pytest.fixture(scope="module")
def truck(hq_vit_b):
    """The truck, encoded once for SAM and for HQ-SAM, whose features hold SAM's."""
    frame, pixels = frame_pixels("truck")
    with torch.no_grad():
        return Encoded(load_golden("hq_vit_b.truck"), frame, pixels, hq_vit_b.encode(pixels))


@pytest.fixture(scope="module", params=["dog", "truck"])
def mobile_case(request, mobile_sam):
    frame, pixels = frame_pixels(request.param)
    with torch.no_grad():
        features = mobile_sam.encode(pixels)
    return Encoded(load_golden(f"mobilesam_vit_t.{request.param}"), frame, pixels, features)


def check_encoding(case: Encoded, golden: dict[str, np.ndarray]) -> None:
    assert_close(case.pixels[0, :, ::32, ::32], golden["input_sub"], 1e-6, "preprocessed input")
    embedding = case.features.image_embedding[0]
    assert_close(embedding[::8, ::2, ::2], golden["embedding_sub"], EMBEDDING_TOLERANCE, "embedding")
    assert_close(embedding.mean((1, 2)), golden["embedding_mean"], EMBEDDING_TOLERANCE, "mean of each channel")
    largest = float(golden["embedding_absmax"])
    assert abs(float(embedding.abs().max()) - largest) <= EMBEDDING_TOLERANCE * largest


def check_decoding(model, case: Encoded, features: Features, golden: dict[str, np.ndarray], kind: str) -> None:
    previous = torch.from_numpy(golden["pt1.S.low_full"])[None]
    checked = 0
    for name, prompts in prompts_of(golden, case.frame, previous):
        what = f"{name}.{kind}"
        with torch.no_grad():
            decoded = model.decode(features, prompts, multimask=kind.startswith("M"))
        shape = golden[f"{what}.iou"].shape
        logits = decoded.logits.reshape(*shape, *decoded.logits.shape[-2:])
        absolute = np.abs(decoded.predicted_iou.numpy().reshape(shape) - golden[f"{what}.iou"]).max()
        assert absolute <= IOU_TOLERANCE * max(1.0, np.abs(golden[f"{what}.iou"]).max()), f"{what}: predicted IoU"
        assert_close(logits[..., 1::4, 2::4], golden[f"{what}.low_sub"], LOGITS_TOLERANCE, f"{what}: logits")
        area = full_size_area(decoded.logits, case.frame).reshape(shape)
        assert np.abs(area - golden[f"{what}.area"]).max() <= AREA_TOLERANCE, f"{what}: area"
        checked += 1
    assert checked == 7


def test_mobile_sam_embeds_as_the_reference(mobile_case):
    check_encoding(mobile_case, mobile_case.golden)


@pytest.mark.parametrize("kind", ["S", "M"])
def test_mobile_sam_decodes_as_the_reference(mobile_sam, mobile_case, kind):
    check_decoding(mobile_sam, mobile_case, mobile_case.features, mobile_case.golden, kind)


def test_vit_b_embeds_as_the_reference(truck):
    check_encoding(truck, load_golden("vit_b.truck"))


@pytest.mark.parametrize("kind", ["S", "M"])
def test_vit_b_decodes_as_the_reference(vit_b, truck, kind):
    alone = Features(image_embedding=truck.features.image_embedding)

    check_decoding(vit_b, truck, alone, load_golden("vit_b.truck"), kind)


@pytest.mark.parametrize("kind", ["S", "M", "Sh", "Mh"])
def test_hq_sam_decodes_as_the_reference(hq_vit_b, truck, kind):
    hq_vit_b.hq_token_only = kind.endswith("h")
    try:
        check_decoding(hq_vit_b, truck, truck.features, truck.golden, kind)
    finally:
        hq_vit_b.hq_token_only = False
