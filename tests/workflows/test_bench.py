import json

import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, SettingError
from maskwright.workflows.bench import Contender, Row, as_json, as_text, bench, check_data, contenders, summary


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    PillowImage.effect_noise((96, 72), 60).convert("RGB").save(folder / "small.png")
    each = [
        Contender(model="test-sam", backend="torch", precision="fp32", device="cpu"),
        Contender(model="test-sam", backend="tensorrt", precision="fp32", device="cpu"),
    ]
    return list(bench(each, str(folder), num_frames=1, rounds=2))


def test_a_contender_is_measured_in_a_process_of_its_own(rows):
    measured = rows[0].measured

    assert rows[0].problem is None
    assert rows[0].title == "test-sam, torch fp32"
    assert rows[0].agreement == 1.0
    assert 0 < measured["encode"]["median"] <= measured["encode"]["p95"]
    assert measured["peak_mb"] > measured["before_mb"] > 0
    assert set(measured["batches"]) == {"1", "2", "4"}
    assert "masks" not in measured


def test_what_cannot_run_is_a_line_of_the_table(rows):
    assert rows[1].problem
    assert "Traceback" not in rows[1].problem
    assert f"test-sam, tensorrt fp32  {rows[1].problem}" in as_text(rows)


def test_each_is_told_in_a_line_while_others_wait(rows):
    told = [summary(row) for row in rows]

    assert told[0].startswith("test-sam, torch fp32: encode ")
    assert told[1] == f"test-sam, tensorrt fp32: {rows[1].problem}"


def test_figures_go_to_json(rows):
    told = json.loads(json.dumps(as_json(rows)))

    assert told["machine"]["cpu"]
    assert told["rows"][0]["contender"]["backend"] == "torch"


def test_all_means_what_the_device_has():
    on_cpu = [(one.backend, one.precision) for one in contenders(["tiny"], "all", "cpu")]
    on_gpu = [(one.backend, one.precision) for one in contenders(["tiny"], "all", "cuda:0")]

    assert on_cpu == [("torch", "fp32"), ("compile", "fp32"), ("onnx", "fp32"), ("openvino", "fp32")]
    assert ("torch", "bf16") in on_gpu
    assert ("compile", "auto") in on_gpu


def test_the_reference_comes_first_and_an_exported_file_runs_as_it_is():
    each = contenders(["tiny", "tiny-int8.onnx"], "onnx", "cpu")

    assert [(one.model, one.backend) for one in each] == [
        ("tiny", "torch"), ("tiny", "onnx"), ("tiny-int8.onnx", "onnx"),
    ]  # fmt: skip


def test_on_a_gpu_a_backend_is_measured_in_the_numbers_that_it_takes_by_itself():
    (_, named) = contenders(["tiny"], "onnx", "cuda")

    assert named.precision == "auto"
    assert Row(contender=named, measured={"precision": "fp32"}).title == "tiny, onnx fp32"


def test_unknown_backends_and_missing_pictures_are_refused(tmp_path):
    with pytest.raises(SettingError, match="--backend must be all or one of default, auto, torch"):
        contenders(["tiny"], "caffe", "cpu")
    with pytest.raises(ImageError, match="there is no such picture"):
        check_data(str(tmp_path / "none"))


def test_a_table_of_figures_reads_in_columns():
    measured = {
        "encode": {"median": 10.0, "p95": 12.0}, "click": {"median": 1.0, "p95": 2.0}, "both": {"median": 11.0},
        "everything_ms": 100.0, "batches": {"1": 10.0, "2": 8.0}, "peak_mb": 300.0,
    }  # fmt: skip
    slow = {**measured, "encode": {"median": 20.0, "p95": 21.0}}
    one = Contender(model="tiny", backend="torch", precision="fp32", device="cpu")
    text = as_text([Row(contender=one, measured=slow), Row(contender=one, measured=measured, agreement=0.99)])

    assert "2: 8.0" in text
    assert "2.00" in text.splitlines()[2]
    assert "0.9900" in text.splitlines()[2]
