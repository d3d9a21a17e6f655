import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import main, run
from maskwright.cli.verbs import EXIT_CODES, VERBS

PREDICT = ["predict", "-m", "test-sam", "--no-cache"]


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "DEVICE", "PRECISION", "DEBUG", "MAX_PIXELS"):
        monkeypatch.delenv(f"MASKWRIGHT_{name}", raising=False)
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "photo.png"
    PillowImage.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize(("set_by_user", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_the_command_line_sleep_while_they_wait_unless_the_user_says_otherwise(
    set_by_user, expected, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["maskwright", "--version"])
    monkeypatch.setenv("OMP_WAIT_POLICY", "any")  # so that it is put back at the end
    if set_by_user is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    else:
        monkeypatch.setenv("OMP_WAIT_POLICY", set_by_user)

    with pytest.raises(SystemExit, match="0"):
        main()

    assert os.environ["OMP_WAIT_POLICY"] == expected


def test_predict_writes_into_masks_and_tells_people_on_stderr(photo, tmp_path, capsys):
    code = run([*PREDICT, "photo.png", "--point", "20,20"])

    told = capsys.readouterr()
    assert code == 0
    assert told.out == ""
    assert told.err.startswith("photo.png: 1 mask, ")
    assert told.err.endswith("-> masks/photo.overlay.jpg\n")
    assert len(list((tmp_path / "masks").iterdir())) == 3


def test_json_alone_goes_to_stdout_and_writes_no_file(photo, tmp_path, capsys):
    code = run([*PREDICT, "photo.png", "-p", "20,20", "--json"])

    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert code == 0
    assert told.err == ""
    assert answer["size_hw"] == [48, 64]
    assert answer["files"] is None
    assert answer["records"][0]["provenance"]["prompt"]["points_xy"] == [[20.0, 20.0]]
    assert not (tmp_path / "masks").exists()


def test_clicks_box_and_label_speak_of_one_object_and_each_object_option_of_one_more(photo, capsys):
    spec = "label=cup; point=5,5; negative=60,40; box=1,1,30,30"

    code = run([*PREDICT, "photo.png", "-p", "20,20", "-n", "40,40", "--label", "mug", "--object", spec, "--json"])

    first, second = json.loads(capsys.readouterr().out)["records"]
    assert code == 0
    assert (first["label"], second["label"]) == ("mug", "cup")
    assert first["provenance"]["prompt"]["labels"] == [1, 0]
    assert [part["kind"] for part in second["provenance"]["prompt"]["parts"]] == ["PointPrompt", "BoxPrompt"]


def test_a_mask_picture_is_a_prompt(photo, tmp_path, capsys):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 10:30] = 255
    PillowImage.fromarray(mask).save(tmp_path / "rough.png")

    assert run([*PREDICT, "photo.png", "--mask", "rough.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"][0]["provenance"]["prompt"]["kind"] == "MaskPrompt"


def test_several_pictures_give_a_line_each(photo, tmp_path, capsys):
    PillowImage.open(photo).save(tmp_path / "second.png")

    code = run([*PREDICT, "photo.png", "second.png", "--box", "1,1,30,30", "--json"])

    assert code == 0
    assert [json.loads(line)["image"] for line in capsys.readouterr().out.splitlines()] == ["photo.png", "second.png"]


def test_one_bad_picture_of_several_is_told_and_does_not_stop_the_others(photo, tmp_path, capsys):
    spoil(tmp_path)

    code = run([*PREDICT, "photo.png", "cut.png", "words.png", "--point", "20,20", "-o", "out"])

    told = capsys.readouterr().err.splitlines()
    assert code == 1
    assert told[0].startswith("photo.png: 1 mask")
    assert told[1].startswith("error: the picture is damaged")
    assert told[2].startswith("error: this is not a picture")
    assert told[3] == "2 of 3 pictures could not be used"
    assert (tmp_path / "out" / "photo.mask-1.png").exists()


def test_cleanup_and_candidates_reach_the_records(photo, capsys):
    code = run([*PREDICT, "photo.png", "-p", "9,9", "--num-masks", "3", "--cleanup", "fill_holes=9", "--json"])

    records = json.loads(capsys.readouterr().out)["records"]
    assert code == 0
    assert len(records) == 3
    assert records[2]["provenance"]["steps"][0]["name"] == "fill_holes"


def test_a_window_shows_deep_grayscale(tmp_path, photo, capsys):
    PillowImage.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)).save(tmp_path / "ct.png")

    digests = set()
    for option in (["--window", "40/400"], ["--window", "lung"], ["--percentile", "1,99"]):
        assert run([*PREDICT, "ct.png", "-p", "9,9", "--json", *option]) == 0
        digests.add(json.loads(capsys.readouterr().out)["image_digest"])

    assert len(digests) == 3


