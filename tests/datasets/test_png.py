"""PNG masks: ours come back whole, and the loose folders that people have are read for what they mean."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossReport
from maskwright.datasets.mask_files import voc_palette
from maskwright.masks import decode, union
from maskwright.testing.adapter_contract import (
    AdapterContract,
    many_masks,
    plain_frame,
    read_frames,
    write_frames,
)

PNG, IDS, CLASSES = map(find_format, ("png", "png-ids", "png-classes"))


class TestPng(AdapterContract):
    format_name = "png"
    most_masks = 100  # a file each


class TestPngIds(AdapterContract):
    format_name = "png-ids"


class TestPngClasses(AdapterContract):
    format_name = "png-classes"
    most_masks = 7  # as many labels as the crowded frame has

    def _assert_same_masks(
        self, frame: LabelledFrame, other: LabelledFrame, kept: frozenset[str], told: LossReport
    ) -> None:
        """Compare what the masks of each label cover together: a map cannot tell two of them apart."""
        rles = [one.record.rle for one in frame.masks]
        if sum(one.record.area for one in frame.masks) and len(rles):
            assert union([one.record.rle for one in other.masks]) == union(rles)
        if "overlaps" not in {one.what for one in told.losses}:
            assert _areas(other) == _areas(frame)


def _areas(frame: LabelledFrame) -> Counter[str]:
    areas: Counter[str] = Counter()
    for one in frame.masks:
        areas[one.record.label or "object"] += one.record.area
    return areas


def _save(path: Path, values: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PillowImage.fromarray(values)
    if mode == "P":
        picture.putpalette(voc_palette())
    picture.save(path)


def _picture(path: Path) -> None:
    _save(path, np.full((20, 30, 3), 90, np.uint8))


def _values(*regions: tuple[int, slice, slice]) -> np.ndarray:
    values = np.zeros((20, 30), np.uint8)
    for value, rows, columns in regions:
        values[rows, columns] = value
    return values


ONE = _values((255, slice(2, 9), slice(3, 12)))
TWO = _values((1, slice(0, 8), slice(0, 8)), (7, slice(10, 18), slice(0, 8)))


def _bitmaps(frame: LabelledFrame) -> list[np.ndarray]:
    return [decode(one.record.rle) for one in frame.masks]


def test_mask_files_are_named_after_their_frame(tmp_path: Path) -> None:
    write_frames(PNG, [plain_frame(), many_masks(1)], tmp_path / "out")

    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert files == ["masks/many_mask.png", "masks/plain_mask_1.png", "masks/plain_mask_2.png"]
    with PillowImage.open(tmp_path / "out" / "masks" / "plain_mask_1.png") as picture:
        assert (picture.mode, sorted(set(picture.tobytes()))) == ("L", [0, 255])


def test_without_the_index_our_masks_are_still_masks(tmp_path: Path) -> None:
    before = plain_frame()
    write_frames(PNG, [before], tmp_path / "out")
    (tmp_path / "out" / "masks.jsonl").unlink()

    (frame,), _ = read_frames(PNG, tmp_path / "out")

    assert frame.name == "plain"
    assert [one.record.rle for one in frame.masks] == [one.record.rle for one in before.masks]


def test_a_map_of_numbers_has_sixteen_bits_and_an_index(tmp_path: Path) -> None:
    write_frames(IDS, [many_masks(300)], tmp_path / "out")

    with PillowImage.open(tmp_path / "out" / "masks" / "many.png") as picture:
        assert picture.mode == "I;16"
        assert np.asarray(picture).max() == 300
    line = json.loads((tmp_path / "out" / "masks.jsonl").read_text().splitlines()[1])
    assert [one["value"] for one in line["masks"]] == list(range(1, 301))
    assert line["masks"][8]["label"] == "thing 1"


def test_classes_are_named_in_a_file(tmp_path: Path) -> None:
    told = write_frames(CLASSES, [plain_frame(), many_masks(9)], tmp_path / "out")

    assert json.loads((tmp_path / "out" / "classes.json").read_text())["1"] == "thing 0"
    assert ("instances: masks of one label in one frame become one region", 2) in [
        (one.what, one.count) for one in told.losses
    ]


@pytest.mark.parametrize("ending", ["_mask", "-mask", ".mask", "_seg", "_label", "_gt", "_Mask"])
@pytest.mark.parametrize("folder", ["", "masks/"])
def test_masks_are_found_by_the_endings_people_use(tmp_path: Path, ending: str, folder: str) -> None:
    _picture(tmp_path / ("images/" if folder else "") / "frame_0001.png")
    _save(tmp_path / f"{folder}frame_0001{ending}.png", ONE)

    (frame,), report = read_frames(PNG, tmp_path)

    assert (frame.name, frame.size_hw) == ("frame_0001.png", (20, 30))
    assert frame.open_image is not None
    assert np.array_equal(_bitmaps(frame)[0], ONE > 0)
    assert report.is_lossless


@pytest.mark.parametrize("folder", ["masks", "labels", "gt", "annotations", "SegmentationObject", "Annotations"])
def test_masks_of_equal_names_are_found_in_the_folders_people_use(tmp_path: Path, folder: str) -> None:
    _picture(tmp_path / "JPEGImages" / "run" / "a.jpg")
    _save(tmp_path / folder / "run" / "a.png", TWO, "P")

    (frame,), _ = read_frames(PNG, tmp_path)

    assert frame.name == "run/a.jpg"
    assert [bitmap.sum() for bitmap in _bitmaps(frame)] == [64, 64]


def test_each_file_of_an_object_is_a_mask_and_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    _picture(tmp_path / "pictures" / "a.png")
    _save(tmp_path / "drawn" / "a_mask_1.png", ONE)
    _save(tmp_path / "drawn" / "a_mask_2.png", ONE[::-1].copy() // 255)

    (frame,), _ = read_frames(PNG, tmp_path / "drawn", images=tmp_path / "pictures")

    assert len(frame.masks) == 2
    assert frame.open_image is not None


def _alpha() -> np.ndarray:
    return np.dstack([np.zeros((20, 30, 3), np.uint8), ONE])


def _colours() -> np.ndarray:
    values = np.zeros((20, 30, 3), np.uint8)
    values[0:5, 0:5], values[8:12, 8:12] = (255, 0, 0), (0, 0, 128)
    return values


@pytest.mark.parametrize(
    ("values", "areas"),
    [
        (TWO, [64, 64]),
        (TWO.astype(np.uint16) * 300, [64, 64]),
        (ONE > 0, [63]),
        (_alpha(), [63]),
        (_colours(), [16, 25]),
        (np.repeat(TWO[:, :, None], 3, 2), [64, 64]),
        (_values((1, slice(0, 4), slice(0, 4)), (255, slice(8, 12), slice(0, 30))), [16]),
        (_values(), []),
    ],
    ids=["values", "16 bits", "1 bit", "alpha", "colours", "grey in colours", "void", "nothing"],
)
def test_values_mean_what_they_mean_to_people(tmp_path: Path, values: Any, areas: list[int]) -> None:
    _picture(tmp_path / "a.png")
    _save(tmp_path / "a_mask.png", values)

    (frame,), report = read_frames(PNG, tmp_path)

    assert [bitmap.sum() for bitmap in _bitmaps(frame)] == areas
    assert bool(report.losses) == (areas == [16, 25])


def test_damaged_masks_and_those_of_another_size_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        _picture(tmp_path / f"{name}.png")
    _save(tmp_path / "a_mask.png", ONE[1:])
    (tmp_path / "b_mask.png").write_bytes(b"nothing")
    (tmp_path / "c_mask.png").write_bytes((tmp_path / "a_mask.png").read_bytes()[:60])
    _save(tmp_path / "d_mask.png", np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))

    frames, report = read_frames(PNG, tmp_path)

    assert [len(frame.masks) for frame in frames] == [0, 0, 0, 0]
    reasons = {one.item: one.reason for one in report.skipped}
    assert reasons["a#a_mask.png"] == "the mask is (19, 30), its picture (20, 30); both must agree"
    assert "the mask is damaged" in reasons["b#b_mask.png"]
    assert "the mask is damaged" in reasons["c#c_mask.png"]
    assert "expected a colour an object" in reasons["d#d_mask.png"]


def test_a_damaged_picture_costs_its_frame_only(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    for name in ("a", "b"):
        _save(tmp_path / f"{name}_mask.png", ONE)
    (tmp_path / "b.png").write_bytes(b"nothing")

    frames, report = read_frames(PNG, tmp_path)

    assert [frame.name for frame in frames] == ["a.png"]
    assert [one.item for one in report.skipped] == ["b.png"]


def test_an_index_with_damaged_lines_and_missing_files_gives_the_rest(tmp_path: Path) -> None:
    write_frames(PNG, [plain_frame(), many_masks(2)], tmp_path / "out")
    index = tmp_path / "out" / "masks.jsonl"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, '{"name": 5}', '{"name": "x", "size_hw": [0], "masks": []}']) + "\n")
    (tmp_path / "out" / "masks" / "many_mask_2.png").unlink()

    frames, report = read_frames(PNG, tmp_path / "out")

    assert [len(frame.masks) for frame in frames] == [2, 1]
    assert [one.item for one in report.skipped] == [
        "many.png#masks/many_mask_2.png",
        "line 4 of masks.jsonl",
        "line 5 of masks.jsonl",
    ]


def test_an_index_of_another_kind_or_cut_off_is_refused(tmp_path: Path) -> None:
    write_frames(PNG, [plain_frame()], tmp_path / "out")

    with pytest.raises(InputError, match="holds masks of the format png; read it as that"):
        read_frames(IDS, tmp_path / "out")

    index = tmp_path / "out" / "masks.jsonl"
    index.write_text(index.read_text()[:-30])
    with pytest.raises(RecordError, match=r"line 2 of masks\.jsonl cannot be read"):
        read_frames(PNG, tmp_path / "out")
