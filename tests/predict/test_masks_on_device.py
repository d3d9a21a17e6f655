"""Masks drawn in torch operations, as on a GPU, beside the kernel of the CPU: every byte of single candidates."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskwright.masks.logits_kernel import Canvas
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict import masks_on_device
from maskwright.predict.masks_on_device import count_on_device, draw_on_device
from maskwright.predict.upscale import masks_from_logits

HAS_FMA = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
exact = pytest.mark.skipif(not HAS_FMA, reason="torch rounds otherwise on this machine")


def some_logits(count: int) -> torch.Tensor:
    """Smooth noise, the last two masks empty and full."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.randn(1, count, 9, 9, generator=generator)
    logits = 3 * F.interpolate(coarse, (32, 32), mode="bicubic")[0]
    logits[-2], logits[-1] = -5, 5
    return logits


@exact
@pytest.mark.parametrize("size_hw", [(128, 128), (96, 128), (50, 75), (300, 200), (1, 40)])
@pytest.mark.parametrize("pixels_at_once", [1, 40_000, 64 << 20])
def test_every_byte_is_the_kernels(
    size_hw: tuple[int, int], pixels_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks_on_device, "_PIXELS_AT_ONCE", pixels_at_once)
    frame, logits = ModelFrame.of(size_hw, FrameSpec(side=128, logits_side=32)), some_logits(7)

    drawn = draw_on_device(logits, frame, 0.3, stability_offset=0.5)

    assert drawn == masks_from_logits(logits, frame, 0.3, stability_offset=0.5)


@exact
@pytest.mark.parametrize(("canvas_hw", "x", "y"), [((96, 128), 0, 0), ((96, 200), 30, 0), ((120, 200), 30, 7)])
def test_a_crop_is_put_where_it_lies(canvas_hw: tuple[int, int], x: int, y: int) -> None:
    frame, logits = ModelFrame.of((96, 128), FrameSpec(side=128, logits_side=32)), some_logits(6)

    drawn = draw_on_device(logits, frame, canvas=Canvas(size_hw=canvas_hw, x=x, y=y))

    assert drawn == masks_from_logits(logits, frame, canvas_hw=canvas_hw, offset_xy=(x, y))


@exact
def test_counts_are_those_of_the_masks() -> None:
    frame, logits = ModelFrame.of((96, 128), FrameSpec(side=128, logits_side=32)), some_logits(6)

    table = count_on_device(logits, frame, 0.1, stability_offset=1.0)

    drawn = masks_from_logits(logits, frame, 0.1, stability_offset=1.0)
    expected = [(one.area, one.num_inner, one.num_outer, *one.box_xyxy) for one in drawn]
    np.testing.assert_array_equal(table.numpy(), expected)


def test_no_masks_are_no_trouble() -> None:
    frame = ModelFrame.of((96, 128), FrameSpec(side=128, logits_side=32))

    assert draw_on_device(torch.zeros(0, 32, 32), frame) == []
    assert count_on_device(torch.zeros(0, 32, 32), frame, 0.0).shape == (0, 7)
