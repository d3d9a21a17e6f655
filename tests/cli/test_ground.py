"""`maskwright ground`, as a person calls it. Detectors have random weights: that everything flows is what counts."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from detector_folders import WRITERS, write_clip
from maskwright.cli.__main__ import run as run_main


@pytest.fixture
def run(capsys):
    """Run the command line as `maskwright` does, and give what it said."""

    def call(*arguments, code=0):
        assert run_main([*map(str, arguments), "--no-cache"]) == code
        return capsys.readouterr()

    return call


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    pytest.importorskip("transformers", reason="the transformers extra is not installed")
    root = tmp_path_factory.mktemp("detectors")
    return {name: write(root / name) for name, write in WRITERS.items()} | {"clip": write_clip(root / "clip")}


def test_a_detector_s_things_are_ranked_with_reasons_and_written(run, folders, photo, tmp_path):
    done = run(
        "ground", photo, "the mug on the left", "--model", "test-sam", "--detector", folders["owlv2"],
        "--min-score", "0", "-o", tmp_path,
    )  # fmt: skip

    assert "read as the leftmost mug" in done.err
    assert re.search(r"is a mug: 0\.\d\d; leftmost: [01]\.\d\d", done.err)
    said = json.loads((tmp_path / "photo.grounding.json").read_text())
    assert said["readings"] == ["the leftmost mug"]
    scores = [one["score"] for one in said["ranked"]]
    assert scores == sorted(scores, reverse=True)
    (record,) = json.loads((tmp_path / "photo.masks.json").read_text())["maskwright"]["records"]
    assert record["id"] == said["ranked"][0]["record_id"]
    assert record["label"] == "mug"
    assert record["provenance"]["steps"][-1]["name"] == "ground"
    assert (tmp_path / "photo.mask-1.png").exists()


def test_clip_and_grounding_dino_answer_too(run, folders, photo):
    by_clip = run(
        "ground", photo, "mug", "--model", "test-sam", "--clip", folders["clip"], "--min-score", "0", "--json"
    )
    by_dino = run(
        "ground", photo, "mug", "--model", "test-sam", "--detector", folders["grounding-dino"], "--min-score", "0",
        "--json",
    )  # fmt: skip

    for done in (by_clip, by_dino):
        said = json.loads(done.out)
        assert said["readings"] == ["the mug"]
        assert len(said["ranked"]) > 0


def test_a_thing_that_is_not_there_is_told_and_the_exit_code_says_so(run, folders, photo, tmp_path):
    done = run(
        "ground", photo, "the mug", "--model", "test-sam", "--detector", folders["owlv2"], "--min-score", "1",
        "-o", tmp_path, code=1,
    )  # fmt: skip

    assert "nothing fits 'the mug'" in done.err
    assert json.loads((tmp_path / "photo.grounding.json").read_text())["ranked"][0]["record_id"] is None
    assert not (tmp_path / "photo.mask-1.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("the mug on the left on the right",), "contradict each other"),
        (("",), "needs words"),
        (("the mug", "--detector", "yolo"), "no detector is called 'yolo'"),
        (("the mug", "--detector", "owlv2", "--clip", "x"), "give one of --detector and --clip"),
        (("the mug",), "test-sam takes points, boxes and masks, not text"),
    ],
)
def test_a_mistake_is_one_line(run, photo, arguments, message):
    done = run("ground", photo, *arguments, "--model", "test-sam", code=1)

    assert re.search(message, done.err)
    assert "Traceback" not in done.err


def test_depth_of_another_size_is_refused(run, folders, photo, tmp_path):
    depth = tmp_path / "depth.png"
    Image.fromarray(np.full((7, 9), 800, np.uint16)).save(depth)

    done = run(
        "ground", photo, "mug", "--model", "test-sam", "--detector", folders["owlv2"], "--depth", depth, code=1
    )  # fmt: skip

    assert "the depth has 9 x 7 pixels" in done.err
