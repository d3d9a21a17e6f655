"""docs/make_scores.py: what is scored is not scored twice, and its page is written from results."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.models import load_model


@pytest.fixture(scope="module")
def program() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "make_scores.py"
    spec = importlib.util.spec_from_file_location("make_scores", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    pixels, mask = np.full((60, 80, 3), 120, np.uint8), np.zeros((60, 80), np.uint8)
    pixels[20:40, 30:50], mask[20:40, 30:50] = (200, 30, 30), 255
    for name in "ab":
        PillowImage.fromarray(pixels).save(root / f"{name}.png")
        PillowImage.fromarray(mask).save(root / f"{name}_mask.png")
    return root


def test_new_weights_are_scored_anew_and_nothing_else(program: ModuleType, pictures: Path, tmp_path: Path) -> None:
    question = program.Question(name="squares", folder=str(pictures), tasks=("box",), every=2)
    model = load_model("test-sam")

    def when() -> dict[str, int]:
        return {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/results.json")}

    program.score_missing([question], "test-sam", model, tmp_path)
    first = when()
    program.score_missing([question], "test-sam", model, tmp_path)
    second = when()
    model.checkpoint_sha256 = "0" * 64
    program.score_missing([question], "test-sam", model, tmp_path)
    third = when()

    assert first == second
    assert third["squares.box.test-sam"] > first["squares.box.test-sam"]
    assert third["squares.box.baselines"] == first["squares.box.baselines"]


def test_folders_of_one_set_share_a_table(program: ModuleType, pictures: Path, tmp_path: Path) -> None:
    question = program.Question(name="squares", folder=str(pictures), tasks=("box",), has_baselines=True)
    clicks = replace(question, tasks=("click",), has_baselines=False)
    program.score_missing([question, clicks], "test-sam", load_model("test-sam"), tmp_path)

    text = program.tables(tmp_path)

    header = next(line for line in text.splitlines() if "box-fill" in line)
    assert text.startswith("## squares\n")
    assert [cell.strip() for cell in header.split("|")[2:5]] == ["test-sam", "grabcut", "box-fill"]
    box, one_click = (
        next(line for line in text.splitlines() if line.startswith(f"| {m} ")) for m in ("box", "1 click")
    )
    assert box.split("|")[4].strip() == "1.000"  # box-fill answers a square by its box
    assert [cell.strip() for cell in one_click.split("|")[3:5]] == ["-", "-"]
    assert "2 pictures, 2 objects" in text
    assert "Slices of test-sam:" in text
    assert "Slices of grabcut:" not in text


def test_the_page_is_written_from_results_alone(
    program: ModuleType, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = program.Question(name="squares", folder=str(pictures), tasks=("box",))
    program.score_missing([question], "test-sam", load_model("test-sam"), tmp_path)
    monkeypatch.setattr(program, "PAGE", tmp_path / "scores.md")

    program.main(["--out", str(tmp_path)])

    assert (tmp_path / "scores.md").read_text().startswith("# Scores\n")
    assert "\n## squares\n" in (tmp_path / "scores.md").read_text()


def test_no_results_are_an_error_that_names_the_folder(program: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results below this folder"):
        program.tables(tmp_path)
