"""The Triton kernel in Triton's interpreter, beside the counts of full-size logits: the same numbers."""

import os

import pytest
import torch
import torch.nn.functional as F

from maskwright.masks.logits_kernel import LogitsMap
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict.masks_on_device import count_on_device

pytest.importorskip("triton", reason="Triton comes with PyTorch for NVIDIA GPUs")
pytestmark = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="needs TRITON_INTERPRET=1")


@pytest.mark.parametrize("size_hw", [(128, 128), (96, 128), (50, 75), (300, 200), (1, 40)])
@pytest.mark.parametrize("offset", [0.5, -0.5])
def test_counts_are_those_of_full_size_logits(size_hw: tuple[int, int], offset: float) -> None:
    from maskwright.predict.count_kernel import Axis, count

    generator = torch.Generator().manual_seed(1)
    logits = 3 * F.interpolate(torch.randn(1, 4, 9, 9, generator=generator), (32, 32), mode="bicubic")[0]
    logits[-2], logits[-1] = -5, 5
    frame = ModelFrame.of(size_hw, FrameSpec(side=128, logits_side=32))
    way = LogitsMap.of(logits_side=32, side=128, input_hw=frame.input_hw, size_hw=size_hw)
    rows, columns = (
        Axis(*(torch.from_numpy(getattr(axis, name)) for name in Axis._fields)) for axis in (way.rows, way.columns)
    )

    table = count(logits, rows, columns, (0.1 - offset, 0.1, 0.1 + offset))

    assert torch.equal(table, count_on_device(logits, frame, 0.1, stability_offset=offset))
