"""`maskwright evaluate` from the outside."""

import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from tiny_video_models import tiny_network

EVALUATE = ["evaluate", "--data", "example:tabletop", "-m", "test-sam", "--tasks", "box"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "DEVICE", "PRECISION", "DEBUG"):
        monkeypatch.delenv(f"MASKWRIGHT_{name}", raising=False)


def test_it_prints_a_table_and_writes_three_files(tmp_path, capsys):
    code = run([*EVALUATE, "--baselines", "grabcut,box-fill"])

    told = capsys.readouterr()
    assert code == 0
    assert "| test-sam | grabcut | box-fill |" in told.out
    assert "1 pictures, 8 objects -> evaluation/report.html" in told.err
    assert sorted(path.name for path in (tmp_path / "evaluation").iterdir()) == [
        "report.html",
        "results.json",
        "rows.csv",
    ]
    results = json.loads((tmp_path / "evaluation" / "results.json").read_text())
    scores = {one["name"]: one["scores"]["box"] for one in results["segmenters"]}
    assert scores["grabcut"] > 0.6
    assert scores["grabcut"] > scores["test-sam"]
    assert results["made_by"]["models"][0]["name"] == "test-sam"


def test_json_alone_goes_to_stdout_and_writes_no_file(tmp_path, capsys):
    code = run([*EVALUATE, "--json", "--limit", "1"])

    told = capsys.readouterr()
    assert code == 0
    assert json.loads(told.out)["data"]["num_objects"] == 8
    assert told.err == ""
    assert list(tmp_path.iterdir()) == []


def test_everything_is_scored_by_recall(tmp_path, capsys):
    values = np.zeros((48, 64), np.uint8)
    values[8:40, 8:40] = 1
    PillowImage.fromarray(values).save(tmp_path / "a_mask.png")
    PillowImage.fromarray(np.stack([values * 200] * 3, -1)).save(tmp_path / "a.png")

    code = run(["evaluate", "--data", ".", "-m", "test-sam", "--tasks", "everything", "--json"])

    scores = json.loads(capsys.readouterr().out)["segmenters"][0]["scores"]
    assert code == 0
    assert 0 <= scores["AR kept"] <= scores["AR@1000"] <= 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--data", "example:tabletop", "--tasks", "boxes"],
            2,
            "tasks are some of box, click, noc, random, everything, text",
        ),
        (["--data", "example:tabletop", "--baselines", "magic"], 2, "baselines are some of grabcut, box-fill"),
        (["--data", "x", "--tasks", "track,box"], 2, "track is asked by itself, because its data are videos"),
        (["--data", "x", "--start", "box"], 2, "--start, --budget and --images are for --tasks track"),
        (["--data", "x", "--budget", "fast"], 2, "--start, --budget and --images are for --tasks track"),
        (["--data", "x", "--tasks", "track", "--budget", "slow"], 2, "a budget is default, fast, accurate, or mill"),
        (["--data", "x", "--tasks", "track", "--start", "text"], 2, "tracks start from one of mask, box, click"),
        (["--data", "x", "--tasks", "track", "--baselines", "grabcut"], 2, "some of flow, previous-box, static"),
        (["--data", "nowhere", "--tasks", "track"], 1, "there is no such folder: nowhere"),
        (["--data", "example:other"], 1, "the only example picture is example:tabletop"),
        (["--data", "nowhere"], 1, "nowhere"),
        (["--data", "none.json"], 1, "there is no such file: none.json"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_read(arguments, code, message, capsys):
    assert run(["evaluate", *arguments]) == code

    assert message in " ".join(capsys.readouterr().err.split())


def test_a_baseline_comes_first_and_a_column_tells_the_difference(tmp_path, capsys):
    code = run([*EVALUATE, "--baseline", "box-fill"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].split() == ["|", "|", "box-fill", "|", "test-sam", "|", "change", "|"]
    box = next([float(cell) for cell in line.split("|")[2:5]] for line in lines if line.startswith("| box "))
    assert box[2] == pytest.approx(box[1] - box[0], abs=0.0011)
    assert "<th>change</th>" in (tmp_path / "evaluation" / "report.html").read_text()
    assert json.loads((tmp_path / "evaluation" / "results.json").read_text())["baseline"] == "box-fill"


def test_a_model_is_no_baseline_of_itself(capsys):
    assert run([*EVALUATE, "--baseline", "test-sam"]) == 2

    assert "--baseline is the --model itself (test-sam)" in " ".join(capsys.readouterr().err.split())


def test_one_model_is_not_evaluated_twice(capsys):
    code = run([*EVALUATE, "--baselines", "box-fill,box-fill"])

    assert code != 0
    assert "box-fill was given more than once" in capsys.readouterr().err


@pytest.fixture
def clip(tmp_path):
    """Six frames on which a bright rectangle moves to the right, and its masks."""
    for folder in ("images", "masks"):
        (tmp_path / "clip" / folder).mkdir(parents=True)
    for index in range(6):
        values = np.zeros((48, 64), np.uint8)
        values[8:40, 8 + index : 30 + index] = 255
        PillowImage.fromarray(values).save(tmp_path / "clip" / "masks" / f"{index}.png")
        PillowImage.fromarray(np.stack([values // 2 + 40] * 3, -1)).save(tmp_path / "clip" / "images" / f"{index}.png")
    return tmp_path


def test_trackers_are_scored_on_video_beside_baselines(clip, capsys):
    code = run(
        ["evaluate", "--data", "clip", "--tasks", "track", "-m", "test-sam", "--baselines", "flow,previous-box,static"]
    )

    told = capsys.readouterr()
    assert code == 0
    assert "| test-sam | flow | previous-box | static |" in " ".join(told.out.split())
    assert "1 videos, 6 frames -> evaluation/report.html" in told.err
    results = json.loads((clip / "evaluation" / "results.json").read_text())
    assert results["made_by"]["command"].startswith("maskwright")
    assert results["made_by"]["budget"] == "default"
    assert results["trackers"][0]["sequences"][0]["objects"][0]["num_frames"] == 4


def test_the_models_own_tracker_follows_by_the_budget(clip, capsys):
    scores = {}
    for budget in ("fast", "accurate"):
        code = run(["evaluate", "--data", "clip", "--tasks", "track", "-m", "tiny", "--budget", budget, "--json"])
        assert code == 0, capsys.readouterr().err
        results = json.loads(capsys.readouterr().out)
        assert results["made_by"]["budget"] == budget
        scores[budget] = results["trackers"][0]["scores"]["J&F"]

    assert min(scores.values()) > 0.8


def test_video_models_are_scored_and_no_baseline_asks_them(clip, capsys):
    pytest.importorskip("transformers", reason="video models need the extra: pip install 'maskwright[transformers]'")
    tiny_network("sam2_video").save_pretrained(clip / "tiny-sam2")

    code = run(
        [
            "evaluate", "--data", "clip", "--tasks", "track", "-m", "./tiny-sam2", "--budget", "fast",
            "--baselines", "previous-box,static",
        ]
    )  # fmt: skip

    told = capsys.readouterr()
    assert code == 0, told.err
    assert "| ./tiny-sam2 | static |" in " ".join(told.out.split())
    assert "note: previous-box is left out: it asks a model on every frame" in told.err
    assert "note: the budget fast does not concern video models, which draw every frame: ./tiny-sam2" in told.err
