import shutil
import sys

import onnx
import onnxruntime
import pytest

from maskwright.core.errors import CheckpointError, MaskwrightError, ModelError, SettingError
from maskwright.models import load_model
from maskwright.models.backends.folder import write_manifest
from maskwright.models.backends.loading import cached_export
from maskwright.models.backends.manifest import KEY
from maskwright.models.backends.onnx_file import read_onnx
from maskwright.models.backends.openvino_runtime import convert_folder
from maskwright.predict.embedding import model_ref


def told_by(path, **how):
    with pytest.raises(MaskwrightError) as told:
        load_model(path, **how)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_provenance_names_the_weights_that_were_exported_and_what_ran_them(exported):
    base = model_ref(load_model("test-sam"))

    ref = model_ref(load_model(exported))
    other = model_ref(load_model(exported, backend="openvino"))

    assert (ref.name, ref.family, ref.checkpoint_sha256) == (base.name, base.family, base.checkpoint_sha256)
    assert (base.precision, ref.precision, other.precision) == ("fp32", "fp32 onnx", "fp32 openvino")


def test_a_truncated_file_is_refused(exported, tmp_path):
    content = exported.read_bytes()
    path = tmp_path / "a.onnx"
    for size in (len(content) - 1, len(content) // 2, 1000):
        path.write_bytes(content[:size])

        assert "the ONNX file is truncated or of another kind" in told_by(path)
        assert str(path) in told_by(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, b"PK\3\4" + b"\0" * 30])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)

    assert told_by(path).endswith(f": {path}")


def test_a_missing_file_is_told(tmp_path):
    assert told_by(tmp_path / "a.onnx") == f"expected an exported model, got no file: {tmp_path / 'a.onnx'}"


@pytest.mark.parametrize(
    ("backend", "device", "told"),
    [
        ("onnx-tensorrt", "cpu", "has no TensorrtExecutionProvider"),
        ("openvino", "cuda", "the backend openvino runs on the CPU here"),
        ("tensorrt", "cuda", "TensorRT plans need the package tensorrt"),
    ],
)
def test_what_is_missing_is_told_before_an_export(backend, device, told, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "tensorrt", None)

    assert told in told_by("test-sam", backend=backend, device=device)
    assert not list(tmp_path.rglob("*"))


