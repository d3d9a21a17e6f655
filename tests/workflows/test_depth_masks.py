import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from maskwright.core import BoxPrompt, Image
from maskwright.masks import area, box_xyxy, decode, encode
from maskwright.robot.depth_maps import depth_map
from maskwright.testing.store_values import make_record
from maskwright.workflows.depth_masks import correct_by_depth

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
