import functools
import json

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from maskwright.core import Image, PointPrompt
from maskwright.core.errors import CheckpointError, InputError, ModelError, SettingError
from maskwright.models import load_model
from maskwright.models.backends.export import to_onnx
from maskwright.predict import embed, predict
from maskwright.workflows import quantize
from maskwright.workflows.demo import make_demo
from maskwright.workflows.frame_statistics import FrameStatistics, apart, frame_statistics, unusual
from maskwright.workflows.mask_gate import Gate
from maskwright.workflows.quantize import quantize_model
from maskwright.workflows.quantize_frames import find_frames
from maskwright.workflows.quantize_page import quantize_page

LOOSE = Gate(mean=0.5, tail=0.9)  # test-sam's masks mean nothing


def write_pictures(folder, count, *, with_masks=True):
    rng = np.random.default_rng(0)
    for name in ("images", "masks") if with_masks else ("images",):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        pixels, mask = np.full((90, 120, 3), rng.integers(60, 160, 3), np.uint8), np.zeros((90, 120), np.uint8)
        cv2.circle(mask, (int(rng.integers(30, 90)), int(rng.integers(30, 60))), 20, 255, -1)
        pixels[mask > 0] = rng.integers(0, 255, 3)
        PillowImage.fromarray(pixels).save(folder / "images" / f"{i}.png")
        if with_masks:
            PillowImage.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("labelled"), 8)


@pytest.fixture(scope="module", autouse=True)
def one_export():
    """The graphs of test-sam, written once for all tests here: they take torch a dozen seconds."""
    with pytest.MonkeyPatch.context() as patch:
        write = functools.cache(lambda sha256: to_onnx(load_model("test-sam")))
        patch.setattr(quantize, "to_onnx", lambda model, **_: write(model.checkpoint_sha256))
        yield


@pytest.fixture(scope="module")
def quantised(labelled, one_export):
    out = labelled / "int8.onnx"
    return quantize_model("test-sam", str(labelled), out, gate=LOOSE)


def test_a_quantised_model_is_a_model(quantised):
    image = Image(pixels=np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8))
    before, after = load_model("test-sam"), load_model(quantised.path)

    answers = [predict(one, embed(one, image), [PointPrompt([(60.0, 40.0)])]) for one in (before, after)]

    assert after.card.computed_as.startswith("int8-")
    assert after.checkpoint_sha256 == before.checkpoint_sha256
    assert embed(after, image).model.precision == after.card.computed_as  # no cache takes one for the other
    agree = (answers[0].logits > 0) == (answers[1].logits > 0)
    assert agree.float().mean() > 0.9


def test_the_report_says_what_was_measured(quantised):
    told = json.loads(json.dumps(quantised.to_json()))

    assert told["tried"][-1]["result"]["num_answers"] == 8
    assert told["errors"][0]["error"] >= told["errors"][-1]["error"]
    assert told["after_bytes"] < told["before_bytes"]
    agreements = [one["agreement"] for one in told["worst"]]
    assert agreements == sorted(agreements)
    assert len(agreements) == 8


def test_the_page_tells_each_layer_and_draws_the_worst_masks(quantised):
    page = quantize_page(quantised)

    assert page.count("<figure>") == page.count("data:image/jpeg;base64,") == len(quantised.worst) == 8
    assert all(f"<td>{one.group}</td>" in page for one in quantised.errors)
    assert f"agreement {quantised.worst[0].agreement:.2f}, by a {quantised.worst[0].kind}" in page


def test_nothing_is_written_when_masks_fall_too_far(labelled, tmp_path):
    out = tmp_path / "int8.onnx"

    with pytest.raises(
        ModelError, match=r"nothing was written: even with .* IoU on average \(0 is allowed\).*cost most"
    ):
        quantize_model("test-sam", str(labelled), out, gate=Gate(mean=0, tail=0))

    assert list(tmp_path.iterdir()) == []


