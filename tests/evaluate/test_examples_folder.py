from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError
from maskwright.evaluate import read_folder


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


def test_every_value_of_a_mask_is_an_object_and_255_beside_them_is_not(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "a.png")
    values = _values(v1=(slice(0, 8), slice(0, 8)), v7=(slice(10, 18), slice(0, 8)), v255=(slice(0, 20), slice(20, 30)))
    _save(tmp_path / "masks" / "a.png", values)

    first, second = read_folder(tmp_path)

    assert (first.name, second.name) == ("a#0", "a#1")
    assert np.array_equal(first.truth, values == 1)
    assert np.array_equal(second.truth, values == 7)
    assert first.image is second.image


def test_255_alone_is_the_object(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _save(tmp_path / "a_mask.png", _values(v255=(slice(3, 12), slice(4, 14))))

    (example,) = read_folder(tmp_path)

    assert example.truth.sum() == 90


def test_soft_edges_are_cut_in_the_middle(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    ramp = np.linspace(0, 255, 30).astype(np.uint8)[None].repeat(20, 0)
    _save(tmp_path / "a_mask.png", ramp)

    (example,) = read_folder(tmp_path)

    assert np.array_equal(example.truth, ramp > 127)


def test_specks_are_left_out(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _save(tmp_path / "a_mask.png", _values(v1=(slice(0, 3), slice(0, 5)), v2=(slice(8, 12), slice(8, 12))))

    (example,) = read_folder(tmp_path)

    assert example.truth[8:12, 8:12].all()


def test_a_limit_counts_pictures_not_objects(tmp_path: Path) -> None:
    for stem in "abc":
        _picture(tmp_path / "images" / f"{stem}.png")
        values = _values(v1=(slice(0, 8), slice(0, 8)), v2=(slice(10, 18), slice(0, 8)))
        _save(tmp_path / "masks" / f"{stem}.png", values)

    names = [example.name for example in read_folder(tmp_path, limit=2)]

    assert names == ["a#0", "a#1", "b#0", "b#1"]


def test_a_folder_without_masks_says_which_names_are_expected(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")

    with pytest.raises(InputError, match=r"no picture has a mask; expected images/X\.jpg with masks/X\.png"):
        list(read_folder(tmp_path))


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png", (21, 30))
    _save(tmp_path / "a_mask.png", _values(v1=(slice(0, 8), slice(0, 8))))

    with pytest.raises(InputError, match=r"the mask is \(20, 30\), its picture \(21, 30\).*a_mask\.png"):
        list(read_folder(tmp_path))


def test_a_missing_folder_is_an_error_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        list(read_folder(tmp_path / "nowhere"))
