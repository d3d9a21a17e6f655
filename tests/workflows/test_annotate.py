import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import annotate_data
import robot_data
from annotate_data import EVERYTHING, FEW, contents, pixels, write_pictures
from maskwright.core import BoxPrompt
from maskwright.core.errors import InputError, SettingError, StoreBusy, StoreError, UnsupportedPrompt
from maskwright.masks.cleanup import FillHoles
from maskwright.models import load_model
from maskwright.store import Query, create_store, open_store
from maskwright.workflows.annotate import InProcess, annotate
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.annotate_recipe import EverythingTask, ObjectPrompt, PromptsTask, Recipe, TextTask
from maskwright.workflows.run_manifest import read_manifests

NUM_KILLS = int(os.environ.get("MASKWRIGHT_KILLS", "4"))


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "pictures", range(5))


@pytest.fixture
def video(tmp_path):
    return robot_data.write_video(tmp_path / "run.mp4", (pixels(number) for number in range(12)))


def boxes(footage, numbers, **facts):
    (episode,) = footage.source.episodes
    one = ObjectPrompt(prompt=BoxPrompt((5, 5, 40, 40)), **facts)
    places = {(episode.key, episode.cameras[0], number): (one,) for number in numbers}
    return PromptsTask(kind="boxes", by_place=places)


def test_every_picture_of_a_folder_gets_its_masks_under_its_own_name(model, folder, tmp_path):
    done = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")

    assert (done.num_frames, done.num_skipped, done.num_before) == (5, 0, 0)
    with open_store(tmp_path / "masks") as store:
        frames = list(store.frames())
        assert [one.frame.name for one in frames] == [f"{number:03d}.png" for number in range(5)]
        assert sum(len(one.masks) for one in frames) == done.num_masks > 0
        assert store.runs() == {done.run: 5}


