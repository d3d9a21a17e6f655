"""Everything-mode decoded in half precision, as on a GPU: nearly the same masks, and a word where numbers overflow."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import maskwright as mw
from maskwright.core.errors import ModelError
from maskwright.masks import iou_matrix
from maskwright.models import find_card, load_model
from maskwright.models.protocol import DecodesInSteps
from maskwright.models.sam.halves import half_of
from maskwright.models.sam.model import SamModel
from maskwright.predict import embed, preset_for
from maskwright.predict.candidates import Candidate, Crop
from maskwright.predict.everything_on_device import find_on_device


def found(model: Any) -> list[Candidate]:
    assert isinstance(model, DecodesInSteps)
    image = mw.read_image(mw.example_path())
    settings = replace(preset_for(find_card("tiny")), points_per_side=4)
    height, width = image.size_hw
    points = settings.point_grid(0) * np.array([width, height])
    crop = Crop(embedding=embed(model, image), points_xy=points, box=(0, 0, width, height), size_hw=image.size_hw)
    return find_on_device(model, crop, settings, lambda _: None)


def test_tiny_finds_in_half_precision_what_it_finds_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    full = found(load_model("tiny"))
    monkeypatch.setattr(SamModel, "_decoder_of_many", lambda self: half_of(self.mask_decoder))

    half = found(load_model("tiny"))

    best = iou_matrix([one.rle for one in full], [one.rle for one in half]).max(1)
    assert abs(len(half) - len(full)) <= 1
    assert np.median(best) > 0.99
    assert (best > 0.95).mean() >= 0.9


def test_a_copy_is_kept_until_the_weights_change() -> None:
    model: Any = load_model("test-sam")

    first = half_of(model.mask_decoder)
    again = half_of(model.mask_decoder)
    with torch.no_grad():
        model.mask_decoder.iou_token.weight += 1
    other = half_of(model.mask_decoder)

    assert again is first
    assert other is not first
    assert (other.dtype, model.mask_decoder.dtype) == (torch.float16, torch.float32)
    torch.testing.assert_close(other.iou_token.weight.float(), model.mask_decoder.iou_token.weight, rtol=1e-3, atol=0)


def test_numbers_too_large_for_half_precision_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SamModel, "_decoder_of_many", lambda self: half_of(self.mask_decoder))
    model: Any = load_model("tiny")
    model.mask_decoder.iou_prediction_head.layers[-1].bias.data[:] = 1e6

    with pytest.raises(ModelError, match=r"tiny cannot decode in torch.float16. Load it with precision fp32."):
        found(model)
