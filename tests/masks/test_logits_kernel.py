"""The kernel beside torch's two full-size resizes and pycocotools' encoder: every pixel, every byte.

Exact agreement with torch is asserted where torch itself is compiled with fused multiply-add (AVX2 and up), because
that is the order of rounding the kernel copies; elsewhere a pixel whose logit rounds differently may flip.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from maskwright.masks import decode, encode
from maskwright.masks.logits_kernel import Canvas, LogitsMap, draw_mask
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict.upscale import masks_from_logits, upscale_logits

HAS_FMA = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
exact = pytest.mark.skipif(not HAS_FMA, reason="torch rounds otherwise on this machine")


def smooth_logits(seed: int, count: int, side: int, cell: int, steepness: float) -> torch.Tensor:
    """Noise with features of `cell` logits: some masks of one blob, some of many, some with holes."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, count, side // cell + 2, side // cell + 2, generator=generator)
    return steepness * F.interpolate(coarse, (side, side), mode="bicubic") + 0.02 * torch.randn(
        1, count, side, side, generator=generator
    )


def frame_of(size_hw: tuple[int, int], side: int = 128) -> ModelFrame:
    return ModelFrame.of(size_hw, FrameSpec(side=side, logits_side=side // 4))


def counts_of(runs: list[int], size_hw: tuple[int, int]) -> bytes:
    flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
    return encode(flat.reshape(size_hw, order="F").astype(bool)).counts


def assert_same_as_torch(logits: torch.Tensor, frame: ModelFrame, threshold: float, offset: float) -> None:
    full = upscale_logits(logits, frame)[0]
    count = logits.shape[1]

    drawn = masks_from_logits(
        logits[0], frame, threshold, stability_offset=offset, one_of_three=count == 3, canvas_hw=frame.size_hw
    )

    for logit, mask in zip(full, drawn, strict=True):
        dense = (logit > threshold).numpy()
        encoded = coco.encode(np.asfortranarray(dense))
        x, y, w, h = coco.toBbox(encoded)
        assert mask.rle.counts == encoded["counts"]
        assert mask.area == dense.sum()
        assert mask.box_xyxy == (x, y, x + w, y + h)
        assert mask.num_inner == (logit > threshold + offset).sum()
        assert mask.num_outer == (logit > threshold - offset).sum()


@exact
@pytest.mark.parametrize(
    "size_hw", [(300, 450), (100, 37), (128, 128), (640, 480), (1, 1), (1, 700), (700, 1), (3, 500)]
)
@pytest.mark.parametrize("candidates", [1, 3])
def test_masks_are_those_of_torch_to_the_pixel(size_hw: tuple[int, int], candidates: int) -> None:
    for seed, cell in enumerate((1, 3, 8, 20)):
        logits = smooth_logits(seed, candidates, 32, cell, steepness=5.0)

        assert_same_as_torch(logits, frame_of(size_hw), 0.0, 1.0)
        assert_same_as_torch(logits, frame_of(size_hw), 0.8, 0.5)


@exact
@settings(max_examples=60, deadline=None)
@given(
    size_hw=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    side=st.sampled_from([16, 64, 128]),
    seed=st.integers(0, 2**16),
    cell=st.sampled_from([1, 2, 5, 12]),
    steepness=st.sampled_from([0.1, 3.0, 100.0]),
    threshold=st.sampled_from([0.0, -0.3, 0.8]),
    offset=st.sampled_from([0.0, 1.0]),
    candidates=st.sampled_from([1, 3]),
)
def test_any_size_and_threshold_gives_the_masks_of_torch(
    size_hw: tuple[int, int],
    side: int,
    seed: int,
    cell: int,
    steepness: float,
    threshold: float,
    offset: float,
    candidates: int,
) -> None:
    logits = smooth_logits(seed, candidates, side // 4, cell, steepness)

    assert_same_as_torch(logits, frame_of(size_hw, side), threshold, offset)


@exact
def test_a_large_picture_of_the_real_frame_gives_the_masks_of_torch() -> None:
    frame = ModelFrame.of((1500, 2250), FrameSpec())

    assert_same_as_torch(smooth_logits(7, 3, 256, 40, steepness=8.0), frame, 0.0, 1.0)


@exact
def test_logits_all_a_hair_above_the_threshold_round_as_in_torch() -> None:
    logits = torch.full((1, 1, 32, 32), 1.0)
    logits[..., ::2] = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))

    assert_same_as_torch(logits, frame_of((77, 131)), 1.0, 0.0)


@pytest.mark.parametrize("value", [-3.0, 3.0])
def test_uniform_logits_give_an_empty_or_a_full_mask(value: float) -> None:
    frame = frame_of((45, 60))

    (mask,) = masks_from_logits(torch.full((1, 32, 32), value), frame)

    full = np.full((45, 60), value > 0)
    assert mask.rle.counts == coco.encode(np.asfortranarray(full))["counts"]
    assert mask.box_xyxy == ((0, 0, 60, 45) if value > 0 else (0, 0, 0, 0))


def test_stability_is_nan_where_even_the_lower_threshold_finds_nothing() -> None:
    (mask,) = masks_from_logits(torch.full((1, 32, 32), -3.0), frame_of((45, 60)), stability_offset=1.0)

    assert np.isnan(mask.stability)


@pytest.mark.parametrize("corner", [(0, 0), (13, 0), (0, 21), (13, 21), (40, 30)])
def test_a_crop_is_drawn_at_its_place_in_the_whole_picture(corner: tuple[int, int]) -> None:
    x, y = corner
    frame = frame_of((70, 60))
    logits = smooth_logits(3, 1, 32, 6, steepness=4.0)[0]

    (alone,) = masks_from_logits(logits, frame)
    (placed,) = masks_from_logits(logits, frame, canvas_hw=(100, 100), offset_xy=corner)

    canvas = np.zeros((100, 100), np.uint8)
    canvas[y : y + 70, x : x + 60] = decode(alone.rle)
    assert placed.rle.counts == coco.encode(np.asfortranarray(canvas))["counts"]
    assert placed.area == alone.area
    x1, y1, x2, y2 = alone.box_xyxy
    assert placed.box_xyxy == (x1 + x, y1 + y, x2 + x, y2 + y)


def test_runs_go_on_from_one_column_to_the_next_only_where_pixels_touch_in_memory() -> None:
    way = LogitsMap.of(logits_side=8, side=32, input_hw=(32, 32), size_hw=(10, 10))
    inside = np.full((8, 8), 5.0, np.float32)

    same_height = draw_mask(inside, way, canvas=Canvas(size_hw=(10, 12), x=1))
    taller = draw_mask(inside, way, canvas=Canvas(size_hw=(11, 12), x=1))

    assert same_height.rle.counts == counts_of([10, 100, 10], (10, 12))
    assert taller.rle.counts == counts_of([11, *([10, 1] * 9), 10, 12], (11, 12))


def test_many_masks_on_threads_come_back_in_order() -> None:
    frame = frame_of((60, 80))
    logits = smooth_logits(1, 40, 32, 4, steepness=4.0)[0]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one_by_one = masks_from_logits(logits, frame)
        torch.set_num_threads(4)
        together = masks_from_logits(logits, frame)
    finally:
        torch.set_num_threads(threads)

    assert together == one_by_one
