import json
import threading

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from maskwright.core.errors import SettingError, UnsupportedPrompt
from maskwright.models import load_model
from maskwright.models.backends.export import TOLERANCE, check_target, export_model
from maskwright.models.backends.manifest import KEY
from maskwright.models.backends.onnx_file import read_onnx
from maskwright.models.backends.onnx_graph import check_opset
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import FramePrompts
from maskwright.predict.upscale import upscale_logits

DECODER = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"]


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


@pytest.fixture(scope="module")
def whole(exported):
    """The file as anybody would open it."""
    return onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])


def asked(points, labels, size_hw, masks=None):
    N = len(points)
    return {
        "point_coords": np.asarray(points, np.float32),
        "point_labels": np.asarray(labels, np.float32),
        "mask_input": np.zeros((1, 1, 32, 32), np.float32) if masks is None else masks,
        "has_mask_input": np.zeros(1, np.float32) if masks is None else np.ones(N, np.float32),
        "orig_im_size": np.array(size_hw, np.float32),
    }


def test_the_file_is_one_valid_graph_with_the_names_of_segment_anything(exported, whole):
    onnx.checker.check_model(onnx.load(exported), full_check=True)

    assert [one.name for one in whole.get_inputs()] == ["images", *DECODER[1:]]
    assert [one.name for one in whole.get_outputs()] == ["masks", "iou_predictions", "low_res_masks"]


@pytest.mark.parametrize("size_hw", [(96, 128), (300, 70), (1, 600)])
def test_the_graph_runs_from_images_and_prompts_to_masks_of_the_image(whole, model, size_hw):
    frame = ModelFrame.of(size_hw, model.frame)
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    points, labels = [[[40.0, 50.0], [0.0, 0.0]], [[10.0, 9.0], [90.0, 80.0]]], [[1, -1], [2, 3]]

    masks, ious, low = whole.run(None, {"images": pixels.numpy()} | asked(points, labels, size_hw))

    with torch.no_grad():
        features = model.encode(pixels)
        prompts = FramePrompts(points=torch.tensor(points), labels=torch.tensor(labels))
        expected = model.decode_training(features, torch.zeros(2, dtype=torch.long), prompts)
    full = upscale_logits(expected.logits, frame)
    assert np.allclose(ious, expected.predicted_iou, atol=1e-5)
    assert np.allclose(low, expected.logits, atol=1e-4 * float(expected.logits.abs().max()))
    assert masks.shape == full.shape == (2, 4, *size_hw)
    assert np.allclose(masks, full, atol=1e-4 * float(full.abs().max()))


def test_the_decoder_can_be_cut_out_with_onnxs_own_tool(exported, tmp_path):
    path = tmp_path / "decoder.onnx"

    onnx.utils.extract_model(
        str(exported), str(path), DECODER, ["masks", "iou_predictions", "low_res_masks"], check_model=False
    )

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {"image_embeddings": np.zeros((1, 32, 8, 8), np.float32)} | asked([[[1.0, 2.0]]], [[1]], (64, 64))
    assert session.run(None, given)[0].shape == (1, 4, 64, 64)


def test_all_that_a_loader_needs_travels_in_the_file(exported, model, reported):
    found = {one.key: one.value for one in onnx.load(exported).metadata_props}

    assert found["base_model"] == "test-sam"
    assert found["base_sha256"] == model.checkpoint_sha256
    assert found["licence"] == "Apache-2.0"
    assert json.loads(found["preprocessing"])["side"] == 128
    assert read_onnx(exported).manifest == reported.manifest
    assert json.loads(found[KEY])["opset"] == 20


def test_no_path_of_this_machine_travels_with_it(exported):
    content = exported.read_bytes()

    assert b"site-packages" not in content
    assert b".py" not in content


def test_the_report_tells_how_far_each_part_is_from_torch(reported):
    assert set(reported.manifest.checked) == {"encoder", "decoder"}
    assert 0 < reported.difference < TOLERANCE
    assert reported.num_bytes == reported.path.stat().st_size


def test_threads_may_ask_at_the_same_time(exported):
    model = load_model(exported)
    pixels = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    expected = [model.encode(pixels[i : i + 1]).image_embedding for i in range(4)]
    found: dict[int, torch.Tensor] = {}

    def work(i):
        found[i] = model.encode(pixels[i : i + 1]).image_embedding

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert all(torch.equal(found[i], expected[i]) for i in range(4))


@pytest.mark.parametrize("opset", [9, 17, 99])
def test_an_opset_that_is_not_known_here_is_refused(opset):
    with pytest.raises(SettingError, match=rf"opset must be 18 to \d+ with the packages installed here, got {opset}"):
        check_opset(opset)


@pytest.mark.parametrize(
    ("to", "out", "message"),
    [
        ("coreml", "a", "--to must be one of onnx, openvino, torchscript, tensorrt; got 'coreml'"),
        ("openvino", "a.xml", "openvino is written as a folder of parts, named without an ending. Name one: "),
        ("torchscript", "a.onnx", "torchscript is written as a file that ends in .pt. Name one: "),
        ("onnx", "there", "there is something already. Remove it, or name another folder: "),
        ("torchscript", "folder.pt", "expected the name of a file to write, got a folder. Name a file in it: "),
    ],
)
def test_a_target_that_cannot_be_written_is_told_before_anything_is_computed(tmp_path, to, out, message):
    (tmp_path / "there").mkdir()
    (tmp_path / "folder.pt").mkdir()

    with pytest.raises(SettingError) as told:
        check_target(to, tmp_path / out)

    assert str(told.value).startswith(message)


def test_tensorrt_says_what_is_missing(tmp_path):
    with pytest.raises(Exception, match="TensorRT plans need (the package tensorrt|an NVIDIA GPU)"):
        export_model(load_model("test-sam"), tmp_path / "plans", to="tensorrt")

    assert not list(tmp_path.iterdir())


def test_a_model_in_half_precision_is_refused(tmp_path):
    with pytest.raises(SettingError, match="export a model in fp32, got one in torch.bfloat16"):
        export_model(load_model("test-sam", precision="bf16"), tmp_path / "a.onnx")

    assert not list(tmp_path.iterdir())


def test_an_exported_model_is_not_exported_again(exported, tmp_path):
    with pytest.raises(UnsupportedPrompt, match="is exported already"):
        export_model(load_model(exported), tmp_path / "a.onnx")

    assert not list(tmp_path.iterdir())


def test_nothing_is_left_where_the_disk_fails_and_an_earlier_file_stays(tmp_path, monkeypatch):
    out = tmp_path / "a.pt"
    out.write_bytes(b"earlier")

    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.jit, "save", fails)
    with pytest.raises(SettingError, match="cannot write the exported model .No space left on device"):
        export_model(load_model("test-sam"), out, to="torchscript")

    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert out.read_bytes() == b"earlier"
