"""Trackers scored from files: folders, the demo's store, and what is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from maskwright.core import Image
from maskwright.core.errors import InputError, SettingError
from maskwright.core.provenance import ModelRef
from maskwright.core.review_event import Accept, ReviewEvent
from maskwright.evaluate import SequenceFrame, baseline_tracker
from maskwright.models import load_model
from maskwright.predict.tracking import Tracker
from maskwright.store import Query, create_store, open_store
from maskwright.workflows.demo import make_demo
from maskwright.workflows.track_scoring import score_trackers
from maskwright.workflows.tracked_sequences import open_tracked


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo") / "out").store


def at_rest(model: object) -> Tracker:
    del model
    return baseline_tracker("static", None)


def test_a_store_whose_masks_have_tracks_is_video_with_truth(demo: Path) -> None:
    front, wrist = open_tracked(demo)

    frames = [frame for frame in front.read(58, 60) if isinstance(frame, SequenceFrame)]

    assert front.name.endswith("front")
    assert wrist.name.endswith("wrist")
    assert front.num_frames == 120
    assert front.labels["mug"] == "mug"
    assert [frame.index for frame in frames] == [58, 59]
    assert isinstance(frames[0].image, Image)
    assert frames[0].truth is not None
    assert {"mug", "bin", "gripper"} <= set(frames[0].truth)


def test_masks_that_a_model_proposed_are_truth_once_somebody_accepts_them(tmp_path: Path, demo: Path) -> None:
    network = ModelRef(name="tiny", family="tiny", checkpoint_sha256="0" * 64)
    with open_store(demo, read_only=True) as source, create_store(tmp_path / "proposed") as store:
        found = [one.record for one in source.query(Query(camera="front", last_frame=0))]
        proposed = [replace(one, provenance=replace(one.provenance, method="sam_raw", model=network)) for one in found]
        store.put(proposed)

        with pytest.raises(InputError, match="no mask of this store is the truth of a track"):
            open_tracked(tmp_path / "proposed", images=demo.parent / "pick_place")
        mug = next(one for one in proposed if one.track == "mug")
        store.append([ReviewEvent(id="e1", record_id=mug.id, actor="a", at=mug.provenance.created_at, action=Accept())])

    (sequence,) = open_tracked(tmp_path / "proposed", images=demo.parent / "pick_place")
    (frame,) = sequence.read(0, None)
    assert isinstance(frame, SequenceFrame)
    assert frame.truth == {"mug": mug.rle}


def test_frames_that_are_not_at_hand_are_told(tmp_path: Path, demo: Path) -> None:
    with open_store(demo, read_only=True) as source, create_store(tmp_path / "store") as store:
        store.put([one.record for one in source.query(Query(camera="front", last_frame=3))])

    with pytest.raises(InputError, match="are not at hand. Say where they are with --images"):
        open_tracked(tmp_path / "store")
    (found,) = open_tracked(tmp_path / "store", images=demo.parent / "pick_place")
    with pytest.raises(InputError, match="--images is for mask stores"):
        open_tracked(tmp_path, images=demo)

    assert found.num_frames == 4


def test_scores_are_written_beside_baselines_and_the_table_names_all(tmp_path: Path, demo: Path) -> None:
    front = open_tracked(demo)[:1]

    scored = score_trackers(
        {"test-sam": load_model("test-sam")}, front, dataset="demo", baselines=["static"], make=at_rest, out=tmp_path
    )

    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "results.json", "rows.csv"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert [one["name"] for one in results["trackers"]] == ["test-sam", "static"]
    assert results["trackers"][0]["scores"]["J&F"] == results["trackers"][1]["scores"]["J&F"]
    assert 0.3 < results["trackers"][1]["scores"]["J"] < 0.9
    assert "| test-sam | static |" in " ".join(scored.as_text().split())
    assert len((tmp_path / "rows.csv").read_text().splitlines()) > 1000


def test_unknown_baselines_and_starts_are_refused_before_anything_runs() -> None:
    with pytest.raises(SettingError, match="baselines of tracking are some of flow, previous-box, static; got grabcut"):
        score_trackers({}, [], dataset="x", baselines=["grabcut"])
    with pytest.raises(SettingError, match="tracks start from one of mask, box, click; got text"):
        score_trackers({}, [], dataset="x", baselines=["static"], start="text")  # type: ignore[arg-type]