def test_records_carry_their_frame_and_the_whole_story(model, video, tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\ntask_categories:\n- robotics\n---\n# Data\n")
    recipe = replace(EVERYTHING, cleanup=(FillHoles(),), label="thing", actor="ann", collector="lab")

    done = annotate(model, Footage.open(video), recipe, tmp_path / "masks")

    with open_store(tmp_path / "masks") as store:
        record = next(iter(store.query())).record
    provenance = record.provenance
    assert (record.frame.dataset, record.frame.episode, record.frame.camera) == ("run.mp4", "run", "video")
    assert record.frame.timestamp_s is not None
    assert record.label == "thing"
    assert (provenance.actor, provenance.collector, provenance.licence) == ("ann", "lab", "cc-by-4.0")
    assert (provenance.method, provenance.model.name) == ("sam_refined", "test-sam")
    assert [step.name for step in provenance.steps] == ["fill_holes"]
    assert provenance.prompt is not None
    assert provenance.source == f"run.mp4 ({done.run})"


def test_a_source_that_knows_when_frames_were_taken_tells_the_records(model, folder, tmp_path):
    footage = Footage.open(folder)
    taken = datetime(2026, 5, 1, 12, tzinfo=UTC)
    footage.source.captured_at = lambda ref: taken

    annotate(model, footage, EVERYTHING, tmp_path / "masks")

    with open_store(tmp_path / "masks") as store:
        assert {one.record.provenance.captured_at for one in store.query()} == {taken}


def test_the_same_again_does_nothing_and_more_frames_join_the_run(model, video, tmp_path):
    footage = Footage.open(video)

    first = annotate(model, footage, EVERYTHING, tmp_path / "masks", selection=Selection(stride=3))
    again = annotate(model, footage, EVERYTHING, tmp_path / "masks", selection=Selection(stride=3))
    rest = annotate(model, footage, EVERYTHING, tmp_path / "masks")

    assert [one.run for one in (again, rest)] == [first.run] * 2
    assert [(one.num_before, one.num_frames) for one in (first, again, rest)] == [(0, 4), (4, 0), (4, 8)]
    annotate(model, footage, EVERYTHING, tmp_path / "unbroken")
    assert contents(tmp_path / "masks") == contents(tmp_path / "unbroken")


@pytest.mark.parametrize(
    "other",
    [
        Recipe(task=EverythingTask(settings=replace(FEW, points_per_side=1))),
        replace(EVERYTHING, cleanup=(FillHoles(),)),
        replace(EVERYTHING, label="mug"),
    ],
    ids=["settings", "cleanup", "label"],
)
def test_other_settings_are_another_run_beside_the_first(model, folder, tmp_path, other):
    first = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")

    second = annotate(model, Footage.open(folder), other, tmp_path / "masks")

    assert second.run != first.run
    assert second.other_runs == (first.run,)
    assert second.num_frames == 5


def test_who_runs_it_makes_no_other_run(model, folder, tmp_path):
    first = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")

    again = annotate(model, Footage.open(folder), replace(EVERYTHING, actor="bob"), tmp_path / "masks")

    assert (again.run, again.num_frames) == (first.run, 0)


def test_batches_give_what_single_frames_give(model, video, tmp_path):
    footage = Footage.open(video)

    annotate(model, footage, EVERYTHING, tmp_path / "single", engine=InProcess(model, batch_size=1))
    annotate(model, footage, EVERYTHING, tmp_path / "batched", engine=InProcess(model, batch_size=5))

    assert contents(tmp_path / "batched") == contents(tmp_path / "single")


def test_two_devices_share_the_frames_and_give_what_one_gives(model, video, tmp_path):
    asked = {"first": 0, "second": 0}

    class Counting(type(model)):
        def encode(self, pixels):
            asked[self.called] += len(pixels)
            time.sleep(0.05)
            return super().encode(pixels)

    def copy_called(name):
        copy = load_model("test-sam")
        copy.__class__, copy.called = Counting, name
        return copy

    engine = InProcess(copy_called("first"), others=(copy_called("second"),))

    annotate(model, Footage.open(video), EVERYTHING, tmp_path / "two", engine=engine)
    annotate(model, Footage.open(video), EVERYTHING, tmp_path / "one")

    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert min(asked.values()) >= 3
    assert sum(asked.values()) == 12


def test_a_file_of_boxes_chooses_the_frames(model, video, tmp_path):
    footage = Footage.open(video)
    task = boxes(footage, [1, 7, 8], label="mug", track="3")

    done = annotate(model, footage, Recipe(task=task), tmp_path / "masks")

    assert (done.num_wanted, done.num_masks) == (3, 3)
    with open_store(tmp_path / "masks") as store:
        found = [one.record for one in store.query()]
        assert [one.frame.frame_index for one in found] == [1, 7, 8]
    assert {(one.label, one.track) for one in found} == {("mug", "3")}
    assert {type(one.provenance.prompt) for one in found} == {BoxPrompt}


def test_a_box_outside_the_picture_is_named_and_the_others_count(model, video, tmp_path):
    footage = Footage.open(video)
    inside, outside = (ObjectPrompt(prompt=BoxPrompt(box)) for box in ((5, 5, 40, 40), (100, 5, 140, 40)))
    task = PromptsTask(kind="boxes", by_place={("run", "video", 2): (outside, inside)})

    done = annotate(model, footage, Recipe(task=task), tmp_path / "masks")

    assert done.num_masks == 1
    assert done.notes == ("run/video/frame_000002.png#1: it lies outside the picture of 64x48 (width x height)",)


def test_a_frame_without_prompts_was_looked_at(model, video, tmp_path):
    footage = Footage.open(video)
    task = PromptsTask(kind="boxes", by_place={("run", "video", 2): ()})

    annotate(model, footage, Recipe(task=task), tmp_path / "masks")

    assert [(name, masks) for name, _, _, masks in contents(tmp_path / "masks")] == [("run/video/frame_000002.png", [])]


def test_small_objects_are_looked_at_from_near(model, tmp_path):
    small = ObjectPrompt(prompt=BoxPrompt((5, 5, 12, 12)))
    wide = robot_data.write_video(tmp_path / "wide.mp4", [pixels(0).repeat(5, 0).repeat(5, 1)] * 3)
    task = PromptsTask(kind="boxes", by_place={("wide", "video", 2): (small,)})

    annotate(model, Footage.open(wide), Recipe(task=task, closer=True), tmp_path / "masks")

    with open_store(tmp_path / "masks") as store:
        (mask,) = store.query(Query(min_area=0))
    assert [step.name for step in mask.record.provenance.steps] == ["look_closer"]


def test_words_for_a_model_that_takes_none_are_refused_before_anything_is_made(model, folder, tmp_path):
    with pytest.raises(UnsupportedPrompt):
        annotate(model, Footage.open(folder), Recipe(task=TextTask(phrases=("mug",))), tmp_path / "masks")

    assert not (tmp_path / "masks").exists()


def test_a_picture_that_cannot_be_read_is_left_out_and_listed_until_it_can(model, folder, tmp_path):
    whole = (folder / "002.png").read_bytes()
    (folder / "002.png").write_bytes(whole[:60])

    done = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")

    (skipped,) = done.skipped
    assert skipped.name == "002.png"
    assert "002.png" in skipped.reason
    assert done.num_frames == 4
    (manifest,) = read_manifests(tmp_path / "masks")
    assert manifest["sessions"][0]["skipped"][0]["frame"] == "002.png"
    (folder / "002.png").write_bytes(whole)
    again = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")
    assert (again.num_before, again.num_frames, again.skipped) == (4, 1, ())


def test_a_video_that_was_cut_off_gives_what_it_has(model, tmp_path):
    whole = robot_data.write_video(tmp_path / "whole.mp4", (pixels(n) for n in range(60)), faststart=True)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])

    done = annotate(model, Footage.open(cut), EVERYTHING, tmp_path / "masks")

    assert 10 < done.num_frames < 60
    assert done.num_frames + done.num_skipped == 60
    assert len(done.skipped) == 1
    assert done.skipped[0].name.endswith("to cut/video/frame_000059.png")


