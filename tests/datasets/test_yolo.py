"""YOLO segmentation: lines as Ultralytics documents them, holes and islands in one polygon."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from PIL import Image as PillowImage

from maskwright.core import RLE, Image
from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.datasets.yolo_polygon import fill_polygon, polygon_text
from maskwright.masks import area, decode, encode
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames
from maskwright.testing.strategies import rles

YOLO = find_format("yolo")


class TestYolo(AdapterContract):
    format_name = "yolo"


@settings(max_examples=40)
@given(rle=rles(max_side=16).filter(area))
def test_one_polygon_holds_islands_and_holes_exactly(rle: RLE) -> None:
    text, _ = polygon_text(rle)

    shares = np.array([float(word) for word in text.split()])

    assert shares.min() >= 0
    assert shares.max() <= 1
    assert fill_polygon(shares, rle.size_hw) == rle


def test_the_filling_of_ultralytics_differs_at_outlines_and_bridges_only() -> None:
    y, x = np.mgrid[:200, :300]
    radius = np.hypot(x - 150, y - 100)
    mask = (radius < 90) & (radius > 40) | (np.hypot(x - 30, y - 30) < 15)
    text, num_bridges = polygon_text(encode(mask))

    points = np.array([float(word) for word in text.split()]).reshape(-1, 2) * (300, 200)
    drawn = np.zeros((200, 300), np.uint8)
    cv2.fillPoly(drawn, [points.astype(np.int32)], 1)  # as Ultralytics rasterises polygons

    assert num_bridges == 2
    overlap = (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum()
    assert overlap > 0.95


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    frame = replace(plain_frame(), name="run/a.png", open_image=lambda: Image(np.zeros((24, 32, 3), np.uint8)))
    write_frames(YOLO, [frame], tmp_path / "out")

    root = tmp_path / "out"
    content = yaml.safe_load((root / "data.yaml").read_text())
    assert content["names"] == {0: "thing 0", 1: "thing 1"}
    assert (root / content["train"] / "run" / "a.png").is_file()
    lines = (root / "labels" / "train" / "run" / "a.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    for line in lines:
        shares = np.array([float(word) for word in line.split()[1:]])
        assert len(shares) % 2 == 0
        assert len(shares) >= 6
        assert shares.min() >= 0
        assert shares.max() <= 1


def _folder(root: Path, lines: str, *, config: str | None = "names: [cup, 'big plate']", split: str = "train") -> Path:
    (root / "labels" / split).mkdir(parents=True, exist_ok=True)
    (root / "images" / split).mkdir(parents=True, exist_ok=True)
    (root / "labels" / split / "a.txt").write_text(lines)
    PillowImage.new("RGB", (30, 20)).save(root / "images" / split / "a.jpg")
    if config is not None:
        (root / "data.yaml").write_text(config)
    return root


SQUARE = "0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4"


@pytest.mark.parametrize(
    "config",
    ["names: [cup, 'big plate']", "names:\n  - cup\n  - big plate\nnc: 2", "names:\n  0: cup\n  1: big plate\npath: x"],
)
def test_every_way_to_name_classes_is_read(tmp_path: Path, config: str) -> None:
    (frame,), report = read_frames(YOLO, _folder(tmp_path, f"1 {SQUARE}\n", config=config))

    assert frame.name == "a.jpg"
    assert frame.open_image is not None
    assert [(one.record.label, one.record.area) for one in frame.masks] == [("big plate", 36)]
    assert decode(frame.masks[0].record.rle)[2:8, 3:9].all()
    assert report.is_lossless


def test_the_data_yaml_itself_may_be_named_and_splits_are_told_apart(tmp_path: Path) -> None:
    _folder(tmp_path, f"0 {SQUARE}")
    _folder(tmp_path, "", split="val")

    frames, _ = read_frames(YOLO, tmp_path / "data.yaml")

    assert [(frame.name, len(frame.masks)) for frame in frames] == [("train/a.jpg", 1), ("val/a.jpg", 0)]


def test_a_track_may_follow_the_polygon_and_boxes_are_told_as_lost(tmp_path: Path) -> None:
    (frame,), report = read_frames(YOLO, _folder(tmp_path, f"0 {SQUARE} 12\n1 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1 3\n"))

    assert [one.record.track for one in frame.masks] == ["12"]
    assert [(one.what, one.count) for one in report.losses] == [("boxes without a mask", 2)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.1 0.1 0.2", "at least three x, y pairs"),
        ("0", "at least three x, y pairs"),
        ("cup " + SQUARE, "expected a class and numbers"),
        ("0 0.1 x 0.3 0.1 0.3 0.4", "expected a class and numbers"),
        ("0 3 2 9 2 9 8 3 8", "must be shares from 0 to 1, got 2 to 9"),
        ("0 0.1 nan 0.3 0.1 0.3 0.4", "must be shares from 0 to 1"),
    ],
)
def test_malformed_lines_are_left_out(tmp_path: Path, line: str, reason: str) -> None:
    (frame,), report = read_frames(YOLO, _folder(tmp_path, f"{line}\n0 {SQUARE}\n"))

    assert len(frame.masks) == 1
    assert report.skipped[0].item == "a.jpg:1"
    assert reason in report.skipped[0].reason


def test_unknown_classes_are_masks_without_a_label(tmp_path: Path) -> None:
    (frame,), report = read_frames(YOLO, _folder(tmp_path, f"9 {SQUARE}", config=None))

    assert frame.masks[0].record.label is None
    assert [one.what for one in report.losses] == ["classes that data.yaml does not name"]


def test_labels_without_a_picture_or_in_other_letters_are_left_out(tmp_path: Path) -> None:
    root = _folder(tmp_path, f"0 {SQUARE}")
    (root / "labels" / "train" / "lonely.txt").write_text(f"0 {SQUARE}")
    (root / "labels" / "train" / "letters.txt").write_bytes(b"0 \xff\xfe")
    PillowImage.new("RGB", (30, 20)).save(root / "images" / "train" / "letters.png")

    frames, report = read_frames(YOLO, root)

    assert [frame.name for frame in frames] == ["a.jpg"]
    assert [one.item for one in report.skipped] == ["labels/train/letters.txt", "labels/train/lonely.txt"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("names: [a", "data.yaml cannot be read"),
        ("names: 5", "expected data.yaml with names"),
        ("- 1", "expected data.yaml with names"),
        ("names: {a: b}", "expected data.yaml with names"),
        ("names: !!python/object/apply:os.system ['true']", "data.yaml cannot be read"),
    ],
)
def test_a_damaged_data_yaml_is_refused(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_frames(YOLO, _folder(tmp_path, "", config=config))


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected YOLO's folder with labels, images and data\.yaml"):
        read_frames(YOLO, tmp_path)
