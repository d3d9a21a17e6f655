"""labelme: polygons, groups and masks of a JSON beside its picture."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.masks import box_xyxy, encode, shift
from maskwright.testing.adapter_contract import read_frames

LABELME = find_format("labelme")
SQUARE = [[3, 2], [9, 2], [9, 8], [3, 8]]


def _shape(points: Any = SQUARE, **changes: Any) -> dict[str, Any]:
    return {"label": "mug", "points": points, "group_id": None, "shape_type": "polygon", "flags": {}, **changes}


def _png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _file(folder: Path, *shapes: Any, **changes: Any) -> Path:
    content = {"version": "5.4.1", "imagePath": "..\\a.png", "imageData": None, "imageHeight": 20, "imageWidth": 30}
    path = folder / "a.json"
    path.write_text(json.dumps({**content, "shapes": shapes, **changes}))
    return path


def test_polygons_groups_and_masks_are_objects(tmp_path: Path) -> None:
    bitmap = np.eye(5, dtype=np.uint8) * 255
    shapes = [
        _shape(),
        _shape(group_id=1, label="plate"),
        _shape([[13, 2], [19, 2], [19, 8]], group_id=1, label="plate"),
        _shape([[20, 10], [24, 14]], shape_type="mask", mask=_png(bitmap), label="wire"),
    ]
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "a.png")

    (frame,), report = read_frames(LABELME, _file(tmp_path, *shapes))

    assert (frame.name, frame.size_hw) == ("a.png", (20, 30))
    assert frame.open_image is not None
    assert [one.record.label for one in frame.masks] == ["mug", "plate", "wire"]
    assert box_xyxy(frame.masks[0].record.rle) == (3, 2, 9, 8)
    assert frame.masks[1].record.area > 36
    placed = np.zeros((20, 30), bool)
    placed[:5, :5] = bitmap > 0
    assert frame.masks[2].record.rle == shift(encode(placed), dx=20, dy=10)
    assert report.is_lossless


def test_a_picture_inside_the_json_is_used(tmp_path: Path) -> None:
    inside = _png(np.zeros((20, 30, 3), np.uint8))

    (frame,), _ = read_frames(LABELME, _file(tmp_path, imageData=inside))

    assert frame.open_image is not None
    assert frame.open_image().size_hw == (20, 30)


def test_other_shapes_are_told_and_malformed_ones_left_out(tmp_path: Path) -> None:
    shapes = [
        _shape([[1, 1], [5, 5]], shape_type="rectangle"),
        _shape([[1, 1], [2, 2]]),
        _shape("x"),
        5,
        _shape([[1, 1]], shape_type="mask", mask="no"),
        _shape(),
    ]

    (frame,), report = read_frames(LABELME, _file(tmp_path, *shapes))

    assert len(frame.masks) == 1
    assert len(report.skipped) == 4
    assert "shapes of the kind rectangle, which are no masks" in {one.what for one in report.losses}


def test_damaged_files_of_a_folder_are_left_out_and_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a JSON of labelme.*there is no \.json file in the folder"):
        read_frames(LABELME, tmp_path)
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"none of the 1 \.json files is one"):
        read_frames(LABELME, tmp_path)

    _file(tmp_path, _shape())
    frames, report = read_frames(LABELME, tmp_path)
    assert [frame.name for frame in frames] == ["a.png"]
    assert [one.item for one in report.skipped] == ["b.json"]


@pytest.mark.parametrize("changes", [{"shapes": None}, {"imagePath": 5}, {"imageHeight": "x"}])
def test_a_json_that_lacks_what_is_needed_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        read_frames(LABELME, _file(tmp_path, **changes))
