"""Every layout of labelled data gives the same objects, and what is wrong with one is said in a line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.evaluate import LabelledPicture, open_dataset
from maskwright.masks import decode, encode, to_coco


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(values).save(path)


def _picture(path: Path, size_hw: tuple[int, int] = (20, 30)) -> None:
    _save(path, np.full((*size_hw, 3), 90, np.uint8))


def _values(**regions: tuple[slice, slice]) -> np.ndarray:
    values = np.zeros((20, 30), np.uint8)
    for value, region in regions.items():
        values[region] = int(value.removeprefix("v"))
    return values


TWO = _values(v1=(slice(0, 8), slice(0, 8)), v7=(slice(10, 18), slice(0, 8)))


def _masks(picture: LabelledPicture) -> list[np.ndarray]:
    return [decode(one.mask) for one in picture.objects]


def test_every_value_of_a_mask_is_an_object_and_255_beside_them_is_not(tmp_path: Path) -> None:
    values = TWO.copy()
    values[:, 20:] = 255
    _picture(tmp_path / "images" / "a.png")
    _save(tmp_path / "masks" / "a.png", values)

    (picture,) = open_dataset(tmp_path)

    assert [one.key for one in picture.objects] == ["a#1", "a#7"]
    assert np.array_equal(_masks(picture)[0], values == 1)
    assert np.array_equal(_masks(picture)[1], values == 7)


def test_255_alone_is_the_object(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _save(tmp_path / "a_mask.png", _values(v255=(slice(3, 12), slice(4, 14))))

    ((mask,),) = map(_masks, open_dataset(tmp_path))

    assert mask.sum() == 90


def test_soft_edges_are_cut_in_the_middle(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    ramp = np.linspace(0, 255, 30).astype(np.uint8)[None].repeat(20, 0)
    _save(tmp_path / "a_mask.png", ramp)

    ((mask,),) = map(_masks, open_dataset(tmp_path))

    assert np.array_equal(mask, ramp > 127)


def test_specks_are_left_out(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _save(tmp_path / "a_mask.png", _values(v1=(slice(0, 3), slice(0, 5)), v2=(slice(8, 12), slice(8, 12))))

    ((mask,),) = map(_masks, open_dataset(tmp_path))

    assert mask[8:12, 8:12].all()


def test_pictures_are_taken_by_number_and_by_step(tmp_path: Path) -> None:
    for stem in "abcde":
        _picture(tmp_path / "images" / f"{stem}.png")
        _save(tmp_path / "masks" / f"{stem}.png", TWO)

    data = open_dataset(tmp_path)

    assert len(data) == 5
    assert [source.name for source in data.take(2).sources] == ["a", "b"]
    assert [source.name for source in data.take(every=2).sources] == ["a", "c", "e"]
    assert [source.name for source in data.take(1, every=3).sources] == ["a"]


def test_a_video_of_davis_is_paired_frame_by_frame(tmp_path: Path) -> None:
    for sequence, frame in (("dog", "00000"), ("dog", "00001"), ("cat", "00000")):
        _picture(tmp_path / "JPEGImages" / "480p" / sequence / f"{frame}.jpg")
        palette = PillowImage.fromarray(TWO, "P")
        path = tmp_path / "Annotations" / "480p" / sequence / f"{frame}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        palette.putpalette([0, 0, 0] * 256)
        palette.save(path)

    data = open_dataset(tmp_path)

    assert [source.name for source in data.sources] == ["480p/cat/00000", "480p/dog/00000", "480p/dog/00001"]
    assert [len(picture.objects) for picture in data] == [2, 2, 2]


def _scene_folder(root: Path, **changes: Any) -> None:
    _picture(root / "images" / "000000.jpg")
    _picture(root / "images" / "unlisted.jpg")
    _save(root / "masks" / "000000.png", TWO)
    _save(root / "masks" / "unlisted.png", TWO)
    mug = {"id": 1, "name": "mug", "colour": "red", "material": "ceramic", "occlusion": 0.2, "weight": "unknown key"}
    arm = {"id": 7, "name": "robot arm"}
    content = {"format": "maskwright-scenes-1", "scenes": [{"image": "000000.jpg", "objects": [mug, arm]}]} | changes
    (root / "objects.json").write_text(json.dumps(content))


def test_a_scene_folder_says_what_its_objects_are(tmp_path: Path) -> None:
    _scene_folder(tmp_path)

    data = open_dataset(tmp_path)
    (picture,) = data

    mug, arm = picture.objects
    assert (mug.name, mug.colour, mug.material, mug.occlusion) == ("mug", "red", "ceramic", 0.2)
    assert (arm.name, arm.colour, arm.material, arm.occlusion) == ("robot arm", None, None, None)
    assert np.array_equal(decode(arm.mask), TWO == 7)
    assert data.names == ("mug", "robot arm")


def test_scene_masks_may_have_sixteen_bits(tmp_path: Path) -> None:
    _scene_folder(tmp_path)
    values = TWO.astype(np.uint16) * 300
    _save(tmp_path / "masks" / "000000.png", values)
    content = json.loads((tmp_path / "objects.json").read_text())
    content["scenes"][0]["objects"][0]["id"] = 300
    content["scenes"][0]["objects"][1]["id"] = 2100
    (tmp_path / "objects.json").write_text(json.dumps(content))

    (picture,) = open_dataset(tmp_path)

    assert [one.key for one in picture.objects] == ["000000#300", "000000#2100"]


def test_a_scene_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    _scene_folder(tmp_path, format="maskwright-scenes-9")

    with pytest.raises(RecordError, match=r"must be of the format 'maskwright-scenes-1', got 'maskwright-scenes-9'"):
        open_dataset(tmp_path)


def test_a_damaged_objects_json_is_named(tmp_path: Path) -> None:
    _scene_folder(tmp_path, scenes=[{"image": "000000.jpg"}])

    with pytest.raises(RecordError, match=r"objects\.json lacks 'objects': .*objects\.json"):
        open_dataset(tmp_path)


def _coco(root: Path, annotations: list[dict[str, Any]]) -> Path:
    _picture(root / "images" / "a.png")
    content = {
        "images": [{"id": 5, "file_name": "a.png", "height": 20, "width": 30}, {"id": 6, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "mug"}],
        "annotations": annotations,
    }
    path = root / "annotations" / "set.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_a_coco_file_gives_polygons_and_run_lengths_with_their_names(tmp_path: Path) -> None:
    rle = to_coco(encode(TWO == 7))
    polygon = [[0, 0, 8, 0, 8, 8, 0, 8]]
    one = {"id": 11, "image_id": 5, "category_id": 3}
    crowd = {"id": 13, "image_id": 5, "category_id": 3, "iscrowd": 1, "segmentation": rle}

    data = open_dataset(
        _coco(tmp_path, [one | {"segmentation": polygon}, one | {"id": 12, "segmentation": rle}, crowd])
    )
    (picture,) = data

    assert [one.key for one in picture.objects] == ["a.png#11", "a.png#12"]
    assert [one.name for one in picture.objects] == ["mug", "mug"]
    assert np.array_equal(_masks(picture)[0], TWO == 1)
    assert np.array_equal(_masks(picture)[1], TWO == 7)
    assert data.names == ("mug",)


def test_a_coco_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    rle = to_coco(encode(np.ones((4, 5), bool)))
    data = open_dataset(_coco(tmp_path, [{"image_id": 5, "category_id": 3, "segmentation": rle}]))

    with pytest.raises(MaskError, match=r"the mask is \(4, 5\), its picture \(20, 30\)"):
        data[0]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("{", RecordError, "the COCO file cannot be read"),
        ("[]", RecordError, "expected a COCO file, an object with images and annotations"),
        ('{"images": []}', RecordError, "expected COCO's images, annotations and categories: 'annotations' is missing"),
        ('{"images": [], "annotations": []}', InputError, "no picture of this COCO file has an object with a mask"),
    ],
)
def test_a_file_that_is_not_coco_is_refused(tmp_path: Path, text: str, error: type, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(error, match=message):
        open_dataset(path)


def test_a_missing_coco_file_is_an_error_of_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        open_dataset(tmp_path / "none.json")


def test_a_folder_without_masks_says_which_names_are_expected(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")

    with pytest.raises(InputError, match=r"no picture has a mask; expected images/X\.jpg with masks/X\.png"):
        open_dataset(tmp_path)


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png", (21, 30))
    _save(tmp_path / "a_mask.png", TWO)

    with pytest.raises(InputError, match=r"the mask is \(20, 30\), its picture \(21, 30\).*a_mask\.png"):
        open_dataset(tmp_path)[0]


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    (tmp_path / "a_mask.png").write_bytes(b"not a picture")

    with pytest.raises(MaskError, match=r"the mask is damaged .*a_mask\.png"):
        open_dataset(tmp_path)[0]


def test_a_missing_folder_is_an_error_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        open_dataset(tmp_path / "nowhere")


def test_a_picture_may_have_several_mask_files(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "a.png")
    _save(tmp_path / "masks" / "a_mask_1.png", (TWO == 1).astype(np.uint8) * 255)
    _save(tmp_path / "masks" / "a_mask_2.png", (TWO == 7).astype(np.uint8) * 255)

    (picture,) = open_dataset(tmp_path)

    assert [one.key for one in picture.objects] == ["a#1.255", "a#2.255"]
    assert np.array_equal(_masks(picture)[1], TWO == 7)
