"""The embedded model: its weights load strictly, it keeps the size and cost it promises, and it finds plain things."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

import maskwright as mw
from maskwright.core.errors import SettingError
from maskwright.evaluate import Dataset, LabelledPicture, ModelSegmenter, PictureSource, Trial, TrueObject, evaluate
from maskwright.masks import box_xyxy, from_coco, iou
from maskwright.models import load_model
from maskwright.models.cards import TINY
from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny import TinyConfig, build_tiny, build_tiny_network
from maskwright.models.tiny.clicks import keep_clicks
from maskwright.models.tiny.model import SHADES, TinySam
from maskwright.models.tiny.presets import TINY_WEIGHTS
from maskwright.predict.embedding import embedding_key


@pytest.fixture(scope="module")
def tiny() -> TinySam:
    return build_tiny()


def test_every_weight_is_finite_half_precision_and_named_as_the_network_names_it(tiny: TinySam) -> None:
    weights = load_file(TINY_WEIGHTS)

    assert weights.keys() == tiny.state_dict().keys()
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert all(bool(torch.isfinite(value).all()) for value in weights.values())


@pytest.mark.parametrize("change", ["missing", "unexpected", "wrong shape"])
def test_weights_of_another_network_are_refused(tmp_path: Path, change: str) -> None:
    weights = load_file(TINY_WEIGHTS)
    name = "image_encoder.trunk.stem.weight"
    if change == "missing":
        del weights[name]
    elif change == "unexpected":
        weights["image_encoder.more"] = torch.zeros(1)
    else:
        weights[name] = weights[name][:, :1].contiguous()
    save_file(weights, tmp_path / "other.safetensors")

    with pytest.raises(RuntimeError, match="state_dict"):
        build_tiny(weights=tmp_path / "other.safetensors")


def test_the_weights_say_where_they_come_from() -> None:
    with safe_open(TINY_WEIGHTS, "pt") as file:
        metadata = file.metadata()

    assert metadata["licence"] == TINY.licence
    assert json.loads(metadata["recipe"])["batch"] > 0
    assert "generated scenes" in metadata["data"]


def test_it_is_small_enough_to_travel_in_the_package(tiny: TinySam) -> None:
    num_parameters = sum(parameter.numel() for parameter in tiny.parameters())

    assert num_parameters == TINY.num_parameters
    assert num_parameters <= 12e6
    assert TINY_WEIGHTS.stat().st_size <= 24e6


def test_encoding_and_clicking_cost_what_is_promised(tiny: TinySam) -> None:
    side = tiny.frame.side
    prompt = FramePrompts(points=torch.tensor([[[300.0, 200.0]]]), labels=torch.tensor([[1]]))
    with torch.no_grad():
        with FlopCounterMode(display=False) as encoding:
            features = tiny.encode(torch.zeros(1, 3, side, side))
        with FlopCounterMode(display=False) as clicking:
            tiny.decode(features, prompt, multimask=True)

    assert 1e9 < encoding.get_total_flops() <= 19.4e9
    assert 1e8 < clicking.get_total_flops() <= 1.8e9


# The picture in the package is a rendered still life: eight things on a wooden table. These five stand alone. The bowl
# and the two oranges that lie in it are too hard for these weights, and docs/tiny.md says so.
PLAIN = ("mug", "bottle", "apple", "lemon", "carton")


@pytest.fixture(scope="module")
def still_life() -> dict[tuple[str, str], Trial]:
    image = mw.read_image(mw.example_path())
    truths = json.loads(mw.example_path().with_suffix(".json").read_text())
    objects = tuple(TrueObject(key=name, mask=from_coco(truths[name])) for name in PLAIN)
    picture = LabelledPicture(name="tabletop", image=image, objects=objects)
    data = Dataset(name="tabletop", sources=(PictureSource(name="tabletop", read=lambda: picture),))
    done = evaluate([ModelSegmenter(load_model("tiny"))], data, tasks=["box", "click"])
    return {(trial.kind, trial.asked): trial for trial in done.trials}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_thing_is_cut_out_by_a_box(still_life: dict[tuple[str, str], Trial], name: str) -> None:
    assert still_life["box", name].after(1).iou > 0.8


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_thing_is_cut_out_by_one_click_in_its_middle(
    still_life: dict[tuple[str, str], Trial], name: str
) -> None:
    assert still_life["click", name].after(1).iou > 0.8


def test_only_the_single_mask_leans_beyond_what_was_trained(tiny: TinySam) -> None:
    side = tiny.frame.side
    prompt = FramePrompts(points=torch.tensor([[[300.0, 200.0]]]), labels=torch.tensor([[1]]))
    with torch.no_grad():
        features = tiny.encode(torch.zeros(1, 3, side, side))
        trained = tiny.decode_training(features, torch.zeros(1, dtype=torch.long), prompt).logits
        single = tiny.decode(features, prompt, multimask=False).logits
        several = tiny.decode(features, prompt, multimask=True).logits

    lean = torch.tensor([0.25, 0, 0, 0])[None, :, None, None]
    leant = Decoded(logits=trained + lean, predicted_iou=torch.zeros(1, 4))
    expected = keep_clicks(leant, prompt, features.extra[SHADES], side).logits
    torch.testing.assert_close(single, expected[:, :1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(several, expected[:, 1:], rtol=1e-3, atol=1e-3)


def test_it_looks_at_frames_of_another_side_with_the_same_weights(tiny: TinySam) -> None:
    image = mw.read_image(mw.example_path())
    truth = from_coco(json.loads(mw.example_path().with_suffix(".json").read_text())["mug"])
    smaller = build_tiny()
    smaller.look_at_side(384)

    embedding = mw.embed(smaller, image)
    (record,) = mw.to_records(mw.predict(smaller, embedding, [mw.BoxPrompt(box_xyxy(truth))]))

    assert embedding.features.image_embedding.shape[-1] == 384 // 16
    assert record.rle.size_hw == image.size_hw
    assert iou(record.rle, truth) > 0.8
    assert embedding_key(smaller, image.digest) != embedding_key(tiny, image.digest)


def test_a_frame_without_its_padding_is_seen_alike() -> None:
    image = mw.read_image(mw.example_path())
    truth = from_coco(json.loads(mw.example_path().with_suffix(".json").read_text())["mug"])
    x1, y1, x2, y2 = box_xyxy(truth)
    top, bottom = max(0, int(y1) - 40), min(image.size_hw[0], int(y2) + 40)
    strip = mw.Image(np.ascontiguousarray(image.pixels[top:bottom]))  # lies flat: much of its frame is padding
    models, masks = [build_tiny(), build_tiny()], []
    for model in models:
        model.look_at_side(384)
    models[0].leave_out_padding()

    embeddings = [mw.embed(model, strip) for model in models]
    for model, embedding in zip(models, embeddings, strict=True):
        (record,) = mw.to_records(mw.predict(model, embedding, [mw.BoxPrompt((x1, y1 - top, x2, y2 - top))]))
        masks.append(record.rle)

    ours, theirs = (one.features for one in embeddings)
    assert [one.shape for one in ours.extra] == [one.shape for one in theirs.extra]
    assert iou(*masks) > 0.95
    assert embedding_key(models[0], strip.digest) != embedding_key(models[1], strip.digest)


@pytest.mark.parametrize("side", [0, 31, 400])
def test_a_side_that_the_encoder_cannot_have_is_refused(side: int) -> None:
    model = build_tiny_network(config=TinyConfig(trunk="lite0", side=64))

    with pytest.raises(SettingError, match=r"multiple of 32"):
        model.look_at_side(side)
    assert model.frame.side == 64
