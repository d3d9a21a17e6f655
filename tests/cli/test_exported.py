"""Exported models on the command line; how they are written and loaded is tested in tests/models/backends."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run


@pytest.fixture(autouse=True)
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "DEVICE", "PRECISION", "BACKEND", "DEBUG"):
        monkeypatch.delenv(f"MASKWRIGHT_{name}", raising=False)
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    PillowImage.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save("photo.png")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A file that the command wrote, once for the tests here, and what it said."""
    path, said = tmp_path_factory.mktemp("exported") / "a.pt", io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(["models", "export", "test-sam", "--to", "torchscript", "-o", str(path), "--json"]) == 0
    return path, json.loads(said.getvalue())


def told(capsys, *arguments):
    code = run([*arguments])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_what_was_exported_predicts_as_the_model_does(capsys, exported):
    path = str(exported[0])

    _, plain, _ = told(capsys, "predict", "photo.png", "-m", "test-sam", "-p", "20,20", "--json", "--no-cache")
    _, ours, _ = told(capsys, "predict", "photo.png", "-m", path, "-p", "20,20", "--json", "--no-cache")

    (one,), (other,) = json.loads(plain)["records"], json.loads(ours)["records"]
    assert one["rle"] == other["rle"]
    assert other["provenance"]["model"]["precision"] == "fp32 torchscript"
    model = one["provenance"]["model"]
    assert other["provenance"]["model"]["checkpoint_sha256"] == model["checkpoint_sha256"]


def test_export_tells_people_how_far_it_is_from_pytorch(capsys):
    code, out, err = told(capsys, "models", "export", "test-sam", "--to", "torchscript", "-o", "a.pt")

    assert (code, out) == (0, "")
    assert "of PyTorch: a.pt" in err


def test_export_tells_programs_as_json(exported):
    path, facts = exported

    assert facts["path"] == str(path)
    assert set(facts["checked"]) == {"encoder", "decoder"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "export", "tinny"), "no model is called 'tinny'"),
        (("models", "export", "test-sam", "--to", "coreml"), "--to must be one of onnx, openvino"),
        (("models", "export", "test-sam", "--opset", "5"), "opset must be 18 to"),
        (("models", "export", "test-sam", "--to", "tensorrt"), "TensorRT plans need"),
        (("predict", "photo.png", "-p", "1,1", "--backend", "tpu"), "backend must be one of default, auto, torch"),
        (("predict", "photo.png", "-p", "1,1", "-m", "photo.onnx"), "expected an exported model, got no file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(capsys, tmp_path, arguments, message):
    before = sorted(tmp_path.iterdir())

    code, out, err = told(capsys, *arguments)

    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_an_exported_model_is_neither_compared_nor_tuned(capsys, exported):
    code, _, err = told(capsys, "models", "diff", "test-sam", str(exported[0]))

    assert code == 1
    assert "expected a checkpoint to compare, got an exported model" in err