def test_everything_takes_a_preset_and_changes_to_it(photo, tmp_path, capsys):
    words = ["everything", "photo.png", "-m", "test-sam", "--preset", "fast", "--set", "points_per_side=2"]

    code = run([*words, "--set", "pred_iou_thresh=0", "--set", "stability_score_thresh=0", "--no-cache"])

    assert code == 0
    assert capsys.readouterr().err.startswith("photo.png: 1 mask")
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["photo.masks.json", "photo.overlay.jpg"]


def test_everything_that_finds_nothing_says_how_to_let_more_through(photo, capsys):
    assert run(["everything", "photo.png", "-m", "test-sam", "--set", "pred_iou_thresh=2", "--no-cache"]) == 0

    told = capsys.readouterr().err
    assert "photo.png: no masks (" in told
    assert "for example: --set pred_iou_thresh=" in told
    assert told.endswith(" --set stability_score_thresh=0.8\n")


def test_the_second_click_on_a_picture_finds_its_embedding_on_disk(photo, tmp_path):
    run(["predict", "-m", "test-sam", "photo.png", "-p", "9,9", "--json"])

    (kept,) = (tmp_path / "cache" / "embeddings").iterdir()
    written = kept.stat().st_ino
    run(["predict", "-m", "test-sam", "photo.png", "-p", "30,30", "--json"])
    assert [path.stat().st_ino for path in kept.parent.iterdir()] == [written]


