"""Everything-mode as a GPU does it, here on a CPU, beside the batches of the CPU: the same masks in the same order."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import maskwright as mw
from maskwright.core import Image
from maskwright.masks import decode
from maskwright.models import find_card, load_model
from maskwright.models.protocol import DecodesInSteps
from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder
from maskwright.predict import EverythingSettings, embed, everything_on_device, preset_for
from maskwright.predict.candidates import Candidate, Crop, clicks_at
from maskwright.predict.everything import _find_in_batches
from maskwright.predict.everything_on_device import batches_a_step, find_on_device
from maskwright.predict.everything_settings import CropBox
from reference_sam import picture

LOOSE = EverythingSettings(
    points_per_side=4, points_per_batch=3, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1
)
PIXELS = 3  # resized as one of three or alone: a logit within rounding of the threshold may fall either way


def crop_of(model: DecodesInSteps, size_hw: tuple[int, int], box: CropBox, settings: EverythingSettings) -> Crop:
    x1, y1, x2, y2 = box
    image = Image(np.ascontiguousarray(picture(size_hw)[y1:y2, x1:x2]))
    points = settings.point_grid(0) * np.array([x2 - x1, y2 - y1])
    return Crop(embedding=embed(model, image), points_xy=points, box=box, size_hw=size_hw)


def in_batches(model: DecodesInSteps, crop: Crop, settings: EverythingSettings) -> list[Candidate]:
    return _find_in_batches(model, crop, settings, lambda _: None, multimask=True)


def assert_same(found: list[Candidate], expected: list[Candidate]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.point_xy, one.crop_box) == (other.point_xy, other.crop_box)
        assert one.predicted_iou == pytest.approx(other.predicted_iou, abs=1e-5)
        assert one.agreement == pytest.approx(other.agreement, abs=1e-4)
        assert one.stability == pytest.approx(other.stability, abs=5e-3, nan_ok=True)
        assert one.box == pytest.approx(other.box, abs=1)
        assert (decode(one.rle) != decode(other.rle)).sum() <= PIXELS


def network(name: str) -> DecodesInSteps:
    model = load_model(name)
    assert isinstance(model, DecodesInSteps)
    return model


@pytest.mark.parametrize("box", [(0, 0, 80, 60), (0, 0, 80, 45), (5, 3, 80, 60)])
@pytest.mark.parametrize("settings", [LOOSE, replace(LOOSE, stability_score_thresh=0.5, box_nms_thresh=0.6)])
def test_the_same_masks_come_in_the_same_order(box: CropBox, settings: EverythingSettings) -> None:
    model = network("test-sam")
    model.mask_threshold = 0.1
    crop = crop_of(model, (60, 80), box, settings)
    seen: list[int] = []

    found = find_on_device(model, crop, settings, seen.append)

    assert found
    assert_same(found, in_batches(model, crop, settings))
    assert sum(seen) == 16


def test_tiny_finds_on_the_example_what_it_finds_in_batches() -> None:
    model, image = network("tiny"), mw.read_image(mw.example_path())
    settings = replace(preset_for(find_card("tiny")), points_per_side=6, points_per_batch=8)
    height, width = image.size_hw
    crop = Crop(
        embedding=embed(model, image),
        points_xy=settings.point_grid(0) * np.array([width, height]),
        box=(0, 0, width, height),
        size_hw=image.size_hw,
    )

    found = find_on_device(model, crop, settings, lambda _: None)

    assert len(found) > 3
    assert_same(found, in_batches(model, crop, settings))


def test_nothing_is_found_where_no_mask_is_good_enough() -> None:
    model = network("test-sam")
    settings = EverythingSettings(points_per_side=4, pred_iou_thresh=9)

    assert find_on_device(model, crop_of(model, (60, 80), (0, 0, 80, 60), settings), settings, lambda _: None) == []


def test_the_next_step_has_begun_before_the_scores_of_one_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network("test-sam")
    crop = crop_of(model, (60, 80), (0, 0, 80, 60), LOOSE)
    order: list[str] = []
    run = MaskDecoder.run

    def noted(*args: Tensor) -> Decoding:
        order.append("run")
        return run(*args)  # type: ignore[arg-type]

    def keep(scores: Tensor) -> Tensor:
        order.append("look")
        return scores > 9

    monkeypatch.setattr(MaskDecoder, "run", noted)
    prompts = clicks_at(crop.points_xy, crop.embedding.frame, model.device)

    assert list(model.decode_in_steps(crop.embedding.features, prompts, keep=keep, per_step=4)) == []

    assert order == ["run", "run", "look", "run", "look", "run", "look", "look"]


@pytest.mark.parametrize(("free_gb", "kept_gb", "expected"), [(20, 0, 4), (10, 0, 1), (10, 8, 4)])
def test_steps_are_larger_only_where_a_gpu_has_room(
    free_gb: int, kept_gb: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free_gb << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: (kept_gb + 1) << 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1 << 30)

    assert batches_a_step(torch.device("cuda")) == expected
    assert batches_a_step(torch.device("cpu")) == 1


def test_points_a_step_are_those_that_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network("test-sam")
    crop = crop_of(model, (60, 80), (0, 0, 80, 60), LOOSE)
    monkeypatch.setattr(everything_on_device, "batches_a_step", lambda device: 2)
    steps: list[int] = []

    find_on_device(model, crop, LOOSE, steps.append)

    assert steps == [6, 6, 4]
