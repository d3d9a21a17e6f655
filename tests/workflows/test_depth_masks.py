import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image as PillowImage

import robot_data
from maskwright.cli.__main__ import run
from maskwright.core import BoxPrompt, Image
from maskwright.masks import area, box_xyxy, decode, encode
from maskwright.review.named_queues import NamedQueue, read_queue, write_queue
from maskwright.robot.depth_maps import depth_map
from maskwright.robot.hard_masks import HardLimits
from maskwright.store import open_store
from maskwright.testing.store_values import make_record
from maskwright.workflows.depth_masks import STEP, correct_by_depth, flags_in
from maskwright.workflows.flag_masks import flag_masks

SIZE_HW = (120, 160)
BOX = np.s_[20:100, 20:60]  # something before a wall
HOLE = np.s_[30:80, 90:130]  # something that gives no depth


def millimetres():
    values = np.full(SIZE_HW, 900, np.uint16)
    values[BOX] = 500
    values[HOLE] = 0
    return values


def colours():
    pixels = np.full((*SIZE_HW, 3), 90, np.uint8)
    pixels[BOX] = (200, 60, 60)
    pixels[HOLE] = (120, 130, 130)
    return pixels


def record(region, predicted_iou=0.6, prompt=None):
    mask = np.zeros(SIZE_HW, bool)
    mask[region] = True
    rle = encode(mask)
    made = make_record(rle=rle, label="thing")
    scores = replace(made.scores, predicted_iou=predicted_iou)
    provenance = replace(made.provenance, prompt=prompt, method="sam_raw", steps=())
    return replace(made, rle=rle, area=area(rle), box_xyxy=box_xyxy(rle), scores=scores, provenance=provenance)


def corrected(one):
    (made,) = correct_by_depth([one], Image(colours()), depth_map(millimetres(), size_hw=SIZE_HW))
    return made


def test_an_outline_that_leaves_its_surface_is_repaired_and_says_so():
    truth = np.zeros(SIZE_HW, bool)
    truth[BOX] = True

    made = corrected(record(np.s_[20:100, 20:56]))

    step = made.provenance.steps[-1]
    assert (decode(made.rle) & truth).sum() / (decode(made.rle) | truth).sum() > 0.95
    assert (step.name, step.parameters["how"]) == ("depth", "repaired")
    assert made.provenance.method == "sam_refined"
    assert made.area == area(made.rle)


def test_what_gives_no_depth_is_redrawn_where_the_model_doubts_it():
    half, box = np.s_[30:80, 90:115], BoxPrompt((90, 30, 130, 80))
    doubted, sure = (corrected(record(half, belief, box)) for belief in (0.5, 0.95))

    assert doubted.provenance.steps[-1].parameters == {"how": "redrawn", "failing": 1.0}
    assert sure.provenance.steps[-1].parameters == {"how": "kept", "failing": 1.0}
    assert sure.area == 50 * 25
    assert sure.provenance.method == "sam_raw"
    assert doubted.area > sure.area


def test_an_empty_mask_stays_as_it_is():
    empty = record(np.s_[0:0, 0:0])

    assert corrected(empty) == empty


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "depth").mkdir()
    PillowImage.fromarray(colours()).save(tmp_path / "scene.png")
    PillowImage.fromarray(millimetres()).save(tmp_path / "depth" / "scene.png")
    PillowImage.fromarray(millimetres()[:60]).save(tmp_path / "half.png")
    return tmp_path


@pytest.mark.parametrize("depth", ["depth", "depth/scene.png"])
def test_the_command_takes_a_depth_map_or_a_folder_of_them(folder, depth, capsys):
    code = run(
        ["predict", str(folder / "scene.png"), "--box", "20,20,60,100", "--depth", str(folder / depth),
         "--model", "test-sam", "--no-cache", "--json"]
    )  # fmt: skip

    (found,) = json.loads(capsys.readouterr().out)["records"]
    assert code == 0
    assert found["provenance"]["steps"][-1]["name"] == "depth"


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        ("half.png", "depth must have the picture's size, (120, 160) (h, w), got (60, 160)"),
        ("missing.png", "as a PNG or TIFF, or a folder of them, found none"),
        (".", "scene.png or scene.tiff in a folder"),
    ],
)
def test_depth_that_is_not_of_the_picture_is_told(folder, depth, told, capsys):
    (folder / "only").mkdir()
    path = folder / ("only" if depth == "." else depth)

    code = run(["predict", str(folder / "scene.png"), "--box", "20,20,60,100", "--depth", str(path),
                "--model", "test-sam", "--no-cache", "-o", str(folder / "out")])  # fmt: skip

    assert code == 1
    assert told in capsys.readouterr().err
    assert not (folder / "out").exists()