def test_the_manifest_says_what_when_and_with_what(model, folder, tmp_path):
    done = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", command="maskwright annotate ...")
    annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", notes=["entry 3: it is no box"])

    (manifest,) = read_manifests(tmp_path / "masks")
    first, second = manifest["sessions"]
    assert (manifest["run"], manifest["num_frames"], manifest["num_masks"]) == (done.run, 5, done.num_masks)
    assert manifest["settings"]["model"]["checkpoint_sha256"] == model.checkpoint_sha256
    assert manifest["settings"]["task"]["points_per_side"] == 2
    assert manifest["source"]["path"] == str(folder.resolve())
    assert (first["outcome"], first["command"], first["num_frames"]) == ("done", "maskwright annotate ...", 5)
    assert first["versions"].keys() >= {"maskwright", "torch", "numpy"}
    assert (second["num_frames"], second["notes"]) == (0, ["entry 3: it is no box"])


def test_progress_counts_to_the_end(model, folder, tmp_path):
    seen = []

    annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", progress=seen.append)

    assert [(at.num_done, at.num_wanted) for at in seen] == [(number, 5) for number in range(1, 6)]
    assert seen[0].eta_s > 0
    assert seen[-1].eta_s == 0


def test_ctrl_c_keeps_the_frames_that_were_done(model, folder, tmp_path):
    def interrupt(at):
        if at.num_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", progress=interrupt)

    assert len(contents(tmp_path / "masks")) == 3
    assert read_manifests(tmp_path / "masks")[0]["sessions"][0]["outcome"] == "interrupted"
    assert annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks").num_frames == 2


def test_an_error_in_a_stage_reaches_the_caller_and_keeps_what_was_done(model, folder, tmp_path):
    class Breaking(InProcess):
        def __call__(self, *arguments):
            yield from [next(super().__call__(*arguments))]
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", engine=Breaking(model))

    assert len(contents(tmp_path / "masks")) == 1
    assert read_manifests(tmp_path / "masks")[0]["sessions"][0]["outcome"] == "failed"


def test_two_processes_at_one_run_are_one_too_many(model, folder, tmp_path):
    def annotate_meanwhile(at):
        with pytest.raises(StoreBusy, match="another process is at this run"):
            annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")

    done = annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", progress=annotate_meanwhile)

    assert done.num_frames == 5


def test_another_data_set_of_the_same_name_is_refused(model, tmp_path):
    first = write_pictures(tmp_path / "monday" / "data", range(3))
    second = write_pictures(tmp_path / "tuesday" / "data", range(10, 13))
    (tmp_path / "tuesday" / "data" / "010.png").rename(second / "000.png")
    annotate(model, Footage.open(first), EVERYTHING, tmp_path / "masks")

    other = replace(EVERYTHING, label="x")
    with pytest.raises(InputError, match="the store has other frames of a data set called data: 000.png is another"):
        annotate(model, Footage.open(second), other, tmp_path / "masks")


def test_a_folder_that_was_moved_goes_on(model, folder, tmp_path):
    annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")
    (tmp_path / "elsewhere").mkdir()
    moved = folder.rename(tmp_path / "elsewhere" / "pictures")
    write_pictures(moved, [7])

    assert annotate(model, Footage.open(moved), EVERYTHING, tmp_path / "masks").num_frames == 1