def test_an_onnx_file_that_this_package_did_not_write_is_refused(exported, tmp_path):
    model = onnx.load(exported)
    del model.metadata_props[:]
    path = tmp_path / "a.onnx"
    onnx.save(model, path)

    assert "got an ONNX file without its manifest" in told_by(path)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "the manifest of the exported model cannot be read"),
        ('{"format": "maskwright-export-9"}', "expected an exported model of the format maskwright-export-1"),
        ('{"format": "maskwright-export-1"}', "the manifest of the exported model cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_told(exported, tmp_path, manifest, message):
    model = onnx.load(exported)
    onnx.helper.set_model_props(model, {KEY: manifest})
    path = tmp_path / "a.onnx"
    onnx.save(model, path)

    assert message in told_by(path)


def test_an_opset_that_the_runtime_lacks_is_told(exported, tmp_path):
    model = onnx.load(exported)
    model.opset_import[0].version = 99
    path = tmp_path / "a.onnx"
    onnx.save(model, path)

    assert "which onnxruntime" in told_by(path)
    assert "export again with a lower --opset" in told_by(path)


def test_devices_that_a_backend_lacks_are_told(exported):
    assert "has no CUDAExecutionProvider (it has " in told_by(exported, device="cuda")
    assert "has no TensorrtExecutionProvider" in told_by(exported, backend="onnx-tensorrt")
    assert told_by(exported, device="mps") == "the backend onnx runs on cpu or cuda, got 'mps'. Use --device cpu"
    assert "the backend openvino runs on the CPU here" in told_by(exported, backend="openvino", device="cuda")
    assert load_model(exported, device="auto").device.type == "cpu"


def test_a_backend_that_does_not_run_such_files_is_told(exported):
    assert "--backend torch does not run a file exported for onnx; onnx or onnx-tensorrt or openvino does" in told_by(
        exported, backend="torch"
    )
    assert "backend must be one of default, auto, torch, " in told_by(exported, backend="tpu")
    assert "precision must be auto, got 'bf16'" in told_by(exported, precision="bf16")


@pytest.mark.parametrize(("package", "backend"), [("onnx", "onnx"), ("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_a_missing_package_is_told_with_the_command_that_installs_it(exported, monkeypatch, package, backend):
    monkeypatch.setitem(sys.modules, package, None)

    message = told_by(exported, backend=backend)

    assert message.endswith(f"needs the package {package}, which is not installed. "
                            "Install it: pip install 'maskwright[export]'")  # fmt: skip


def test_a_folder_of_parts_is_a_model_and_one_that_lacks_a_part_is_refused(exported, tmp_path):
    export = read_onnx(exported)
    folder = tmp_path / "parts"
    folder.mkdir()
    for part, graph in export.graphs.items():
        onnx.save(graph, folder / f"{part}.onnx")
    write_manifest(folder, export.manifest)

    assert model_ref(load_model(str(folder))).precision == "fp32 onnx"
    assert model_ref(load_model(folder, backend="openvino")).precision == "fp32 openvino"

    (folder / "decoder.onnx").unlink()
    assert told_by(folder) == f"the exported model has no decoder.onnx. Copy the folder again: {folder}"


def test_a_folder_for_openvino_is_a_model(exported, tmp_path):
    import dataclasses

    export = read_onnx(exported)
    folder = tmp_path / "parts"
    folder.mkdir()
    for part, graph in export.graphs.items():
        onnx.save(graph, folder / f"{part}.onnx")
    manifest = dataclasses.replace(export.manifest, target="openvino")
    convert_folder(folder, manifest)
    write_manifest(folder, manifest)

    assert sorted(file.name for file in folder.iterdir()) == [
        "decoder.bin", "decoder.xml", "encoder.bin", "encoder.xml", "maskwright.json",
    ]  # fmt: skip
    assert model_ref(load_model(folder)).precision == "fp32 openvino"
    assert "--backend onnx does not run a file exported for openvino" in told_by(folder, backend="onnx")

    xml = folder / "encoder.xml"
    xml.write_bytes(xml.read_bytes()[:500])
    assert "OpenVINO cannot run the encoder" in told_by(folder)


def test_plans_say_where_they_run(exported, tmp_path):
    import dataclasses

    folder = tmp_path / "plans"
    folder.mkdir()
    for part in ("encoder", "decoder"):
        (folder / f"{part}.plan").write_bytes(b"plan")
    write_manifest(folder, dataclasses.replace(read_onnx(exported).manifest, target="tensorrt"))

    with pytest.raises(ModelError, match="TensorRT plans need (the package tensorrt|an NVIDIA GPU)"):
        load_model(folder)


def test_a_model_is_exported_once_for_a_backend_and_found_again(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path))
    place = cached_export(load_model("test-sam"), "onnx")
    place.parent.mkdir(parents=True)
    shutil.copy(exported, place)

    model = load_model("test-sam", backend="onnx")
    other = load_model("test-sam", backend="openvino")

    assert (model_ref(model).precision, model_ref(other).precision) == ("fp32 onnx", "fp32 openvino")
    assert [file.name for file in place.parent.iterdir()] == [place.name]


def test_torchscript_that_is_damaged_is_told(tmp_path):
    from maskwright.models.backends.export import export_model

    path = tmp_path / "a.pt"
    export_model(load_model("test-sam"), path, to="torchscript")
    assert model_ref(load_model(path)).precision == "fp32 torchscript"
    assert "expected a device of this machine" in told_by(path, device="cuda:99")

    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError):
        load_model(path)


def test_an_unknown_backend_of_a_registered_model_is_told():
    with pytest.raises(SettingError, match="backend must be one of default, auto, torch, compile, onnx"):
        load_model("test-sam", backend="tensorflow")
