import json
import shlex

import pytest

from maskwright.cli.__main__ import run
from maskwright.core.errors import SettingError
from maskwright.datasets import open_source
from maskwright.models import load_model
from maskwright.store import Query, open_store
from maskwright.workflows.demo import PROPOSED_EVERY, make_demo
from maskwright.workflows.run_manifest import read_manifests


def test_the_demo_is_a_data_set_and_a_store_of_its_true_masks(tmp_path):
    made = make_demo(tmp_path / "demo")

    source = open_source(made.dataset)
    (episode,) = source.episodes
    assert (source.robot, episode.num_frames, episode.fps) == ("demo_arm", 120, 30)
    assert episode.task == "put the red mug into the bin"
    with open_store(made.store, read_only=True) as store:
        assert store.count(Query(method="simulator")) == store.count() == made.num_masks
        assert made.num_frames == 240
        frame = next(frame for frame in source.frames(episode, "front"))
        (mug,) = store.query(Query(label="mug", camera="front", last_frame=0))
        assert mug.record.frame == frame.ref
    (manifest,) = read_manifests(made.store)
    assert manifest["source"]["path"] == str(made.dataset.resolve())
    assert manifest["source"]["tasks"] == ["put the red mug into the bin"]


def test_a_model_proposes_masks_beside_the_truth(tmp_path):
    made = make_demo(tmp_path / "demo", model=load_model("test-sam"))

    assert made.proposals.num_frames == 2 * 120 // PROPOSED_EVERY
    assert 0 <= made.proposals.mean_iou <= 1
    with open_store(made.store, read_only=True) as store:
        proposed = list(store.query(Query(model="test-sam")))
        assert len(proposed) == made.proposals.num_masks
        assert {one.record.track for one in proposed} >= {"mug", "bin"}
        assert store.count(Query(method="simulator")) == made.num_masks


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(SettingError, match="must be new or empty"):
        make_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_says_what_to_try_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert run(["demo"]) == 0
    told = capsys.readouterr().out
    assert "its true masks: " in told
    assert "  maskwright audit demo/masks" in told
    assert run(["demo", "-o", "again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "again/pick_place"
    assert run(["demo"]) == 1
    assert "must be new or empty" in capsys.readouterr().err


def test_what_it_says_to_try_next_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKWRIGHT_MODEL", "test-sam")

    assert run(["demo"]) == 0
    suggested = [shlex.split(line)[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]

    assert {words[0] for words in suggested} == {"audit", "query", "annotate", "export", "card"}
    for words in suggested:
        assert run(words) == 0, capsys.readouterr().err
