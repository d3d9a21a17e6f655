"""DAVIS and YouTube-VOS: palettes that their tools read, and sequences of either that we read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.core.image import Image
from maskwright.datasets.formats import find_format
from maskwright.datasets.mask_files import voc_palette
from maskwright.masks import decode
from maskwright.testing.adapter_contract import AdapterContract, many_masks, plain_frame, read_frames, write_frames

DAVIS = find_format("davis")
TWO = np.zeros((20, 30), np.uint8)
TWO[0:4, 0:4], TWO[8:10, 8:10] = 1, 2


class TestDavis(AdapterContract):
    format_name = "davis"
    most_masks = 254


def _annotation(path: Path, values: np.ndarray, palette: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PillowImage.fromarray(values)
    if palette:
        picture.putpalette(voc_palette())
    picture.save(path)


def _rename(frame: Any, name: str, **tracks: str) -> Any:
    masks = [
        replace(one, record=replace(one.record, track=tracks.get(f"t{i}", one.record.track)))
        for i, one in enumerate(frame.masks)
    ]
    return replace(frame, name=name, masks=tuple(masks), open_image=lambda: Image(np.zeros((24, 32, 3), np.uint8)))


def test_pillow_reads_a_palette_in_which_a_track_keeps_its_number(tmp_path: Path) -> None:
    frames = [_rename(plain_frame(), f"dog/{i:05}.jpg", t0="left", t1=("right", "new")[i]) for i in range(2)]
    write_frames(DAVIS, frames, tmp_path / "out")

    for i, numbers in enumerate([[0, 1, 2], [0, 1, 3]]):
        with PillowImage.open(tmp_path / "out" / "Annotations" / "480p" / "dog" / f"{i:05}.png") as picture:
            assert picture.mode == "P"
            assert sorted(set(picture.tobytes())) == numbers
            assert picture.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
            dense = np.asarray(picture) == 1
        assert np.array_equal(dense, decode(frames[i].masks[0].record.rle))
    with PillowImage.open(tmp_path / "out" / "JPEGImages" / "480p" / "dog" / "00000.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (32, 24))
    assert (tmp_path / "out" / "ImageSets" / "2017" / "val.txt").read_text() == "dog\n"


def test_meta_is_that_of_youtube_vos(tmp_path: Path) -> None:
    frames = [_rename(plain_frame(), f"dog/{i:05}.jpg") for i in range(2)]
    write_frames(DAVIS, frames, tmp_path / "out")

    meta = json.loads((tmp_path / "out" / "meta.json").read_text())

    first = meta["videos"]["dog"]["objects"]["1"]
    assert (first["category"], first["frames"]) == ("thing 0", ["00000", "00001"])


def test_masks_without_a_track_are_objects_of_their_own_until_numbers_run_out(tmp_path: Path) -> None:
    told = write_frames(DAVIS, [many_masks(300)], tmp_path / "out")
    (frame,), _ = read_frames(DAVIS, tmp_path / "out")

    assert told.num_masks == len(frame.masks) == 254
    assert {one.record.track for one in frame.masks} == {None}
    assert len(told.skipped) == 46
    assert told.skipped[0].reason == "a sequence holds 254 objects"


def test_what_a_palette_cannot_hold_is_told(tmp_path: Path) -> None:
    frames = [_rename(plain_frame(), "dog/0.jpg"), _rename(plain_frame(), "dog/1.jpg", t1="1")]

    told = write_frames(DAVIS, frames, tmp_path / "out")

    losses = {one.what for one in told.losses}
    assert "tracks: masks of one track in one frame become one" in losses
    assert "labels that change along a track" in losses
    assert "exact pixels of pictures, which are written as JPEG" in losses


@pytest.mark.parametrize("level", ["480p/", "Full-Resolution/", ""])
def test_either_layout_is_read_with_void_left_out(tmp_path: Path, level: str) -> None:
    values = TWO.copy()
    values[:, 29] = 255
    _annotation(tmp_path / "Annotations" / level / "dog" / "00000.png", values)
    pictures = tmp_path / "JPEGImages" / level / "dog"
    pictures.mkdir(parents=True)
    for name in ("00000.jpg", "00001.jpg"):
        PillowImage.new("RGB", (30, 20)).save(pictures / name)
    objects = {"1": {"category": "dog", "frames": ["00000"]}}
    (tmp_path / "meta.json").write_text(json.dumps({"videos": {"dog": {"objects": objects}}}))

    (frame,), report = read_frames(DAVIS, tmp_path)

    assert frame.name == "dog/00000.jpg"
    assert [(one.record.track, one.record.label, one.record.area) for one in frame.masks] == [
        ("1", "dog", 16),
        ("2", None, 4),
    ]
    assert [(one.what, one.example) for one in report.losses] == [
        ("objects that meta.json does not list", "dog/00000.jpg#2")
    ]


def test_the_one_object_of_davis_2016_is_number_one(tmp_path: Path) -> None:
    _annotation(tmp_path / "Annotations" / "480p" / "dog" / "00000.png", (TWO > 0).astype(np.uint8) * 255, False)

    (frame,), _ = read_frames(DAVIS, tmp_path)

    assert [(one.record.track, one.record.area) for one in frame.masks] == [("1", 20)]


def test_damaged_annotations_and_those_of_another_size_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "Annotations" / "dog"
    for name in ("0", "1", "2"):
        _annotation(folder / f"{name}.png", TWO)
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:50])
    (tmp_path / "JPEGImages" / "dog").mkdir(parents=True)
    PillowImage.new("RGB", (31, 20)).save(tmp_path / "JPEGImages" / "dog" / "2.jpg")

    frames, report = read_frames(DAVIS, tmp_path)

    assert [frame.name for frame in frames] == ["dog/0.jpg"]
    assert [one.item for one in report.skipped] == ["dog/1.png", "dog/2.png"]


def test_a_damaged_meta_and_a_folder_without_annotations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected DAVIS or YouTube-VOS, a folder with Annotations and JPEGImages"):
        read_frames(DAVIS, tmp_path)

    _annotation(tmp_path / "Annotations" / "dog" / "0.png", TWO)
    (tmp_path / "meta.json").write_text('{"videos": {')
    with pytest.raises(RecordError, match=r"meta\.json cannot be read"):
        read_frames(DAVIS, tmp_path)
