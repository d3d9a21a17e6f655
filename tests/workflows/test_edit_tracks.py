"""Whole tracks: listed, renamed, merged, split, cut, deleted, undone; and tracked again after each."""

import shutil
from pathlib import Path

import pytest

from maskwright.core import BoxPrompt
from maskwright.core.errors import SettingError
from maskwright.store import open_store
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.edit_tracks import TrackEditor, Where, tracks_of
from maskwright.workflows.track import track
from maskwright.workflows.track_prompts import TrackPrompt
from moving_scene import scripted, write_scene

NUM = 12
BOX, OTHER = BoxPrompt((4, 6, 10, 12)), BoxPrompt((20, 2, 24, 6))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("here") / "scene", NUM)


@pytest.fixture(scope="module")
def tracked(scene):
    """A store with a mug and a box, to be copied."""
    follow(scene, scene.parent / "masks", (0, "mug", BOX), (0, "box", OTHER))
    return scene.parent / "masks"


@pytest.fixture
def out(tmp_path, tracked):
    return Path(shutil.copytree(tracked, tmp_path / "masks"))


def follow(scene, out, *said):
    footage = Footage.open(scene)
    (episode,) = footage.source.episodes
    prompts = [
        TrackPrompt(place=(episode.key, episode.cameras[0], index), track=name, prompt=prompt)
        for index, name, prompt in said
    ]
    return track(scripted(), footage, out, prompts=prompts)


def edit(out, what, *words, **where):
    with open_store(out) as store:
        return getattr(TrackEditor(store, actor="ann", where=Where(**where)), what)(*words)


def listed(out):
    """Frames by track, with the area of each mask."""
    with open_store(out, read_only=True) as store:
        found = {}
        for mask in store.query():
            index = mask.record.frame.frame_index
            assert index not in found.setdefault(mask.record.track, {})
            found[mask.record.track][index] = mask.record.area
        return found


def test_tracks_are_listed_with_what_they_are_made_of(out):
    with open_store(out) as store:
        box, mug = tracks_of(store)
        assert tracks_of(store, Where(camera="no such")) == []

    assert (mug.track, mug.label, mug.first_frame, mug.last_frame, mug.num_masks) == ("mug", "mug", 0, NUM - 1, NUM)
    assert (mug.num_visible, mug.num_outside, mug.num_keyframes) == (NUM, 0, 1)
    assert 0 < mug.mean_confidence < 1
    assert box.track == "box"


def test_a_renamed_track_is_tracked_on_under_its_new_name(scene, out):
    edit(out, "rename", "mug", "red mug")

    done = follow(scene, out)

    assert done.num_masks == 0
    assert sorted(listed(out)) == ["box", "red mug"]
    with pytest.raises(
        SettingError, match="there is a track 'box' already. Merge the two instead: --merge box,red mug"
    ):
        edit(out, "rename", "red mug", "box")
    with pytest.raises(SettingError, match="no track is called 'mug'"):
        edit(out, "rename", "mug", "x")


def test_a_split_track_is_two_that_end_where_the_other_begins(scene, out):
    done = edit(out, "split", "mug", 5)

    assert done.says == "mug from frame 5 on is called mug 2 now"
    follow(scene, out)
    tracks = listed(out)
    assert tracks["mug"] == {**dict.fromkeys(range(5), 36), 5: 0}
    assert tracks["mug 2"] == {4: 0, **dict.fromkeys(range(5, NUM), 36)}
    assert follow(scene, out).num_masks == 0


def test_a_cut_track_ends_and_stays_ended(scene, out):
    edit(out, "cut", "mug", 8)
    assert listed(out)["mug"] == {**dict.fromkeys(range(8), 36), 8: 0}

    assert follow(scene, out).num_masks == 7  # those between the keyframe and the end now have both as anchors
    assert listed(out)["mug"] == {**dict.fromkeys(range(8), 36), 8: 0}
    with pytest.raises(SettingError, match="it can be parted at 1 to 8, got 11"):
        edit(out, "cut", "mug", 11)


def test_merged_tracks_are_one_with_one_mask_a_frame(scene, out):
    follow(scene, out, (6, "lid", OTHER))

    done = edit(out, "merge", "mug", "lid")

    assert done.says == f"lid is part of mug now; on {NUM} frames both had a mask, and the surer one stays"
    follow(scene, out)
    tracks = listed(out)
    assert sorted(tracks) == ["box", "mug"]
    assert [tracks["mug"][index] for index in (0, 6, 11)] == [36, 16, 16]
    with open_store(out) as store:
        assert {mask.record.label for mask in store.query() if mask.record.track == "mug"} == {"mug"}


def test_a_deleted_track_is_gone_and_does_not_come_back(scene, out):
    edit(out, "delete", "mug")

    done = follow(scene, out)

    assert (done.num_masks, done.tracks) == (0, ("box",))
    assert sorted(listed(out)) == ["box"]


@pytest.mark.parametrize(
    "words",
    [("rename", "mug", "x"), ("split", "mug", 5), ("cut", "mug", 5), ("merge", "mug", "box"), ("delete", "mug")],
)
def test_every_edit_is_undone_and_redone(scene, out, words):
    before = listed(out)
    done = edit(out, *words)
    after = listed(out)
    assert after != before

    undone = edit(out, "undo", done.moment)
    assert listed(out) == before
    assert follow(scene, out).num_masks == 0

    edit(out, "undo", undone.moment)
    assert listed(out) == after


def test_edits_that_cannot_be_are_told(out):
    with pytest.raises(SettingError, match="nothing was decided at moment 1"):
        edit(out, "undo", 1)
    with pytest.raises(SettingError, match="a merge needs two tracks, got 'mug' twice"):
        edit(out, "merge", "mug", "mug")
    with pytest.raises(SettingError, match="there is a track 'box' already"):
        edit(out, "split", "mug", 5, "box")
    with pytest.raises(SettingError, match="no track is called 'mug'. List them"):
        edit(out, "delete", "mug", camera="another")