def test_pictures_that_came_before_others_are_refused(model, tmp_path):
    folder = write_pictures(tmp_path / "pictures", range(5, 8))
    annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")
    write_pictures(folder, [1])

    with pytest.raises(InputError, match="number 0 was 005.png and is 001.png now"):
        annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")


def test_a_folder_that_is_no_store_is_not_written_to(model, folder, tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "photo.png").touch()

    with pytest.raises(StoreError, match="needs an empty folder"):
        annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks")


def test_an_empty_selection_says_so_and_leaves_the_store_as_it_is(model, folder, tmp_path):
    create_store(tmp_path / "masks").close()

    with pytest.raises(SettingError, match="no frame is in the selection; look at --episodes"):
        annotate(model, Footage.open(folder), EVERYTHING, tmp_path / "masks", selection=Selection(start=9))

    assert contents(tmp_path / "masks") == []
    assert read_manifests(tmp_path / "masks") == []


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_lerobot_data_set_with_an_empty_episode_and_two_cameras(model, tmp_path, version):
    root = robot_data.write_lerobot(tmp_path / "lerobot", version=version, lengths=(4, 0, 3))
    root = root or tmp_path / "lerobot"

    done = annotate(
        model, Footage.open(root), EVERYTHING, tmp_path / "masks", selection=Selection(cameras=("wrist",), stride=2)
    )

    assert (done.num_frames, done.skipped) == (4, ())
    with open_store(tmp_path / "masks") as store:
        assert {one.ref.camera for one in store.seen_frames()} == {"wrist"}


def test_an_rlds_data_set_with_an_empty_episode(model, tmp_path):
    root = tmp_path / "rlds"
    robot_data.write_rlds(root)
    footage = Footage.open(root)

    done = annotate(model, footage, EVERYTHING, tmp_path / "masks", selection=Selection(stride=2))

    wanted = sum(len(range(0, one.num_frames, 2)) * len(one.cameras) for one in footage.source.episodes)
    assert (done.num_frames, done.skipped) == (wanted, ())
    assert len(contents(tmp_path / "masks")) == wanted > 0


@pytest.fixture(scope="module")
def processes():
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["annotate_data", "torch", "duckdb", "pandas", "maskwright.workflows.annotate"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(annotate_data.__file__).parent))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield context


def kill_one(processes, source, out, *, num_frames, moment):
    """Annotate in a process that is killed a moment after it told so many frames; how many it told in all."""
    hears, tells = processes.Pipe(duplex=False)
    process = processes.Process(target=annotate_data.annotate_until_killed, args=(source, out, tells), daemon=True)
    process.start()
    tells.close()
    told = []
    try:
        while len(told) < num_frames:
            assert hears.poll(60), "it never began"
            told.append(hears.recv())
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
        while True:
            told.append(hears.recv())
    except EOFError:
        process.join()
        process.close()
        hears.close()
    return len(told)


def test_killed_at_any_moment_it_goes_on_no_frame_twice_and_none_missing(processes, model, tmp_path):
    source = write_pictures(tmp_path / "pictures", range(10 * NUM_KILLS))
    chance = random.Random(4)
    kept, lost = [0], []

    for _ in range(NUM_KILLS):
        told = kill_one(
            processes, source, tmp_path / "masks", num_frames=chance.randint(1, 9), moment=chance.uniform(0, 0.03)
        )
        kept.append(len(contents(tmp_path / "masks")))
        lost.append(told - (kept[-1] - kept[-2]))

    last = annotate(model, Footage.open(source), EVERYTHING, tmp_path / "masks")
    unbroken = annotate(model, Footage.open(source), EVERYTHING, tmp_path / "unbroken")
    assert 0 < kept[-1] < 10 * NUM_KILLS, "the kills came too early or too late to test anything"
    assert any(lost), "no kill met a frame that was not on the disk yet"
    assert kept == sorted(kept)
    assert (last.num_before, last.num_before + last.num_frames) == (kept[-1], unbroken.num_frames)
    assert last.run == unbroken.run
    assert contents(tmp_path / "masks") == contents(tmp_path / "unbroken")
    outcomes = [one["outcome"] for one in read_manifests(tmp_path / "masks")[0]["sessions"]]
    assert outcomes == ["killed"] * NUM_KILLS + ["done"]
