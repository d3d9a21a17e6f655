"""`maskwright track` and `maskwright tracks` as a user types them."""

import json
import re

import av
import pytest

import robot_data
from maskwright.cli.__main__ import run
from maskwright.store import Query, open_store
from moving_scene import scripted, write_scene
from volume_data import box_volume, write_nifti

NUM = 12


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a scene, in which trackers go by the script."""
    monkeypatch.chdir(tmp_path)
    write_scene(tmp_path / "scene", NUM)
    monkeypatch.setattr("maskwright.cli.options.open_model", lambda *names: None)
    monkeypatch.setattr("maskwright.workflows.tracking.open_tracking", lambda model, **said: scripted())
    return tmp_path


def masks(track="mug", **conditions):
    with open_store("masks", read_only=True) as store:
        return {one.record.frame.frame_index: one for one in store.query(Query(track=track, **conditions))}


def test_objects_named_once_are_on_every_frame(here, capsys):
    assert run(["track", "scene", "--at", "3", "--box", "4,6,10,12:mug", "--point", "20,3:red lid=lid"]) == 0

    told = capsys.readouterr().err
    assert "scene: 2 tracks (red lid, mug): 2 keyframes, 22 masks propagated" in told
    assert sorted(masks()) == sorted(masks("red lid")) == list(range(NUM))
    assert {one.record.label for one in masks("red lid").values()} == {"lid"}
    assert masks(track_source="keyframe").keys() == {3}
    assert run(["track", "scene", "--at", "3", "--box", "4,6,10,12:mug", "--point", "20,3:red lid=lid"]) == 0
    assert "everything is up to date" in capsys.readouterr().err


def test_a_correction_is_written_beside_its_frame_and_the_store_goes_on_alone(here, capsys):
    assert run(["track", "scene", "--box", "4,6,10,12:mug", "--to", "9"]) == 0
    assert run(["track", "masks", "--box", "8@30,6,36,12:mug", "--json"]) == 0

    done = json.loads(capsys.readouterr().out)
    assert (done["num_keyframes"], done["num_masks"], done["num_replaced"]) == (1, 8, 9)
    assert masks(track_source="keyframe").keys() == {0, 8}
    assert sorted(masks()) == list(range(10))
    assert run(["track", "masks"]) == 0
    assert "everything is up to date" in capsys.readouterr().err


def test_a_volume_is_sent_to_its_own_command(here, capsys):
    pytest.importorskip("nibabel", reason="volumes need the extra: pip install 'maskwright[volumes]'")
    write_nifti(here / "ct.nii.gz", box_volume())

    assert run(["track", "ct.nii.gz", "--at", "5", "--box", "6,4,13,11:box"]) == 1

    assert "maskwright volume ct.nii.gz --at N --box X1,Y1,X2,Y2:NAME -o labels.nii.gz" in capsys.readouterr().err
    assert not (here / "masks").exists()


def test_a_file_of_prompts_says_what_is_where(here, capsys):
    objects = {
        "0": [{"track": "mug", "box": [4, 6, 10, 12], "label": "cup"}],
        "frame_6": [{"track": "lid", "points": [[20, 3]]}],
    }
    (here / "objects.json").write_text(json.dumps(objects))

    assert run(["track", "scene", "--prompts", "objects.json"]) == 1
    assert "no frame of the source is called '0', or more than one is" in capsys.readouterr().err

    by_picture = dict(zip(("00000.png", "00006"), objects.values(), strict=True))
    (here / "objects.json").write_text(json.dumps(by_picture))
    assert run(["track", "scene", "--prompts", "objects.json"]) == 0
    assert masks("lid", track_source="keyframe").keys() == {6}
    assert masks()[3].record.label == "cup"


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({"00000": [{"box": [1, 2, 3, 4]}]}, '00000#1: an object must be an object with its keys and a "track"'),
        ({"00000": [{"track": "a", "circle": 1}]}, "00000#1: an object has the keys track, label, box"),
        ({"00000": [{"track": "a"}]}, "00000#1: an object needs points, a box, a mask or a text"),
        ({"00000": [{"track": "a", "box": [1, 2]}]}, "00000#1: box_xyxy must be four numbers"),
        ([1], "expected {"),
    ],
)
def test_a_file_of_prompts_must_be_right_as_a_whole(here, capsys, objects, message):
    (here / "objects.json").write_text(json.dumps(objects))

    assert run(["track", "scene", "--prompts", "objects.json"]) == 1

    assert message in capsys.readouterr().err
    assert not (here / "masks").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "say which objects to follow"),
        (["--box", "1,2,3,4"], 2, "--box is [FRAME@]WHAT:NAME, for example 120,80,260,300:mug; got '1,2,3,4'"),
        (["--point", "1:mug"], 2, "a point is X,Y in pixels"),
        (["--mask", "no.png:mug"], 1, "no.png"),
        (["--box", "1,2,3,4:mug", "--from", "9", "--to", "3"], 2, "--from must not lie after --to, got 9 and 3"),
        (["--box", "99@1,2,3,4:mug"], 1, "a prompt needs a frame from 0 to 11, got 99"),
        (["--box", "1,2,3,4:mug", "--at", "2", "--from", "5"], 1, "a prompt is on frame 2, outside the frames 5 to 11"),
        (["--box", "90,2,95,4:mug"], 1, "the prompt for mug lies outside the picture on frame 0, of 48x24"),
        (["--box", "1,2,3,4:mug", "--track", "mgu"], 1, "no track is called 'mgu'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(here, capsys, words, code, message):
    assert run(["track", "scene", *words]) == code

    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_an_overlay_video_shows_every_frame(here, capsys):
    assert run(["track", "scene", "--box", "4,6,10,12:mug", "--overlay", "seen.mp4"]) == 0
    assert run(["track", "masks", "--overlay", "seen.mp4"]) == 0  # which replaces it

    with av.open(str(here / "seen.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == NUM
    assert frames[5].shape == (96, 192, 3)  # small pictures are enlarged
    inside, outside = frames[5][36, 48].astype(int), frames[5][80, 160].astype(int)
    assert abs(outside - 90).max() < 12
    assert abs(inside - outside).max() > 25
    assert {path.name for path in here.iterdir()} == {"scene", "masks", "seen.mp4"}


def test_tracks_are_listed_and_edited_and_each_edit_says_how_it_is_undone(here, capsys):
    run(["track", "scene", "--box", "4,6,10,12:mug", "--box", "20,2,24,6:lid"])
    capsys.readouterr()

    assert run(["tracks", "masks"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == [
        "track", "label", "recording", "frames", "masks", "visible", "occluded", "outside", "keyframes", "confidence",
    ]  # fmt: skip
    assert re.match(r"mug +mug +scene/\S+ +0-11 +12 +12 +0 +0 +1 +0\.\d\d", listed[2])

    for words in (["--rename", "mug=cup"], ["--split", "lid@4=top"], ["--cut", "cup@7"], ["--delete", "top"]):
        assert run(["tracks", "masks", *words, "--actor", "ann"]) == 0
        told = capsys.readouterr().err
        undo = re.search(r"undo: maskwright tracks masks --undo (\d+)", told)
        assert undo
        moment = undo[1]
    assert run(["tracks", "masks", "--json"]) == 0
    assert [json.loads(line)["track"] for line in capsys.readouterr().out.splitlines()] == ["cup", "lid"]
    assert run(["tracks", "masks", "--undo", moment]) == 0
    assert run(["tracks", "masks", "--merge", "lid,top", "--json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)["says"] == "top is part of lid now; on 2 frames both had a mask, and the "
        "surer one stays"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--merge", "a"], 2, "--merge is A,B; got 'a'"),
        (["--rename", "a"], 2, "--rename is A=B; got 'a'"),
        (["--split", "a"], 2, "--split is A@N or A@N=B, for example mug@120; got 'a'"),
        (["--cut", "@5"], 2, "--cut is A@N, for example mug@120; got '@5'"),
        (["--cut", "a@5", "--delete", "a"], 2, "one edit at a time"),
        (["--delete", "a"], 1, "no track is called 'a'. List them with: maskwright tracks masks"),
    ],
)
def test_edits_that_cannot_be_read_or_done_are_said_in_a_line(here, capsys, words, code, message):
    run(["track", "scene", "--box", "4,6,10,12:mug"])
    capsys.readouterr()

    assert run(["tracks", "masks", *words]) == code

    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_store_without_tracks_is_told(here, capsys):
    from maskwright.store import create_store

    create_store("masks").close()

    assert run(["tracks", "masks"]) == 0
    assert "no tracks; maskwright track begins some" in capsys.readouterr().err
    assert run(["track", "masks"]) == 1
    assert "nothing was tracked into this store yet" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["track", "tracks"])
def test_help_costs_no_network(verb):
    import subprocess
    import sys

    code = (
        f"import sys; from maskwright.cli.__main__ import run; run(['{verb}', '--help']); "
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("[]\n")


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A real video with uneven times, and a real model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKWRIGHT_MODEL", "test-sam")
    pictures = []
    for number in range(8):
        pixels = robot_data.picture(3, size_hw=(48, 64))
        pixels[12:30, 4 + 3 * number : 22 + 3 * number] = (200, 40, 40)
        pictures.append(pixels)
    times = [0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0]
    return robot_data.write_video(tmp_path / "clip.mp4", pictures, times=times)


def test_a_real_model_follows_a_video_of_uneven_times(clip, capsys):
    assert run(["track", "clip.mp4", "--box", "4,12,22,30:block", "--budget", "accurate", "--json"]) == 0

    done = json.loads(capsys.readouterr().out)
    assert (done["num_keyframes"], done["num_masks"], done["skipped"]) == (1, 7, [])
    assert "frames are 100 to 400 ms apart; masks are on each of them, with its own time" in done["notes"]
    found = masks("block")
    assert [one.record.frame.timestamp_s for one in found.values()] == [0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0]
    assert {one.record.provenance.model.name for one in found.values()} == {"test-sam"}
    assert run(["track", "masks", "--point", "7@30,20:block"]) == 0
    assert masks("block", track_source="keyframe").keys() == {0, 7}
    assert run(["track", "masks"]) == 0
    assert "everything is up to date" in capsys.readouterr().err


def test_a_budget_that_is_none_is_told(clip, capsys):
    assert run(["track", "clip.mp4", "--box", "4,12,22,30:block", "--budget", "cheap"]) == 1
    assert "a budget is default, fast, accurate, or milliseconds a frame such as 80; got 'cheap'" in (
        capsys.readouterr().err
    )


def test_a_store_is_tracked_where_it_was(here, capsys):
    assert run(["track", "scene", "--box", "4,6,10,12:mug", "--to", "3"]) == 0
    assert run(["track", "scene", "--to", "7"]) == 0
    assert run(["track", "masks", "--box", "6@30,6,36,12:mug"]) == 0  # a frame of the newest session

    assert sorted(masks()) == list(range(8))
    assert run(["track", "masks", "--to", "9"]) == 2
    assert "to choose frames, name the source: -o masks" in capsys.readouterr().err
    assert run(["track", "masks", "-o", "others"]) == 2
    assert "leave --out out" in capsys.readouterr().err