def test_a_refusal_without_true_masks_says_that_they_would_be_asked(tmp_path):
    folder = write_pictures(tmp_path / "frames", 8, with_masks=False)

    with pytest.raises(ModelError, match="Without true masks every change counts as a loss"):
        quantize_model("test-sam", str(folder), tmp_path / "x.onnx", kind="weights-int8", gate=Gate(mean=0, tail=0))


def test_a_status_without_a_store_is_refused(tmp_path):
    folder = write_pictures(tmp_path / "frames", 8, with_masks=False)

    with pytest.raises(SettingError, match="--status says which masks of a store are true; leave it out"):
        quantize_model("test-sam", str(folder), tmp_path / "x.onnx", statuses=("proposed",))


def test_masks_of_a_store_are_true_by_the_status_that_is_named(tmp_path):
    store = str(make_demo(tmp_path / "demo").store)  # a simulator's masks, which nobody has accepted

    found = find_frames(store, 8, ("proposed",))

    assert found.has_truth
    assert len(found.calibration) == len(found.gate) == 4
    with pytest.raises(InputError, match="expected masks that are accepted"):
        find_frames(store, 8)


def test_weights_alone_in_the_command_line_and_without_true_masks(tmp_path, capsys):
    folder, out = write_pictures(tmp_path / "frames", 8, with_masks=False), tmp_path / "small.onnx"
    words = ["models", "quantize", "test-sam", "--data", str(folder), "-o", str(out), "--kind", "weights-fp16"]

    code = run([*words, "--max-drop", "0.2", "--max-drop-tail", "0.5"])

    assert code == 0
    assert "no true masks here" in capsys.readouterr().out
    assert json.loads((tmp_path / "small.report.json").read_text())["kind"] == "weights-fp16"
    assert "beside the answers in fp32" in (tmp_path / "small.report.html").read_text()


def test_a_quantised_model_is_not_quantised_again(quantised, labelled, tmp_path):
    with pytest.raises(CheckpointError, match="one that is in int8 already. Quantise test-sam"):
        quantize_model(str(quantised.path), str(labelled), tmp_path / "x.onnx")


def test_too_few_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="needs at least 8 frames.*got 3"):
        find_frames(str(write_pictures(tmp_path / "few", 3)), 64)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing here that frames can be read from"):
        find_frames(str(tmp_path), 64)


def test_frames_that_cannot_be_read_are_refused(tmp_path):
    folder = write_pictures(tmp_path / "broken", 8)
    for path in (folder / "images").iterdir():
        path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(InputError, match="only 0 of 4 frames can be read"):
        quantize_model("test-sam", str(folder), tmp_path / "x.onnx")


@pytest.mark.parametrize("mean", [-0.1, 1.0, float("nan")])
def test_a_gate_is_a_drop_of_iou(mean):
    with pytest.raises(SettingError, match="--max-drop is a drop of IoU from 0 to below 1"):
        Gate(mean=mean)


def test_kinds_and_names_of_files_are_checked(labelled, tmp_path):
    with pytest.raises(SettingError, match="--kind must be one of int8, weights-int8, weights-fp16, got 'int4'"):
        quantize_model("test-sam", str(labelled), tmp_path / "x.onnx", kind="int4")
    with pytest.raises(SettingError, match=r"name it X\.onnx"):
        quantize_model("test-sam", str(labelled), tmp_path / "x.pt")


def test_each_episode_gives_to_both_halves(labelled):
    frames = find_frames(str(labelled), 64)

    assert (len(frames.calibration), len(frames.gate), frames.has_truth) == (4, 4, True)
    assert not {one.name for one in frames.calibration} & {one.name for one in frames.gate}


def test_frames_of_another_domain_are_told_by_their_statistics():
    usual = FrameStatistics(brightness=0.45, contrast=0.2, colour=0.1, detail=0.03)
    night = frame_statistics(np.full((60, 80, 3), 8, np.uint8))

    assert unusual([usual] * 5) == []
    assert "brightness 0.03, photographs have 0.16 to 0.69" in unusual([night] * 5)
    assert apart([usual] * 5, [usual] * 5) == []
    assert "brightness 0.45 and 0.03" in apart([usual] * 5, [night] * 5)
