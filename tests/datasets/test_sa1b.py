"""SA-1B: a JSON a picture, as Meta publishes them and as SAM's mask generator writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image as PillowImage
from pycocotools import mask as pycocotools

from maskwright.core.errors import ImageError, InputError, RecordError
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.masks import decode, encode, runs, to_coco
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames
from maskwright.testing.labelled_frames import labelled_frames

SA1B = find_format("sa1b")
SQUARE = np.zeros((20, 30), bool)
SQUARE[2:8, 3:9] = True


class TestSa1b(AdapterContract):
    format_name = "sa1b"
    tells_nothing_from_empty = False

    def frames(self) -> st.SearchStrategy[list[LabelledFrame]]:
        return labelled_frames(min_frames=1)


def _annotation(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "segmentation": to_coco(encode(SQUARE)),
        "bbox": [3, 2, 6, 6],
        "area": 36,
        "predicted_iou": 0.93,
        "stability_score": 0.97,
        "crop_box": [0, 0, 30, 20],
        "point_coords": [[5.0, 4.5]],
        **changes,
    }


def _file(folder: Path, *annotations: Any, name: str = "sa_1", **image: Any) -> Path:
    head = {"image_id": 1, "width": 30, "height": 20, "file_name": f"{name}.jpg", **image}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"image": head, "annotations": annotations}))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools itself
def test_the_file_has_every_key_of_the_published_ones_and_pycocotools_decodes_it(tmp_path: Path) -> None:
    before = plain_frame()
    write_frames(SA1B, [before], tmp_path / "out")

    content = json.loads((tmp_path / "out" / "plain.json").read_text())

    assert {key: content["image"][key] for key in ("width", "height", "file_name")} == {
        "width": 32,
        "height": 24,
        "file_name": "plain.png",
    }
    for one, mask in zip(content["annotations"], before.masks, strict=True):
        assert one.keys() - {"maskwright"} == _annotation().keys()
        assert np.array_equal(pycocotools.decode(one["segmentation"]).astype(bool), decode(mask.record.rle))


def test_a_published_file_is_read_with_its_scores(tmp_path: Path) -> None:
    plain = {"size": [20, 30], "counts": runs(encode(SQUARE)).tolist()}  # SAM's "uncompressed_rle"
    _file(tmp_path, _annotation(), _annotation(segmentation=plain))
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "sa_1.jpg")

    (frame,), report = read_frames(SA1B, tmp_path)

    assert frame.name == "sa_1.jpg"
    assert frame.open_image is not None
    for one in frame.masks:
        assert one.record.rle == encode(SQUARE)
        assert (one.record.scores.predicted_iou, one.record.scores.stability) == (0.93, 0.97)
    assert [one.what for one in report.losses] == ["prompts of masks (point_coords, crop_box)"]


def test_malformed_masks_and_other_areas_are_told(tmp_path: Path) -> None:
    bad = [_annotation(segmentation=None), _annotation(segmentation={"size": [20, 30], "counts": [1]}), 5]
    path = _file(tmp_path, _annotation(area=99), *bad)

    (frame,), report = read_frames(SA1B, path)

    assert [one.record.area for one in frame.masks] == [36]
    assert len(report.skipped) == 3
    assert any("area 99, the mask has 36" in one.example for one in report.losses)


def test_damaged_files_of_a_folder_are_left_out(tmp_path: Path) -> None:
    _file(tmp_path, _annotation(), name="sa_2")
    (tmp_path / "sa_1.json").write_text('{"image": {')
    (tmp_path / "other.json").write_text("[]")

    frames, report = read_frames(SA1B, tmp_path)

    assert [frame.name for frame in frames] == ["sa_2.jpg"]
    assert [one.item for one in report.skipped] == ["other.json", "sa_1.json"]


def test_a_folder_in_which_no_file_is_of_sa1b_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")

    with pytest.raises(InputError, match=r"none of the 1 \.json files is one"):
        read_frames(SA1B, tmp_path)


def test_a_size_that_is_none_or_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="height and width must be positive whole numbers, got 20, None"):
        read_frames(SA1B, _file(tmp_path, width=None))

    PillowImage.new("RGB", (31, 20)).save(tmp_path / "sa_1.jpg")
    with pytest.raises(ImageError, match=r"the file says \(h, w\) \(20, 30\), the picture is \(20, 31\)"):
        read_frames(SA1B, _file(tmp_path))
