import json

import pytest

from maskwright.cli.__main__ import run
from maskwright.core.settings import SETTINGS
from maskwright.nn import fused_attention
from maskwright.workflows.diagnose import PACKAGES, _devices, diagnose


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for setting in SETTINGS:
        monkeypatch.delenv(setting.env, raising=False)
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path / "weights"))
    return monkeypatch


def level(findings, what):
    return next(finding.level for finding in findings if finding.what == what)


def test_the_package_as_it_is_is_healthy(settings, capsys):
    assert run(["doctor"]) == 0

    told = capsys.readouterr().out
    assert all(package in told for package in PACKAGES)
    assert "with the truth" in told


def test_a_model_that_does_not_see_the_mug_is_a_problem_and_exit_code_1(settings, capsys):
    settings.setenv("MASKWRIGHT_MODEL", "test-sam")  # random weights

    assert run(["doctor", "--json"]) == 1

    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (problem,) = [finding for finding in findings if finding["level"] == "problem"]
    assert problem["what"] == "self-test"
    assert "expected at least" in problem["says"]


def test_an_absent_model_is_a_problem_that_says_how_to_get_it(settings):
    settings.setenv("MASKWRIGHT_MODEL", "vit_b")

    (problem,) = [finding for finding in diagnose() if finding.level == "problem"]

    assert "maskwright models pull vit_b" in problem.says


def test_a_setting_that_cannot_be_read_is_a_finding_and_the_rest_is_still_looked_at(settings):
    settings.setenv("MASKWRIGHT_MODEL", "test-sam")
    settings.setenv("MASKWRIGHT_PRECISION", "int4")

    findings = list(diagnose())

    assert level(findings, "settings") == "problem"
    assert level(findings, "cpu") == "ok"


def test_a_folder_that_is_a_file_is_a_problem(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.setenv("MASKWRIGHT_MODEL", "test-sam")
    settings.setenv("MASKWRIGHT_CACHE", str(tmp_path / "file" / "cache"))

    assert level(list(diagnose()), "cache folder") == "problem"


def test_glibc_gets_advice_unless_it_is_set(settings):
    settings.setenv("MASKWRIGHT_MODEL", "test-sam")
    settings.setattr("platform.system", lambda: "Linux")
    settings.delenv("LD_PRELOAD", raising=False)
    settings.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)

    assert level(list(diagnose()), "allocator") == "advice"
    settings.setenv("MALLOC_MMAP_THRESHOLD_", "4294967296")
    settings.setenv("MALLOC_TRIM_THRESHOLD_", "4294967296")
    assert level(list(diagnose()), "allocator") == "ok"


def test_backends_and_batches_are_told(settings):
    found = {one.what: one for one in diagnose()}

    assert found["batches"].level == "ok"
    assert "onnx" in found["backends"].says


@pytest.mark.parametrize(("is_here", "told"), [(False, ["Triton is not here"]), (True, [])])
def test_a_gpu_without_triton_gets_advice(monkeypatch, is_here, told):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr(fused_attention, "HAS_TRITON", is_here)

    assert [one.says.partition(":")[0] for one in _devices() if one.what == "attention"] == told
