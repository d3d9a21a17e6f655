"""COCO: what is written opens in pycocotools, and what others write reads, whole or in part."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image as PillowImage
from pycocotools.coco import COCO

from maskwright.core import Image
from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.masks import decode, encode, runs, to_coco
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames
from maskwright.testing.labelled_frames import labelled_frames
from maskwright.workflows.outputs import coco_document
from maskwright.workflows.pictures import Picture

COCO_FORMAT = find_format("coco")
SQUARE = np.zeros((20, 30), bool)
SQUARE[2:8, 3:9] = True


class TestCoco(AdapterContract):
    format_name = "coco"


def _file(folder: Path, annotations: list[Any], **changes: Any) -> Path:
    content = {
        "images": [{"id": 5, "file_name": "a.png", "width": 30, "height": 20}],
        "categories": [{"id": 3, "name": "чашка"}],
        "annotations": [{"id": i + 1, "image_id": 5, "category_id": 3, **one} for i, one in enumerate(annotations)],
    }
    path = folder / "set.json"
    path.write_text(json.dumps(content | changes))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools itself
@settings(max_examples=10)
@given(frames=labelled_frames(max_frames=2))
def test_pycocotools_loads_what_is_written_with_the_same_areas(
    tmp_path_factory: pytest.TempPathFactory, frames: Any
) -> None:
    out = tmp_path_factory.mktemp("coco") / "out"
    write_frames(COCO_FORMAT, frames, out)

    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(out / "annotations.json"))

    masks = [mask for frame in frames for mask in frame.masks]
    assert [one["file_name"] for one in theirs.dataset["images"]] == [
        one["file_name"] for one in json.loads((out / "annotations.json").read_text())["images"]
    ]
    assert len(theirs.anns) == len(masks)
    for one, mask in zip(theirs.dataset["annotations"], masks, strict=True):
        assert np.array_equal(theirs.annToMask(one).astype(bool), decode(mask.record.rle))
        assert one["area"] == theirs.annToMask(one).sum()
        assert theirs.cats[one["category_id"]]["name"] == (mask.record.label or "object")


def test_polygons_and_both_kinds_of_run_lengths_are_read(tmp_path: Path) -> None:
    rle = encode(SQUARE)
    path = _file(
        tmp_path,
        [
            {"segmentation": [[3, 2, 9, 2, 9, 8, 3, 8]]},
            {"segmentation": {"size": [20, 30], "counts": runs(rle).tolist()}},
            {"segmentation": to_coco(rle), "area": 36, "bbox": [3, 2, 6, 6]},
        ],
    )

    (frame,), report = read_frames(COCO_FORMAT, path)

    assert [one.record.rle for one in frame.masks] == [rle] * 3
    assert {one.record.label for one in frame.masks} == {"чашка"}
    assert [(one.what, one.example) for one in report.losses] == [("pictures, which are not at hand", "a.png")]
    provenance = frame.masks[0].record.provenance
    assert (provenance.method, provenance.source) == ("imported", "set.json (coco)")


def test_crowds_and_malformed_masks_are_left_out_and_told(tmp_path: Path) -> None:
    good = to_coco(encode(SQUARE))
    path = _file(
        tmp_path,
        [
            {"segmentation": good},
            {"segmentation": good, "iscrowd": 1},
            {"segmentation": {"size": [20, 30], "counts": [5, 5]}},
            {"segmentation": {"size": [20, 30], "counts": good["counts"][:-1]}},
            {"segmentation": {"size": [10, 10], "counts": [100]}},
            {"segmentation": [[1, 1, 2, 2]]},
            {"segmentation": []},
            {"segmentation": "abc"},
            {"segmentation": good, "image_id": 77},
        ],
    )

    (frame,), report = read_frames(COCO_FORMAT, path)

    assert [one.record.rle for one in frame.masks] == [encode(SQUARE)]
    told = {one.item: one.reason for one in report.skipped}
    assert told["a.png#2"] == "a crowd, which is not one object"
    assert "must add up to height x width" in told["a.png#3"]
    assert "got 7 bytes" in told["a.png#4"] or "cut off" in told["a.png#4"] or "add up" in told["a.png#4"]
    assert told["a.png#5"] == "the mask is (10, 10), its picture (20, 30); both must agree"
    assert "at least three x, y pairs" in told["a.png#6"]
    assert told["a.png#7"] == "it has no mask"
    assert "must be a list" in told["a.png#8"]
    assert told["annotations of image 77"] == "the file lists no such image"


def test_other_areas_and_boxes_are_computed_anew_and_told(tmp_path: Path) -> None:
    rle = to_coco(encode(SQUARE))
    path = _file(
        tmp_path, [{"segmentation": rle, "area": 40}, {"segmentation": rle, "area": 36.4, "bbox": [3, 2, 9, 6]}]
    )

    (frame,), report = read_frames(COCO_FORMAT, path)

    assert [one.record.area for one in frame.masks] == [36, 36]
    (loss,) = [one for one in report.losses if "areas or boxes" in one.what]
    assert (loss.count, loss.example) == (2, "a.png#1: area 40, the mask has 36")


def test_an_unknown_category_gives_a_mask_without_a_label(tmp_path: Path) -> None:
    path = _file(tmp_path, [{"segmentation": to_coco(encode(SQUARE)), "category_id": 9}])

    (frame,), report = read_frames(COCO_FORMAT, path)

    assert frame.masks[0].record.label is None
    assert "categories that the file does not list" in {one.what for one in report.losses}


def test_a_mask_that_was_redrawn_elsewhere_is_a_new_record_of_the_old(tmp_path: Path) -> None:
    before = plain_frame()
    write_frames(COCO_FORMAT, [before], tmp_path / "out")
    path = tmp_path / "out" / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = to_coco(encode(np.eye(24, 32, dtype=bool)))
    content["categories"][1]["name"] = "renamed"
    path.write_text(json.dumps(content))

    (frame,), report = read_frames(COCO_FORMAT, path)

    redrawn, renamed = (one.record for one in frame.masks)
    assert redrawn.provenance.method == "imported"
    assert redrawn.provenance.derived_from == (before.masks[0].record.id,)
    assert redrawn.track == "1"
    assert (renamed.id, renamed.label) == (before.masks[1].record.id, "renamed")
    assert "the history of masks whose pixels have changed" in {one.what for one in report.losses}


def test_damaged_notes_cost_the_history_and_nothing_else(tmp_path: Path) -> None:
    rle = to_coco(encode(SQUARE))
    notes: list[Any] = [5, {"record": 7}, {"record": {"id": "x"}}, {"pixels": "?", "record": {}, "extra": 1}]
    path = _file(tmp_path, [{"segmentation": rle, "maskwright": note} for note in notes])

    (frame,), report = read_frames(COCO_FORMAT, path)

    assert len(frame.masks) == 4
    assert [one.count for one in report.losses if one.what == "notes of maskwright that are damaged"] == [4]


def test_what_predict_writes_is_read_with_its_records(tmp_path: Path) -> None:
    record = plain_frame().masks[0].record
    picture = Picture(path=tmp_path / "plain.png", stem="plain", given="plain.png")
    document = coco_document(picture, Image(np.zeros((24, 32, 3), np.uint8)), [record], [])
    path = tmp_path / "plain.masks.json"
    path.write_text(json.dumps(document))

    (frame,), _ = read_frames(COCO_FORMAT, path)

    assert frame.masks[0].record == record


def test_pictures_of_another_size_are_left_out_and_those_in_a_folder_are_found(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    PillowImage.new("RGB", (30, 20)).save(elsewhere / "a.png")
    PillowImage.new("RGB", (31, 20)).save(elsewhere / "b.png")
    images = [{"id": i, "file_name": f"{name}.png", "width": 30, "height": 20} for i, name in enumerate("abc")]
    path = _file(tmp_path, [], images=images)

    frames, report = read_frames(COCO_FORMAT, path, images=elsewhere)

    assert [frame.name for frame in frames] == ["a.png", "c.png"]
    assert frames[0].open_image is not None
    assert [(one.item, one.reason) for one in report.skipped] == [
        ("b.png", "the file says (h, w) (20, 30), the picture is (20, 31)")
    ]


def test_one_picture_is_never_given_to_two_names(tmp_path: Path) -> None:
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "000.png")
    names = ["run 1/000.png", "run 2/000.png"]
    images = [{"id": i, "file_name": name, "width": 30, "height": 20} for i, name in enumerate(names)]
    path = _file(tmp_path, [], images=images)

    beside, _ = read_frames(COCO_FORMAT, path)
    named, report = read_frames(COCO_FORMAT, path, images=tmp_path)

    assert [frame.open_image is not None for frame in beside] == [False, False]
    assert [frame.open_image is not None for frame in named] == [True, False]
    assert [(one.what, one.example) for one in report.losses] == [("pictures, which are not at hand", names[1])]


def test_a_picture_outside_the_folder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "secret.png")
    images = [{"id": 0, "file_name": "../secret.png", "width": 30, "height": 20}]

    (frame,), _ = read_frames(COCO_FORMAT, _file(tmp_path / "in", [], images=images))

    assert frame.open_image is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', "the COCO file cannot be read"),
        ("[1]", "expected a COCO file, an object with images and annotations"),
        ('{"images": [], "annotations": [3]}', "expected COCO's images, annotations and categories"),
        ('{"images": [{"id": 1}], "annotations": []}', "'file_name' is missing"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_damaged_file_is_refused_in_a_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(RecordError, match=message):
        read_frames(COCO_FORMAT, path)


def test_a_folder_of_several_files_wants_one_named(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text("{}")

    with pytest.raises(InputError, match=r"got train\.json, val\.json\. Name one of them"):
        read_frames(COCO_FORMAT, tmp_path)
