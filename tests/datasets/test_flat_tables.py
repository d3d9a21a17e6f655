"""Parquet and HDF5: masks as tables, read by the libraries that own the formats."""

from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.core.errors import InputError, SettingError
from maskwright.core.image import FrameRef
from maskwright.datasets.formats import find_format
from maskwright.masks import from_coco
from maskwright.testing.adapter_contract import AdapterContract, many_masks, plain_frame, read_frames, write_frames

duckdb = pytest.importorskip("duckdb")


class WithoutPictures(AdapterContract):
    """Tables hold no pictures; they are found beside them."""

    def test_pictures_come_with_their_masks(self, tmp_path):
        from PIL import Image

        write_frames(self.format, [plain_frame()], self.output(tmp_path))
        (tmp_path / "shots").mkdir()
        Image.new("RGB", (32, 24)).save(tmp_path / "shots" / "plain.png")

        (with_picture,), _ = read_frames(self.format, self.output(tmp_path), images=tmp_path / "shots")
        (without,), _ = read_frames(self.format, self.output(tmp_path))

        assert with_picture.open_image().size_hw == (24, 32)
        assert without.open_image is None


class TestParquet(WithoutPictures):
    format_name = "parquet"


class TestHdf5(WithoutPictures):
    format_name = "hdf5"


def placed(frame, number):
    ref = FrameRef(dataset="d", episode="e", camera="front", frame_index=number, timestamp_s=number / 10)
    masks = tuple(
        replace(one, record=replace(one.record, frame=ref, id=f"{one.record.id}-{number}")) for one in frame.masks
    )
    return replace(frame, name=f"{number}.png", ref=ref, masks=masks)


def test_duckdb_queries_the_table(tmp_path):
    frames = [placed(plain_frame(), number) for number in range(3)]
    write_frames(find_format("parquet"), frames, tmp_path / "masks.parquet")

    query = (
        "SELECT camera, frame_index, label, area, created_at, status FROM read_parquet(?) WHERE area > 100 ORDER BY 2"
    )
    rows = duckdb.execute(query, [str(tmp_path / "masks.parquet")]).fetchall()

    second = frames[0].masks[1].record
    assert [row[:4] for row in rows] == [("front", number, "thing 1", second.area) for number in range(3)]
    assert {row[4] for row in rows} == {second.provenance.created_at}
    assert {row[5] for row in rows} == {"proposed"}


def test_the_columns_end_with_the_run_lengths(tmp_path):
    write_frames(find_format("parquet"), [plain_frame()], tmp_path / "out")

    table = pq.read_table(tmp_path / "out" / "masks.parquet")

    assert table.column_names[-1] == "rle"
    counts = table.column("rle")[0].as_py()
    assert from_coco({"size": [24, 32], "counts": counts}) == plain_frame().masks[0].record.rle


def test_a_table_that_was_sorted_by_something_else_reads_the_same(tmp_path):
    frames = [placed(plain_frame(), number) for number in range(3)]
    path = tmp_path / "masks.parquet"
    write_frames(find_format("parquet"), frames, path)
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table.sort_by([("area", "ascending")]), path)

    back, told = read_frames(find_format("parquet"), path)

    assert [one.name for one in back] == ["0.png", "1.png", "2.png"]
    assert [{mask.record for mask in one.masks} for one in back] == [
        {mask.record for mask in one.masks} for one in frames
    ]
    assert told.is_lossless


def test_a_table_of_others_needs_only_names_sizes_and_run_lengths(tmp_path):
    rle = plain_frame().masks[0].record.rle
    rows = [
        {"name": "b.png", "height": 24, "width": 32, "rle": rle.counts, "label": "mug"},
        {"name": "a.png", "height": 24, "width": 32, "rle": rle.counts, "label": None},
        {"name": "b.png", "height": 24, "width": 32, "rle": b"!!", "label": "broken"},
        {"name": "c.png", "height": 0, "width": 32, "rle": rle.counts, "label": "no size"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "theirs.parquet")

    back, told = read_frames(find_format("parquet"), tmp_path / "theirs.parquet")

    assert [(one.name, [mask.record.label for mask in one.masks]) for one in back] == [
        ("a.png", [None]),
        ("b.png", ["mug"]),
    ]
    assert back[1].masks[0].record.provenance.method == "imported"
    assert back[1].masks[0].record.provenance.source == "theirs.parquet (parquet)"
    assert len(told.skipped) == 2


def test_a_table_without_run_lengths_is_refused(tmp_path):
    pq.write_table(pa.table({"name": ["a"], "height": [1], "width": [1]}), tmp_path / "a.parquet")

    with pytest.raises(InputError, match="needs the columns height, width, rle; it has no rle"):
        read_frames(find_format("parquet"), tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["masks.parquet", "masks.h5"])
def test_a_name_of_a_file_makes_one_that_is_not_written_over(tmp_path, name):
    format_ = find_format("hdf5" if name.endswith("h5") else "parquet")
    write_frames(format_, [plain_frame()], tmp_path / name)

    with pytest.raises(SettingError, match="exists already"):
        write_frames(format_, [], tmp_path / name)

    assert [len(one.masks) for one in read_frames(format_, tmp_path / name)[0]] == [2]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "format_name"), [("a.parquet", "parquet"), ("a.h5", "hdf5")])
def test_a_file_that_was_cut_off_is_refused_in_a_line(tmp_path, name, format_name):
    path = tmp_path / name
    write_frames(find_format(format_name), [many_masks(200)], path)
    path.write_bytes(path.read_bytes()[:-3000])

    with pytest.raises(InputError, match="cut off") as caught:
        read_frames(find_format(format_name), path)

    assert "\n" not in str(caught.value)


def test_h5py_finds_each_mask_by_its_frame_and_its_end(tmp_path):
    frames = [many_masks(3), replace(plain_frame(), masks=()), placed(plain_frame(), 4)]
    write_frames(find_format("hdf5"), frames, tmp_path / "out")

    with h5py.File(tmp_path / "out" / "masks.h5") as file:
        assert list(file["frames/name"].asstr()) == ["many.png", "plain.png", "4.png"]
        assert list(file["frames/frame_index"]) == [-1, -1, 4]
        assert list(file["masks/frame"]) == [0, 0, 0, 2, 2]
        assert file["masks/label"].asstr()[3] == "thing 0"
        start, end = file["masks/rle_ends"][2:4]
        counts = bytes(file["masks/rle_bytes"][start:end])
        assert counts == frames[2].masks[0].record.rle.counts
        assert np.isnan(file["masks/predicted_iou"][0])


def test_many_masks_go_through_in_blocks(tmp_path):
    frames = [replace(many_masks(900), name=f"{number}.png") for number in range(5)]
    write_frames(find_format("hdf5"), frames, tmp_path / "out")

    back, told = read_frames(find_format("hdf5"), tmp_path / "out")

    assert told.num_masks == 4500
    assert back[4].masks == frames[4].masks


def test_another_hdf5_file_is_not_one_of_masks(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1

    with pytest.raises(InputError, match="expected an HDF5 file of masks"):
        read_frames(find_format("hdf5"), tmp_path / "a.h5")