def spoil(tmp_path):
    (tmp_path / "words.png").write_text("words")
    (tmp_path / "empty.png").write_bytes(b"")
    whole = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.png", "-p", "1,1"], "there is no such picture: none.png"),
        (["words.png", "-p", "1,1"], "this is not a picture"),
        (["empty.png", "-p", "1,1"], "the file is empty, expected a picture. Get it again: empty.png"),
        (["cut.png", "-p", "1,1"], "the picture is damaged"),
        (["photo.png", "-p", "900,900"], "outside the image"),
        (["photo.png", "-p", "nan,1"], "finite"),
        (["photo.png", "-b", "30,30,10,10"], "a box needs x1 < x2"),
        (["photo.png", "-b", "1,1,9,9", "-b", "1,1,8,8"], "one object takes at most one"),
        (["photo.png", "--text", "mug"], "text"),
        (["photo.png", "--mask", "none.png"], "there is no such picture: none.png"),
        (["photo.png", "-p", "1,1", "-m", "vit-b"], "no model is called 'vit-b'"),
        (["photo.png", "-p", "1,1", "--device", "tpu9"], "expected a device of this machine"),
        (["photo.png", "-p", "1,1", "--precision", "int4"], "precision must be one of"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(words, message, photo, tmp_path, capsys):
    spoil(tmp_path)

    code = run([*PREDICT, *words])

    told = capsys.readouterr().err
    assert code == 1
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*PREDICT, "photo.png"], "say what to segment: --point X,Y"),
        ([*PREDICT, "photo.png", "-p", "1"], "a point is X,Y in pixels, for example 500,375; got '1'"),
        ([*PREDICT, "photo.png", "-b", "1,2,3"], "a box is X1,Y1,X2,Y2"),
        ([*PREDICT, "photo.png", "--object", "spot=1,2"], "--object takes KEY=VALUE with KEY one of point"),
        ([*PREDICT, "photo.png", "--object", "label=a;label=b;point=1,1"], "takes label once"),
        ([*PREDICT, "photo.png", "-p", "1,1", "--pont", "2,2"], "No such option: --pont"),
        ([*PREDICT, "photo.png", "-p", "1,1", "--num-masks", "4"], "--num-masks"),
        ([*PREDICT, "photo.png", "-p", "1,1", "--cleanup", "fil_holes=1"], "fill_holes"),
        ([*PREDICT, "photo.png", "-p", "1,1", "--window", "wide"], "CENTER/WIDTH"),
        ([*PREDICT, "photo.png", "-p", "1,1", "--window", "1/2", "--percentile", "1,2"], "exclude each other"),
        (["everything", "photo.png", "--preset", "slow"], "--preset must be one of fast, balanced, thorough"),
        (["everything", "photo.png", "--set", "grid=4"], "--set takes NAME=VALUE with NAME one of points_per_side"),
        (["everything", "photo.png", "--set", "points_per_side=x"], "must be a whole number; got 'x'"),
        (["everything", "photo.png", "--set", "points_per_side=0"], "points_per_side must be at least 1"),
        (["predikt"], "there is no verb 'predikt'; did you mean predict?"),
        (["models", "remove"], "No such command 'remove'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(words, message, photo, capsys):
    code = run(words)

    told = capsys.readouterr().err
    assert code == 2
    assert message in told
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_an_interrupt_is_exit_code_130(photo, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("maskwright.workflows.predict_files.predict_file", interrupted)

    assert run([*PREDICT, "photo.png", "-p", "1,1"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_bug_of_ours_is_one_line_too_and_debug_shows_the_traceback(photo, monkeypatch, capsys, caplog):
    def broken(*args, **kwargs):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("maskwright.workflows.predict_files.predict_file", broken)

    assert run([*PREDICT, "photo.png", "-p", "1,1"]) == 1
    told = capsys.readouterr().err
    assert "unexpected RuntimeError: first line second line. This is a bug in maskwright; --debug shows where" in told
    assert caplog.records == []
    assert run([*PREDICT, "photo.png", "-p", "1,1", "--debug"]) == 1
    assert caplog.records[0].exc_info is not None


def test_models_lists_shows_and_verifies(photo, capsys):
    assert run(["models", "list"]) == 0
    assert "vit_b" in capsys.readouterr().out
    assert run(["models", "list", "--json"]) == 0
    cards = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"name", "licence", "sha256", "is_here"} <= cards[0].keys()
    assert run(["models", "show", "vit_b"]) == 0
    assert "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912" in capsys.readouterr().out
    assert run(["models", "show", "vit_x"]) == 1
    assert "Nearest: vit_" in capsys.readouterr().err


def test_an_absent_model_says_how_to_get_it(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path / "weights"))

    assert run(["predict", "photo.png", "-p", "1,1", "-m", "vit_b"]) == 1
    assert "maskwright models pull vit_b" in capsys.readouterr().err
    assert run(["models", "verify", "vit_b"]) == 1
    assert "not on this machine" in capsys.readouterr().err
    assert run(["models", "import", "photo.png", "--name", "vit_b"]) == 1
    assert "not the published checkpoint" in capsys.readouterr().err


def test_a_setting_that_cannot_be_read_is_named(photo, monkeypatch, capsys):
    monkeypatch.setenv("MASKWRIGHT_PRECISION", "int4")

    assert run([*PREDICT, "photo.png", "-p", "1,1"]) == 1
    assert "MASKWRIGHT_PRECISION must be one of auto, fp32" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["predict", "everything", "models"])
def test_a_verb_alone_shows_its_help(verb, capsys):
    assert run([verb]) == 2
    assert capsys.readouterr().err.startswith(f"Usage: maskwright {verb}")


def test_help_of_the_whole_names_every_verb_and_exit_code(capsys):
    assert run(["--help"]) == 0

    text = capsys.readouterr().out
    assert all(f"  {verb.name}" in text for verb in VERBS)
    assert all(meaning in text for meaning in EXIT_CODES.values())
    assert run([]) == 2


@pytest.mark.parametrize(
    "verb", [[verb.name] for verb in VERBS] + [["models", "pull"], ["models", "import"]], ids=" ".join
)
def test_help_of_each_verb_has_one_example(verb, capsys):
    assert run([*verb, "--help"]) == 0

    assert capsys.readouterr().out.count("Example: maskwright " + verb[0]) == 1


IMPORTS = """
import sys
from maskwright.cli.__main__ import main, run
code = run({words!r})
heavy = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"imported {{heavy}}" if heavy else code)
"""


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], ["typer", "rich", "numpy", "torch", "numba", "cv2", "PIL"]),
        (["--version"], ["typer", "rich", "numpy", "torch", "numba", "cv2", "PIL"]),
        (["predict", "--help"], ["numpy", "torch", "numba", "cv2", "PIL"]),
        (["everything", "--help"], ["numpy", "torch", "numba", "cv2", "PIL"]),
        (["models", "list"], ["torch", "numba", "cv2", "PIL"]),
        (["predict", "none.png", "--point", "1"], ["torch"]),
    ],
    ids=" ".join,
)
def test_what_needs_no_network_imports_none(words, heavy):
    code = IMPORTS.format(words=words, heavy=heavy)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "imported" not in done.stderr, done.stderr
    assert done.returncode == (2 if "none.png" in words else 0)


def test_a_closed_pipe_is_not_an_error(tmp_path):
    command = f"{sys.executable} -m maskwright.cli models list --json | head -c 1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr
