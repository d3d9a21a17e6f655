"""SA-V: masklets of a JSON, and folders of PNGs, an object each."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.masks import encode, to_coco
from maskwright.testing.adapter_contract import read_frames

SAV = find_format("sav")
SQUARE = np.zeros((20, 30), bool)
SQUARE[2:8, 3:9] = True
SHOWN, HIDDEN = to_coco(encode(SQUARE)), to_coco(encode(SQUARE & False))


def _file(folder: Path, masks: Any, **changes: Any) -> Path:
    content = {"video_id": "sav_1", "video_height": 20.0, "video_width": 30.0, "masklet_id": [0, 5], "masklet": masks}
    path = folder / "sav_1_manual.json"
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_masklets_are_tracks_of_every_fourth_picture(tmp_path: Path) -> None:
    _file(tmp_path, [[SHOWN, HIDDEN], [SHOWN, SHOWN]])
    folder = tmp_path / "JPEGImages_24fps" / "sav_1"
    folder.mkdir(parents=True)
    PillowImage.new("RGB", (30, 20)).save(folder / "00004.jpg")

    frames, report = read_frames(SAV, tmp_path)

    assert [frame.name for frame in frames] == ["sav_1/00000.jpg", "sav_1/00004.jpg"]
    assert [[one.record.track for one in frame.masks] for frame in frames] == [["0"], ["0", "5"]]
    assert [frame.open_image is not None for frame in frames] == [False, True]
    assert [one.what for one in report.losses] == ["pictures, which are not at hand"]


def test_malformed_masks_and_frames_are_left_out(tmp_path: Path) -> None:
    path = _file(tmp_path, [[SHOWN], "x", [SHOWN, {"size": [2, 2], "counts": [4]}]])

    (frame,), report = read_frames(SAV, path)

    assert len(frame.masks) == 1
    assert [one.item for one in report.skipped] == ["sav_1/00000.jpg", "sav_1/00004.jpg", "sav_1/00008.jpg#5"]


def test_a_folder_an_object_is_read_frame_by_frame(tmp_path: Path) -> None:
    for track, stems in (("000", ("00000", "00004")), ("001", ("00004",))):
        folder = tmp_path / "Annotations_6fps" / "v" / track
        folder.mkdir(parents=True)
        for stem in stems:
            PillowImage.fromarray(SQUARE).save(folder / f"{stem}.png")
    (tmp_path / "Annotations_6fps" / "v" / "001" / "00004.png").write_bytes(b"no picture")

    frames, report = read_frames(SAV, tmp_path)

    assert [(frame.name, len(frame.masks)) for frame in frames] == [("v/00000.jpg", 1), ("v/00004.jpg", 1)]
    assert [one.item for one in report.skipped] == ["v/00004.jpg#001"]


@pytest.mark.parametrize("changes", [{"masklet": None}, {"video_height": None}, {"masklet_id": 3}])
def test_what_is_not_sa_v_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="expected SA-V, a JSON with masklet and masklet_id"):
        read_frames(SAV, _file(tmp_path, [], **changes))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected SA-V"):
        read_frames(SAV, tmp_path)
