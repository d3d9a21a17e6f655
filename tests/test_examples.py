import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_program(name, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_tested_here():
    tested = {"clicks.py", "folder_to_coco.py", "medical_slice.py"}

    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


@pytest.mark.parametrize(("name", "says"), [("clicks.py", "refined:"), ("medical_slice.py", "percentiles:")])
def test_example_runs(name, says, monkeypatch, capsys):
    run_program(name, [], monkeypatch)

    assert says in capsys.readouterr().out


def test_a_folder_becomes_one_coco_file(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        PillowImage.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in" / name)

    run_program("folder_to_coco.py", [tmp_path / "in", tmp_path / "out.json", "test-sam"], monkeypatch)

    document = json.loads((tmp_path / "out.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.png", "b.png"]