def _with_depth(root):
    """Two pictures with depth/ beside them, as RGB-D recorders write; the second one's depth has no reading at all."""
    for name in ("rgb", "depth"):
        (root / name).mkdir(parents=True)
    for number, values in enumerate([millimetres(), np.zeros(SIZE_HW, np.uint16)]):
        pixels = colours()
        pixels[0, 0] = number
        PillowImage.fromarray(pixels).save(root / "rgb" / f"{number}.png")
        PillowImage.fromarray(values).save(root / "depth" / f"{number}.png")
    return root


BOXES = {"0.png": [{"box": [90, 30, 130, 80], "label": "glass"}], "1.png": [{"box": [20, 20, 60, 100]}]}


def _annotate(source, boxes, *more):
    boxes.write_text(json.dumps(BOXES))
    return run(["annotate", str(source), "--boxes", str(boxes), "-o", str(boxes.parent / "masks"),
                "--model", "test-sam", *more])  # fmt: skip


def test_annotate_corrects_by_the_depth_of_frames_and_queues_what_is_hard(tmp_path, capsys):
    source = _with_depth(tmp_path / "recorded")

    code = _annotate(source, tmp_path / "boxes.json", "--depth", "--json")

    done = json.loads(capsys.readouterr().out)
    with open_store(tmp_path / "masks") as store:
        masks = {one.record.frame.frame_index: one.record for one in store.query() if one.record.frame}
    assert code == 0
    assert masks[0].provenance.steps[-1].name == STEP
    assert [step.name for step in masks[1].provenance.steps if step.name == STEP] == []
    assert any("no depth" in note for note in done["notes"])
    flagged = {one.id for one in masks.values() if flags_in(one)}
    assert {one.record for one in read_queue(tmp_path / "masks", "hard").entries} == flagged
    assert done["num_flagged"] == len(flagged) == 1


def test_annotate_again_with_depth_does_nothing_twice_and_without_it_is_another_run(tmp_path, capsys):
    source, boxes = _with_depth(tmp_path / "recorded"), tmp_path / "boxes.json"

    told = []
    for more in (["--depth"], ["--depth"], []):
        assert _annotate(source, boxes, *more, "--json") == 0
        told.append(json.loads(capsys.readouterr().out))

    assert [one["num_frames"] for one in told] == [2, 0, 2]
    assert told[0]["run"] == told[1]["run"] != told[2]["run"]
    assert told[0]["num_flagged"] == told[1]["num_flagged"] == 1


def test_depth_of_footage_that_has_none_is_told(tmp_path, capsys):
    source = _with_depth(tmp_path / "recorded")
    for path in (source / "depth").iterdir():
        path.unlink()

    code = _annotate(source, tmp_path / "boxes.json", "--depth")

    assert code == 1
    assert "--depth needs frames with depth, and no camera has any" in capsys.readouterr().err
    assert not (tmp_path / "masks").exists()


def test_a_queue_of_something_else_is_told_before_anything_is_annotated(tmp_path, capsys):
    source = _with_depth(tmp_path / "recorded")
    assert _annotate(source, tmp_path / "boxes.json") == 0
    other = NamedQueue(name="hard", about="picked by hand", made_at=datetime(2026, 5, 1, tzinfo=UTC), entries=())
    write_queue(tmp_path / "masks", other)
    capsys.readouterr()

    code = _annotate(source, tmp_path / "boxes.json", "--depth")

    assert code != 0
    assert "there is a queue hard already that holds other masks" in capsys.readouterr().err
    with open_store(tmp_path / "masks") as store:
        assert len(store.runs()) == 1


def test_lerobot_sets_with_depth_are_corrected(tmp_path, capsys):
    source = robot_data.write_lerobot(tmp_path / "set", lengths=(3,), cameras=("front", "wrist"), depth=True)

    code = run(["annotate", str(source), "--everything", "--preset", "fast", "--depth", "--cameras", "front",
                "-o", str(tmp_path / "masks"), "--model", "test-sam"])  # fmt: skip

    with open_store(tmp_path / "masks") as store:
        steps = [[step.name for step in one.record.provenance.steps] for one in store.query()]
    assert code == 0, capsys.readouterr().err
    assert steps
    assert all(STEP in names for names in steps)


def test_flags_that_a_person_had_made_stay_when_annotate_adds_its_own(tmp_path, capsys):
    source, boxes = _with_depth(tmp_path / "recorded"), tmp_path / "boxes.json"
    assert _annotate(source, boxes) == 0
    flag_masks(tmp_path / "masks", limits=HardLimits(thin_px=1e9))  # everything is thin
    before = {one.record for one in read_queue(tmp_path / "masks", "hard").entries}

    assert _annotate(source, boxes, "--depth") == 0

    after = {one.record for one in read_queue(tmp_path / "masks", "hard").entries}
    assert len(before) == 2
    assert before < after
