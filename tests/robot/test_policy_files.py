import json
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskwright.core.errors import InputError, SettingError
from maskwright.core.image import FrameRef
from maskwright.datasets import open_source
from maskwright.datasets.images import read_image
from maskwright.robot.policy_inputs import make_inputs
from maskwright.robot.policy_masks import StoredMasks, one_each
from maskwright.robot.policy_recipe import ConstantBackground, CropRule, PatchRule, PolicyRecipe
from maskwright.store import create_store, open_store
from maskwright.workflows import policy_inputs as workflow
from maskwright.workflows.annotate_plan import Selection
from maskwright.workflows.policy_inputs import write_policy_inputs
from policy_data import LENGTHS, WITHOUT_MUG, mug, write_episodes
from robot_data import SIZE_HW, mask_of, picture, write_rlds

RECIPE = PolicyRecipe(
    slots=("mug", "bin"),
    size_hw=(32, 32),
    crop=CropRule(),
    background=ConstantBackground(),
    channels=True,
    patches=PatchRule(side_px=16),
)


@lru_cache(maxsize=8)
def opened(dataset, store, recipe):
    source = open_source(dataset)
    with StoredMasks(store, dataset="dataset") as stored:
        return source, [stored.episode(one.key, "front", recipe.names) for one in source.episodes]


def online(dataset, store, recipe, episode, number):
    """What the robot makes of a frame: the same function, on decoded pixels."""
    source, masks = opened(dataset, store, recipe)
    (frame,) = source.frames(source.episodes[episode], "front", start=number, stop=number + 1)
    found = one_each(masks[episode].of(number), recipe.several)
    return make_inputs(frame.image.pixels, found, recipe, ref=frame.ref)


@pytest.mark.parametrize(("version", "format_name"), [("v3.0", "lerobot"), ("v2.1", "lerobot-v2.1")])
def test_exact_pictures_are_bit_for_bit_what_the_robot_makes(tmp_path, version, format_name):
    dataset, store = write_episodes(tmp_path, version=version)

    done = write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", format_name=format_name, is_exact=True)

    assert (done.num_episodes, done.num_rows, done.cameras) == (2, sum(LENGTHS), ("front",))
    assert PolicyRecipe.read(tmp_path / "out") == RECIPE
    source = open_source(tmp_path / "out")
    assert source.meta.info["codebase_version"] == version
    for episode, length in enumerate(LENGTHS):
        for number in range(length):
            made = online(dataset, store, RECIPE, episode, number)
            for slot in RECIPE.slots:
                view = made.view(slot)
                (seen,) = source.frames(source.episodes[episode], f"front.{slot}", start=number, stop=number + 1)
                (mask,) = source.frames(source.episodes[episode], f"front.{slot}.masks", start=number, stop=number + 1)
                assert (seen.image.pixels == view.pixels).all()
                assert (mask.image.pixels[:, :, :2] == view.channels).all()
                assert not mask.image.pixels[:, :, 2].any()


def test_rows_keep_states_and_times_and_say_what_is_there(tmp_path):
    dataset, store = write_episodes(tmp_path)

    write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", is_exact=True)

    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    told = info["maskwright_policy_inputs"]
    assert told["slots"] == ["mug", "bin"]
    assert told["masks"]["observation.images.front.mug.masks"] == ["mug", "bin"]
    assert told["shapes"]["annotation.policy.patches.front"] == [2, 2, 2, 2]
    assert [key for key in info["features"] if info["features"][key]["dtype"] == "image"] == [
        "observation.images.front.mug", "observation.images.front.bin",
        "observation.images.front.mug.masks", "observation.images.front.bin.masks",
    ]  # fmt: skip
    source, out = open_source(dataset), open_source(tmp_path / "out")
    for episode, place in enumerate(out.meta.episodes):
        (before,) = (one for one in source.meta.episodes if one.key == out.episodes[episode].key)
        new = pq.read_table(out.meta.data_path(place)).to_pylist()
        old = [
            row for row in pq.read_table(source.meta.data_path(before)).to_pylist() if row["episode_index"] == episode
        ]
        for name in ("observation.state", "timestamp", "frame_index", "task_index", "index"):
            assert [row[name] for row in new] == [row[name] for row in old]
        presence = [row["annotation.policy.present.front"] for row in new]
        assert presence[WITHOUT_MUG] == [False, True]
        assert presence[-1] == [False, False]
        assert new[0]["annotation.policy.windows.front"][:4] == list(
            make_inputs(picture(0), {"mug": mug(0)}, RECIPE).view("mug").window_xyxy
        )
    stats = json.loads((tmp_path / "out/meta/stats.json").read_text())
    assert np.shape(stats["observation.images.front.mug"]["mean"]) == (3, 1, 1)
    assert stats["observation.state"]["count"] == [sum(LENGTHS)]


def test_what_is_not_there_is_said(tmp_path):
    dataset, store = write_episodes(tmp_path, cups=2)

    lines = list(write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", is_exact=True).lines())

    assert lines[1:] == [
        "no mug in 2 of 12 frames: written empty, flagged (first: episode_000000/front frame 2)",
        "2 frames were never annotated: written empty, flagged (first: episode_000000/front frame 6)",
        "several masks of mug in 8 frames (first: episode_000000/front frame 0)",
    ]


def test_video_holds_the_pictures_nearly(tmp_path):
    dataset, store = write_episodes(tmp_path, kind="video")
    recipe = PolicyRecipe(
        slots=("mug", "bin"), size_hw=(32, 48), background=ConstantBackground(colour_rgb=(90, 20, 60))
    )

    write_policy_inputs(dataset, store, recipe, tmp_path / "out")

    source = open_source(tmp_path / "out")
    assert source.episodes[0].cameras == ("front",)
    for number, frame in enumerate(source.frames(source.episodes[1], "front")):
        made = online(dataset, store, recipe, 1, number)
        assert np.abs(frame.image.pixels.astype(int) - made.view("frame").pixels).mean() < 6


def test_rlds_holds_pictures_masks_states_and_actions(tmp_path):
    dataset, store = write_episodes(tmp_path)

    write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", format_name="rlds", is_exact=True)

    source = open_source(tmp_path / "out")
    assert [one.num_frames for one in source.episodes] == list(LENGTHS)
    assert set(source.cameras) == {"front.mug", "front.bin", "front.mug.masks", "front.bin.masks"}
    for number, frame in enumerate(source.frames(source.episodes[1], "front.mug")):
        assert (frame.image.pixels == online(dataset, store, RECIPE, 1, number).view("mug").pixels).all()
    assert PolicyRecipe.read(tmp_path / "out") == RECIPE
    features = json.loads((tmp_path / "out/features.json").read_text())
    steps = features["featuresDict"]["features"]["steps"]["sequence"]["feature"]["featuresDict"]["features"]
    seen = steps["observation"]["featuresDict"]["features"]
    assert seen["policy.present.front"]["tensor"]["shape"] == {"dimensions": ["2"]}
    assert seen["state"]["tensor"]["dtype"] == "float32"
    from maskwright.datasets.tfrecord import RecordFile

    with RecordFile(source.records[0].path) as file:
        example = file.example(source.records[0].place)
    assert example["steps/observation/state"].floats().tolist()[:4] == [0, 0, 1, 2]


def test_other_sources_than_lerobot_give_times_and_tasks(tmp_path):
    write_rlds(tmp_path / "dataset", lengths=(7, 5), splits=("train",))
    _, store = write_episodes(tmp_path / "labelled")
    source = open_source(tmp_path / "dataset")
    camera = source.episodes[0].cameras[0]
    renamed = {"episode_000000": source.episodes[0].key, "front": camera}
    _rename(store, tmp_path / "masks", renamed, source.name)

    done = write_policy_inputs(tmp_path / "dataset", tmp_path / "masks", RECIPE, tmp_path / "out", is_exact=True)

    out = open_source(tmp_path / "out")
    assert done.num_rows == 7
    assert done.left_out == tuple(one.key for one in source.episodes[1:])
    assert out.episodes[0].task == source.episodes[0].task


def _rename(store, out, names, dataset):
    from dataclasses import replace

    with open_store(store, read_only=True) as old, create_store(out) as new:
        for found in old.frames():
            if found.frame.ref.episode in names:
                ref = replace(
                    found.frame.ref, dataset=dataset, episode=names[found.frame.ref.episode], camera=names["front"]
                )
                records = [replace(one.record, frame=ref) for one in found.masks]
                new.put(records, frames=[replace(found.frame, ref=ref)])


def test_what_was_cut_off_goes_on(tmp_path, monkeypatch):
    dataset, store = write_episodes(tmp_path)
    out = tmp_path / "out"
    written = []
    real = workflow._Job._write

    def interrupted(self, index, *rest):
        if index == 1 and len(written) < 2:
            written.append(index)
            raise KeyboardInterrupt
        written.append(index)
        return real(self, index, *rest)

    monkeypatch.setattr(workflow._Job, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_policy_inputs(dataset, store, RECIPE, out, is_exact=True, workers=1)
    assert not out.exists()

    with pytest.raises(SettingError, match=r"begun with other settings \(is_exact\). Give those to go on"):
        write_policy_inputs(dataset, store, RECIPE, out, workers=1)
    done = write_policy_inputs(dataset, store, RECIPE, out, is_exact=True, workers=1)

    assert done.num_before == 1
    assert written == [0, 1, 1]
    assert [one.num_frames for one in open_source(out).episodes] == list(LENGTHS)
    assert not list(tmp_path.glob(".out*"))


def test_one_folder_is_written_by_one_command_at_a_time(tmp_path):
    dataset, store = write_episodes(tmp_path)
    out = tmp_path / "out"
    problems = []

    def again(done, total):
        if not problems:
            with pytest.raises(SettingError, match="another command is writing there") as caught:
                write_policy_inputs(dataset, store, RECIPE, out, is_exact=True)
            problems.append(caught)

    write_policy_inputs(dataset, store, RECIPE, out, is_exact=True, workers=1, progress=again)

    assert problems
    assert open_source(out).episodes


def test_masks_of_another_size_stop_it_and_leave_nothing(tmp_path):
    dataset, store = write_episodes(tmp_path, size_hw=(96, 128))

    with pytest.raises(InputError, match=r"on frame 0 has the size \(96, 128\) \(h, w\), its frame \(48, 64\)"):
        write_policy_inputs(dataset, store, RECIPE, tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "masks"]


def test_an_episode_that_cannot_be_written_leaves_those_before_it(tmp_path):
    dataset, store = write_episodes(tmp_path)
    with open_store(store) as opened:
        ref = FrameRef(dataset="dataset", episode="episode_000001", camera="front", frame_index=4)
        opened.put([mask_of(mug(0, (96, 128)), label="mug", frame=ref).record])
    begun = tmp_path / ".out.unfinished"

    with pytest.raises(
        InputError, match=r"has the size \(96, 128\).* of moment 2; to begin anew, remove: .*unfinished"
    ):
        write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", is_exact=True, workers=1)

    assert begun.is_dir()
    assert not (tmp_path / "out").exists()


def test_names_of_nothing_are_refused(tmp_path):
    dataset, store = write_episodes(tmp_path)
    spoon = PolicyRecipe(slots=("spoon",))

    with pytest.raises(SettingError, match="no mask has the label or track 'spoon'; the store has the labels bin, mug"):
        write_policy_inputs(dataset, store, spoon, tmp_path / "out")
    with pytest.raises(SettingError, match="no frame that was chosen has masks in the store"):
        write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", selection=Selection(cameras=("wrist",)))
    with pytest.raises(SettingError, match="written as lerobot, lerobot-v2.1, rlds; got 'coco'"):
        write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", format_name="coco")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("mine")
    with pytest.raises(SettingError, match="must be new or empty"):
        write_policy_inputs(dataset, store, RECIPE, taken)


def test_a_track_has_a_slot_of_its_own(tmp_path):
    dataset, store = write_episodes(tmp_path, cups=2)
    recipe = PolicyRecipe(slots=("mug 2", "mug"), channels=True)

    write_policy_inputs(dataset, store, recipe, tmp_path / "out", is_exact=True)

    rows = pq.read_table(next((tmp_path / "out/data").rglob("*.parquet"))).to_pylist()
    planes = read_image(rows[0]["observation.images.front.masks"]["bytes"]).pixels
    assert (planes[:, :, 0] > 0).sum() == (planes[:, :, 1] > 0).sum() == 64
    assert not (planes[:, :, 0] & planes[:, :, 1]).any()


def test_a_killed_command_goes_on(tmp_path):
    dataset, store = write_episodes(tmp_path, lengths=(20, 20, 20))
    places = (str(dataset), str(store), str(tmp_path / "out"))
    code = f"""
import os, signal
from pathlib import Path
from maskwright.robot.policy_recipe import PolicyRecipe
from maskwright.workflows.policy_inputs import write_policy_inputs
recipe = PolicyRecipe(slots=("mug", "bin"), channels=True)
def kill(done, total):
    if done > 30:
        os.kill(os.getpid(), signal.SIGKILL)
dataset, store, out = map(Path, {places!r})
write_policy_inputs(dataset, store, recipe, out, workers=1, progress=kill)
"""
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert killed.returncode == -signal.SIGKILL

    recipe = PolicyRecipe(slots=("mug", "bin"), channels=True)
    done = write_policy_inputs(dataset, store, recipe, tmp_path / "out")

    assert (done.num_before, done.num_episodes, done.num_rows) == (1, 3, 60)
    out = open_source(tmp_path / "out")
    assert sum(1 for _ in out.frames(out.episodes[2], "front")) == 20


def test_two_names_that_files_cannot_tell_apart_are_refused(tmp_path):
    dataset, store = write_episodes(tmp_path)
    recipe = PolicyRecipe(slots=("bin 1", "bin"), size_hw=(8, 8), crop=CropRule())

    assert Path(write_policy_inputs(dataset, store, recipe, tmp_path / "out", is_exact=True).out).is_dir()
    from maskwright.robot.policy_layout import Layout

    with pytest.raises(SettingError, match=r"would both be called 'observation\.images\.front\.bin_1' in files"):
        Layout(
            recipe=PolicyRecipe(slots=("bin 1", "bin/1"), size_hw=(8, 8), crop=CropRule()), sizes_hw={"front": SIZE_HW}
        )
