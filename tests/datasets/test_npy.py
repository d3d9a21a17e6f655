"""NumPy arrays: ours come back whole, those of others are read, and nothing is unpickled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError
from maskwright.datasets.formats import find_format
from maskwright.masks import area
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames

NPY = find_format("npy")
TWO = np.zeros((20, 30), np.int64)
TWO[0:4, 0:4], TWO[8:10, 8:10] = 3, 900


class TestNpy(AdapterContract):
    format_name = "npy"


def test_an_array_has_a_row_a_mask(tmp_path: Path) -> None:
    before = plain_frame()
    write_frames(NPY, [before], tmp_path / "out")

    array = np.load(tmp_path / "out" / "masks" / "plain.npy", allow_pickle=False)

    assert (array.dtype, array.shape) == (np.bool_, (2, 24, 32))
    assert array.sum(axis=(1, 2)).tolist() == [one.record.area for one in before.masks]


@pytest.mark.parametrize(
    ("array", "areas"),
    [
        (TWO > 0, [20]),
        (np.stack([TWO == 3, TWO == 900]), [16, 4]),
        (np.stack([TWO == 3, TWO == 900]).astype(np.uint8) * 255, [16, 4]),
        (TWO, [16, 4]),
        ((TWO > 0).astype(np.float32), [20]),
        (np.zeros((20, 30), np.uint8), [0]),
        (np.zeros((0, 20, 30), bool), []),
    ],
    ids=["bool", "stack", "stack of 255", "numbers", "floats of 0 and 1", "nothing", "no masks"],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_of_others_are_read(tmp_path: Path, array: np.ndarray, areas: list[int], suffix: str) -> None:
    (tmp_path / "masks").mkdir()
    (np.save if suffix == ".npy" else np.savez)(tmp_path / "masks" / f"a{suffix}", array)
    (tmp_path / "images").mkdir()
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "images" / "a.JPG", "JPEG")

    (frame,), report = read_frames(NPY, tmp_path)

    assert [area(one.record.rle) for one in frame.masks] == areas
    assert frame.name.endswith("a.JPG")
    assert frame.open_image is not None
    assert report.is_lossless


def _write(path: Path, content: Any) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=content.dtype == object)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.array([{"a": 1}], object), "Python objects|Object arrays"),
        (np.random.default_rng(0).random((4, 4)), "got probabilities. Compare first: masks > 0.5"),
        (np.zeros(5), "expected (H, W) or (N, H, W)"),
        (np.zeros((2, 0, 4), bool), "expected (H, W) or (N, H, W)"),
        (np.full((2, 4, 4), 7), "a stack of masks must hold 0 and 1"),
        (np.zeros((4, 4), bool).tobytes(), "the array cannot be read"),
        (b"", "the array cannot be read"),
    ],
    ids=["pickled", "probabilities", "flat", "no pixels", "a stack of numbers", "not an array", "empty"],
)
def test_arrays_that_are_no_masks_are_left_out(tmp_path: Path, content: Any, reason: str) -> None:
    _write(tmp_path / "bad.npy", content)
    np.save(tmp_path / "good.npy", TWO > 0)

    frames, report = read_frames(NPY, tmp_path)

    assert [frame.name for frame in frames] == ["good"]
    (skipped,) = report.skipped
    assert skipped.item == "bad"
    assert any(part in skipped.reason for part in reason.split("|"))


def test_an_array_cut_off_costs_its_frame_only(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TWO > 0)
    np.savez(tmp_path / "b.npz", TWO > 0)
    for name in ("a.npy", "b.npz"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-40])

    frames, report = read_frames(NPY, tmp_path)

    assert frames == []
    assert [one.item for one in report.skipped] == ["a", "b"]


def test_a_picture_of_another_size_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TWO > 0)
    PillowImage.new("RGB", (31, 20)).save(tmp_path / "a.png")

    frames, report = read_frames(NPY, tmp_path)

    assert frames == []
    assert report.skipped[0].reason == "masks and their picture must have one size, got [(20, 30), (20, 31)]"


def test_a_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")

    with pytest.raises(InputError, match=r"expected a folder of \.npy or \.npz arrays"):
        read_frames(NPY, tmp_path / "a.txt")
