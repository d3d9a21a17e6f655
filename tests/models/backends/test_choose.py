import json

import pytest
import torch

from maskwright.models import load_model
from maskwright.models.backends import choose
from maskwright.models.backends.choose import CANDIDATES, fastest_backend, installed

CPU = torch.device("cpu")


@pytest.fixture
def load(exported):
    """Loads test-sam by each backend, and remembers which were asked for."""
    asked: list[str] = []

    def one(backend):
        asked.append(backend)
        return load_model("test-sam") if backend == "torch" else load_model(exported, backend=backend)

    one.asked = asked
    return one


def test_the_fastest_is_measured_once_and_remembered(load, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))

    first = fastest_backend("test-sam", "ab" * 32, CPU, load)
    again = fastest_backend("test-sam", "ab" * 32, CPU, load)

    assert load.asked == list(installed())
    assert first == again
    (seconds,) = json.loads((tmp_path / "cache" / "backends.json").read_text()).values()
    assert min(seconds, key=seconds.get) == first
    assert set(seconds) <= set(CANDIDATES)


def test_other_weights_and_a_damaged_memory_are_measured_anew(load, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(choose, "CANDIDATES", ("torch",))
    fastest_backend("test-sam", "ab" * 32, CPU, load)
    fastest_backend("test-sam", "cd" * 32, CPU, load)
    (tmp_path / "backends.json").write_text("{")

    fastest_backend("test-sam", "ab" * 32, CPU, load)

    assert load.asked == ["torch"] * 3


def test_a_gpu_keeps_torch_without_measuring(load):
    assert fastest_backend("test-sam", "ab" * 32, torch.device("cuda"), load) == "torch"
    assert not load.asked
