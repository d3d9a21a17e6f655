import numpy as np
import pytest
import torch

from maskwright.core import BoxPrompt, Image, MaskRecord, PointPrompt
from maskwright.masks import decode, iou_matrix
from maskwright.models import find_card, load_model
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.models.sam import graphs
from maskwright.predict import EmbeddingCache, embed, everything, masks_from_logits, predict, refine, to_records
from maskwright.predict.everything_settings import preset_for
from maskwright.predict.masks_on_device import count_on_device

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")

PROMPTS = [PointPrompt([(150, 110)]), BoxPrompt((90, 60, 210, 160)), PointPrompt([(150, 110), (10, 10)], [1, 0])]


@pytest.fixture(scope="module")
def image():
    """A bright disc with a hole on a textured ground."""
    random = np.random.default_rng(0)
    pixels = random.normal(90, 12, (240, 320, 3))
    y, x = np.mgrid[:240, :320]
    radius = np.hypot(x - 150, y - 110)
    pixels[(radius < 50) & (radius > 12)] += (110, 60, 20)
    return Image(pixels.clip(0, 255).astype(np.uint8))


def masks_of(model, image) -> list[MaskRecord]:
    embedding = embed(model, image)
    return to_records(refine(model, embedding, PROMPTS, previous=predict(model, embedding, PROMPTS)))


def agreement(a: list[MaskRecord], b: list[MaskRecord]) -> float:
    return float(np.diag(iou_matrix([r.rle for r in a], [r.rle for r in b])).min())


@pytest.mark.parametrize("name", ["test-sam", "tiny"])
def test_a_gpu_gives_the_masks_of_the_cpu(name, image):
    cpu, gpu = load_model(name), load_model(name, device="cuda")

    assert agreement(masks_of(cpu, image), masks_of(gpu, image)) > 0.98


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_gives_the_same_masks_and_says_so(precision, image):
    full = load_model("tiny", device="cuda")
    low = load_model("tiny", device="cuda", precision=precision)

    records = masks_of(low, image)

    assert records[0].provenance.model.precision == precision
    assert agreement(masks_of(full, image), records) > 0.95


def test_features_stay_on_the_gpu_and_come_back_from_disk(tmp_path, image):
    model = load_model("tiny", device="cuda")
    first = embed(model, image, cache=EmbeddingCache(directory=tmp_path))

    again = embed(model, image, cache=EmbeddingCache(directory=tmp_path))

    assert again.features.image_embedding.device.type == "cuda"
    assert torch.equal(first.features.image_embedding, again.features.image_embedding)


def test_everything_on_a_gpu_finds_what_the_cpu_finds(image):
    settings = preset_for(find_card("tiny"), "fast")

    cpu = everything(load_model("tiny"), image, settings=settings)
    gpu = everything(load_model("tiny", device="cuda", precision="fp32"), image, settings=settings)

    assert cpu
    best = iou_matrix([r.rle for r in cpu], [r.rle for r in gpu]).max(axis=1)
    assert (best > 0.9).mean() > 0.9


def test_the_frame_that_a_gpu_makes_is_the_one_of_the_cpu(image):
    frame = ModelFrame.of(image.size_hw, FrameSpec(side=200, logits_side=50))
    frame.pixels_to_model(image.pixels, "cuda")  # Pillow's, which teaches the GPU the order

    assert torch.equal(frame.pixels_to_model(image.pixels, "cuda").cpu(), frame.pixels_to_model(image.pixels, "cpu"))


@pytest.mark.parametrize("name", ["test-sam", "tiny"])
def test_a_click_by_a_graph_is_the_click_without(name, image, monkeypatch):
    model = load_model(name, device="cuda")
    embedding = embed(model, image)
    others = [PointPrompt([(x, 100)]) for x in (20, 60, 150)]
    monkeypatch.setenv("MASKWRIGHT_CUDA_GRAPHS", "0")
    plain = [predict(model, embedding, [one]) for one in others]
    monkeypatch.setenv("MASKWRIGHT_CUDA_GRAPHS", "1")
    for _ in range(2):
        predict(model, embedding, others[:1])

    played = [predict(model, embedding, [one]) for one in others]

    assert len(graphs._graphs_of[model]._recordings) == 1
    for one, other in zip(played, plain, strict=True):
        torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-4)
        torch.testing.assert_close(one.predicted_iou, other.predicted_iou)


def test_masks_drawn_on_a_gpu_are_those_of_the_cpu():
    frame = ModelFrame.of((300, 400), FrameSpec(side=256, logits_side=64))
    logits = torch.nn.functional.interpolate(torch.randn(1, 20, 9, 9), (64, 64), mode="bicubic")[0]

    there = masks_from_logits(logits.cuda(), frame, 0.1, stability_offset=0.2)
    here = masks_from_logits(logits, frame, 0.1, stability_offset=0.2)

    for one, other in zip(there, here, strict=True):
        assert one.area == pytest.approx(other.area, abs=3)
        assert one.stability == pytest.approx(other.stability, abs=1e-3)
        assert (decode(one.rle) != decode(other.rle)).sum() <= 3


def test_counts_of_a_gpu_are_those_of_the_cpu():
    for size_hw in [(256, 256), (300, 400), (90, 60)]:
        frame = ModelFrame.of(size_hw, FrameSpec(side=256, logits_side=64))
        logits = 3 * torch.nn.functional.interpolate(torch.randn(1, 20, 9, 9), (64, 64), mode="bicubic")[0]

        there = count_on_device(logits.cuda(), frame, 0.1, stability_offset=0.2).cpu()

        here = count_on_device(logits, frame, 0.1, stability_offset=0.2)
        assert (there - here).abs().max() <= 3
