"""The verbs around a store as a user types them: annotate, query, export, import."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import get_args

import pytest

import robot_data
from annotate_data import contents, pixels, write_pictures
from maskwright.cli.__main__ import run
from maskwright.cli.conditions import METHODS, STATUSES, TRACK_SOURCES, TRACK_STATES
from maskwright.cli.progress import _Lines, duration
from maskwright.core.provenance import Method
from maskwright.core.resolved import Status
from maskwright.core.track import TrackSource, TrackState

QUICK = ["-m", "test-sam", "--set", "points_per_side=2", "--set", "pred_iou_thresh=0.3"]
QUICK += ["--set", "stability_score_thresh=0.1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "DEVICE", "PRECISION", "DEBUG"):
        monkeypatch.delenv(f"MASKWRIGHT_{name}", raising=False)
    write_pictures(tmp_path / "pictures", range(3))
    robot_data.write_video(tmp_path / "run.mp4", (pixels(number) for number in range(6)))
    return tmp_path


@pytest.fixture
def masks(here, capsys):
    assert run(["annotate", "run.mp4", "--everything", *QUICK, "--label", "thing"]) == 0
    capsys.readouterr()
    return here / "masks"


def test_annotate_tells_what_it_did_and_the_same_command_goes_on(here, capsys):
    words = ["annotate", "run.mp4", "pictures", "--everything", *QUICK, "--stride", "2", "-o", "store"]

    assert run(words) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("run.mp4: ")
    assert "masks of 3 frames (" in first
    assert first.endswith("frames/s) -> store")
    assert "masks of 2 frames" in second
    assert run(words) == 0
    assert "0 masks of 0 frames, 3 were done before" in capsys.readouterr().err


def test_annotate_shares_frames_among_devices(here, capsys):
    assert run(["annotate", "run.mp4", "--everything", *QUICK, "-o", "one"]) == 0
    assert run(["annotate", "run.mp4", "--everything", *QUICK, "-o", "two", "--device", "cpu, cpu"]) == 0

    assert contents(here / "two") == contents(here / "one")


def test_annotate_in_json_is_one_object_a_source(here, capsys):
    assert run(["annotate", "run.mp4", "pictures", "--everything", *QUICK, "--json"]) == 0

    told = capsys.readouterr()
    video, folder = (json.loads(line) for line in told.out.splitlines())
    assert told.err == ""
    assert (video["dataset"], video["num_frames"], video["num_wanted"], video["skipped"]) == ("run.mp4", 6, 6, [])
    assert folder["num_masks"] > 0
    assert folder["run"] != video["run"]


def test_boxes_of_a_file_and_bad_ones_named(here, capsys):
    (here / "boxes.json").write_text(json.dumps({"1": [[5, 5, 40, 40], [9, 9, 1, 1]], "x": [[1, 1, 2, 2]]}))

    assert run(["annotate", "run.mp4", "--boxes", "boxes.json", "-m", "test-sam"]) == 0

    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("left out of the file: 1#2: a box needs x1 < x2")
    assert told[1] == "left out of the file: x: no frame of the source is called 'x'"
    assert told[2].startswith("run.mp4: 1 masks of 1 frames")
    assert len(told) == 3


def test_a_frame_that_cannot_be_decoded_is_listed_and_only_nothing_at_all_is_a_failure(here, capsys):
    (here / "pictures" / "001.png").write_bytes(b"broken")

    assert run(["annotate", "pictures", "--everything", *QUICK]) == 0
    assert "skipped: 001.png: this is not a picture" in capsys.readouterr().err
    for number in (0, 2):
        (here / "pictures" / f"{number:03d}.png").write_bytes(b"broken")
    assert run(["annotate", "pictures", "--everything", *QUICK, "-o", "other"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run.mp4"], 2, "say what to look for: one of --everything, --boxes FILE"),
        (["run.mp4", "--everything", "--text", "mug"], 2, "say what to look for: one of"),
        (["run.mp4", "pictures", "--boxes", "b.json"], 2, "--boxes and --points are about one SOURCE, got 2"),
        (["run.mp4", "--everything", "--preset", "best"], 2, "--preset must be one of"),
        (["run.mp4", "--everything", "--start", "5", "--stop", "5"], 2, "need 0 <= start < stop"),
        (["run.mp4", "--everything", "--engine", "spark"], 2, "--engine must be one of local, ray"),
        (["run.mp4", "--everything", "--workers", "2"], 2, "--address and --workers are for --engine ray"),
        (["run.mp4", "--everything", "--device", "cpu,"], 2, "--device must be a device, or several"),
        (["run.mp4", "--everything", "--engine", "ray", "--device", "cpu,cpu"], 2, "--device takes no list there"),
        (["run.mp4", "--everything", "--episodes", "7"], 1, "there is no episode '7'; there are run"),
        (["run.mp4", "--everything", "--cameras", "top"], 1, "no camera is called 'top'; there are video"),
        (["run.mp4", "--text", "mug"], 1, "test-sam takes points, boxes and masks, not text"),
        (["none.mp4", "--everything"], 1, "there is no such file or folder: none.mp4"),
        (["run.mp4", "--boxes", "none.json"], 1, "there is no such file: none.json"),
        (["run.mp4", "--everything", "-o", "pictures"], 1, "a new store needs an empty folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_annotated_is_one_line(here, capsys, words, code, told):
    assert run(["annotate", *words, "-m", "test-sam"]) == code

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_query_lists_counts_and_writes_json_and_csv(masks, capsys):
    assert run(["query", "masks"]) == 0
    table = capsys.readouterr()
    assert table.out.splitlines()[0].split() == ["id", "frame", "label", "status", "method", "area", "box", "IoU"]
    total = int(table.err.split()[0])

    assert run(["query", "masks", "--count"]) == 0
    assert capsys.readouterr().out == f"{total} masks on 6 frames\n"
    assert run(["query", "masks", "--frame", "2-3", "--label", "thing", "--json"]) == 0
    found = [json.loads(line)["record"]["frame"]["frame_index"] for line in capsys.readouterr().out.splitlines()]
    assert set(found) == {2, 3}
    assert run(["query", "masks", "--csv", "--camera", "video", "--method", "sam_raw", "--model", "test-sam"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == total
    assert {(row["label"], row["status"], row["model"]) for row in rows} == {("thing", "proposed", "test-sam")}


@pytest.mark.parametrize(
    "words",
    [
        ["--label", "nothing"], ["--status", "accepted"], ["--verified"], ["--bbox", "-9,-9,-1,-1"], ["--frame", "99"],
        ["--min-area", "99999"], ["--dataset", "x"], ["--method", "human_drawn"], ["--as-of", "0"],
        ["--where", "predicted_iou > 2"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_condition_that_nothing_meets_counts_none(masks, capsys, words):
    assert run(["query", "masks", "--count", *words]) == 0

    assert capsys.readouterr().out == "0 masks on 0 frames\n"


def test_help_names_every_status_and_method():
    assert get_args(Status) == STATUSES
    assert get_args(Method) == METHODS
    assert get_args(TrackSource) == TRACK_SOURCES
    assert get_args(TrackState) == TRACK_STATES


@pytest.mark.parametrize("verb", ["annotate", "query", "export", "import"])
def test_help_costs_no_heavy_library(verb):
    heavy = ["numpy", "torch", "numba", "cv2", "PIL", "pyarrow", "duckdb", "av", "ray"]
    code = f"import sys; from maskwright.cli.__main__ import run; run(['{verb}', '--help'])"
    code += f"; sys.exit(str([name for name in {heavy} if name in sys.modules] or ''))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == ""


def test_sql_over_the_views(masks, capsys):
    select = "SELECT frame_index, num_masks FROM frames ORDER BY frame_index"

    assert run(["query", "masks", "--sql", select, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frame_index"] for row in rows] == list(range(6))
    assert run(["query", "masks", "--sql", select]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["frame_index", "num_masks"]
    assert run(["query", "masks", "--csv", "--sql", "SELECT max(created_at) AS at, any_value(rle) FROM masks"]) == 0
    assert capsys.readouterr().out.startswith("at,")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["none"], 1, "there is no mask store here"),
        (["masks", "--status", "good"], 2, "status must be one of proposed"),
        (["masks", "--bbox", "1,2,3"], 2, "--bbox is X1,Y1,X2,Y2"),
        (["masks", "--frame", "two"], 2, "--frame is a number or a range"),
        (["masks", "--json", "--csv"], 2, "exclude each other"),
        (["masks", "--sql", "SELECT 1", "--label", "x"], 2, "--sql is the whole question"),
        (["masks", "--sql", "DROP TABLE frames"], 1, "--sql takes one SELECT over masks, records"),
        (["masks", "--sql", "SELECT 1; SELECT 2"], 1, "--sql takes one SELECT"),
        (["masks", "--sql", "SELECT colour FROM masks"], 1, "the SELECT cannot be answered"),
        (["masks", "--sql", "SELEC"], 1, "the SELECT cannot be answered"),
        (["masks", "--where", "colour = 'red'"], 1, "the condition in SQL cannot be understood"),
        (["masks", "--as-of", "v7"], 1, "no tag is called 'v7'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_asked_is_one_line(masks, capsys, words, code, told):
    assert run(["query", *words]) == code

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_export_tells_what_was_lost_and_import_reads_it_back(masks, capsys):
    assert run(["export", "masks", "--to", "yolo", "-o", "yolo"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith("-> yolo")
    assert any(line.startswith("not kept: provenance") for line in told)

    assert run(["export", "masks", "--to", "coco", "-o", "coco", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["is_lossless"], report["num_frames"]) == (True, 6)
    assert run(["import", "coco", "-o", "again"]) == 0
    assert f"coco: {report['num_masks']} new masks of 6 frames -> again" in capsys.readouterr().err
    assert contents("again") == contents("masks")
    assert run(["import", "coco", "-o", "again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_known"] == report["num_masks"]


def test_images_and_no_images_exclude_each_other(masks, capsys):
    assert run(["export", "masks", "--to", "coco", "-o", "out", "--images", "pictures", "--no-images"]) == 2


def test_ctrl_c_says_how_to_go_on(here):
    robot_data.write_video(here / "long.mp4", (pixels(number % 7) for number in range(400)))
    words = [sys.executable, "-X", "faulthandler", "-m", "maskwright.cli", "annotate", "long.mp4", "--everything"]
    process = subprocess.Popen(
        [*words, *QUICK], stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(here.glob("masks/runs/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)

    process.send_signal(signal.SIGINT)
    told = last_words(process)

    stored = len(contents(here / "masks"))
    some = f"{stored} of 400 frames are" if stored else "what was done is"  # on a busy machine none may be done yet
    assert process.returncode == 130, told
    assert f"stopped: {some} in the store, which is whole. The same command goes on: masks" in told
    assert told.endswith("error: interrupted\n")
    assert stored < 400


def heed_ctrl_c():
    """What a terminal starts heeds Ctrl+C; what a script starts in the background, as these tests may be, does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def last_words(process):
    """What a process says until it ends; one that hangs is made to say where each of its threads is."""
    try:
        return process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.communicate()[1]


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (75, "1 min 15 s"), (7325, "2 h 02 min")])
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_plain_lines_come_seldom_and_say_rate_and_time_to_go(capsys, monkeypatch):
    from maskwright.workflows.annotate_session import Progress

    now = [100.0]
    monkeypatch.setattr("maskwright.cli.progress.time.monotonic", lambda: now[0])
    lines = _Lines("run.mp4")
    for done in range(1, 41):
        now[0] += 1
        lines(Progress(num_done=done, num_wanted=100, num_masks=3 * done, num_skipped=1, frames_per_s=1.0))

    told = capsys.readouterr().err.splitlines()
    assert told[0] == "run.mp4: 6 of 100 frames, 15 masks, 1 frames/s, 1 min 34 s to go, 1 skipped"
    assert len(told) == 2
