"""Masks in one HDF5 file: a table of frames and a table of masks, each column an array.

    frames/<column>      one item a frame, whether it has masks or not
    masks/<column>       one item a mask, the columns of `mask_table`; masks/frame points into the frames
    masks/rle_bytes, masks/rle_ends      COCO's counts of all masks after each other, and where each ends

No value is "" in text, NaN in numbers with a point, -1 in whole ones. Moments are ISO 8601 text. The file is written
whole and then renamed, since HDF5 does not survive a kill. Pictures are not copied; `images` says where they are.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from maskwright.core.errors import InputError, RecordError
from maskwright.core.image import Image
from maskwright.datasets.damage import first_line, told_as_damage
from maskwright.datasets.hdf5_source import SUFFIXES
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_table import (
    COLUMNS,
    FRAME_COLUMNS,
    Kind,
    clean_text,
    frame_from_rows,
    frame_row,
    mask_rows,
)
from maskwright.datasets.new_folder import new_file, new_folder
from maskwright.datasets.picture_files import PictureFinder

FILE = "masks.h5"
FORMAT, VERSION = "maskwright masks", 1
_ROWS_AT_A_TIME = 4096
_FRAME_COLUMNS = (*FRAME_COLUMNS, "height", "width")
_OWN_COLUMNS = [name for name in COLUMNS if name not in (*_FRAME_COLUMNS, "rle")]
_MASK_COLUMNS = ("frame", *_OWN_COLUMNS, "image_digest")
_TYPES: dict[Kind, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_}
_TEXT = h5py.string_dtype()


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write `out` where it ends with .h5 or .hdf5, else `masks.h5` in a new folder."""
    if out.suffix.lower() in SUFFIXES:
        with new_file(out) as path:
            _write(frames, path, log)
    else:
        with new_folder(out) as folder:
            _write(frames, folder / FILE, log)


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a file of masks; `images` is where the pictures lie that `name` names.

    Raises:
        InputError: there is no such file, it is damaged, or not one that holds masks.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"expected an HDF5 file of masks, or a folder with {FILE}: {path}")
    try:
        with h5py.File(file, "r") as opened:
            told, version = opened.attrs.get("format"), opened.attrs.get("version")
    except (OSError, KeyError, RuntimeError) as error:
        raise InputError(f"this is no HDF5 file, or it is cut off ({first_line(error)}): {file}") from error
    if told != FORMAT or version != VERSION:
        raise InputError(f"expected an HDF5 file of masks (format {FORMAT!r}, version {VERSION}): {file}")
    return _frames(file, PictureFinder.beside(file, images), Importer.of(file, "hdf5", log))


def _write(frames: Iterable[LabelledFrame], path: Path, log: LossLog) -> None:
    file: Any
    with _FileOfHdf5(path) as raw, h5py.File(raw, "w", libver="latest") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        of_frames = _Table(file.create_group("frames"), _FRAME_COLUMNS)
        of_masks = _Table(file.create_group("masks"), _MASK_COLUMNS, with_rle=True)
        for number, frame in enumerate(frames):
            of_frames.add(frame_row(frame, number))
            for row in mask_rows(frame, number):
                of_masks.add(row)
            log.count(frames=1, masks=len(frame.masks))
            raw.check()
        of_frames.flush()
        of_masks.flush()


class _FileOfHdf5(io.FileIO):
    """A file that never tells HDF5 of a failed write, since a full disk makes the library crash when it closes.

    The error is raised by `check`, and at the latest when HDF5 has let go of the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._problem: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            written = 0 if self._problem else super().write(content)
            if written < len(content) and not self._problem:  # some came through before the disk was full
                super().write(memoryview(content)[written:])
        except OSError as error:
            self._problem = error
        return len(content)

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._problem is not None:
            raise self._problem

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        super().__exit__(exc_type, exc_val, exc_tb)
        self.check()


class _Table:
    """Columns that grow together, a few thousand rows at a time."""

    def __init__(self, group: Any, names: tuple[str, ...], *, with_rle: bool = False) -> None:
        self._group, self._names, self._with_rle = group, names, with_rle
        self._waiting: list[dict[str, Any]] = []
        self._num_bytes = 0
        for name in names:
            self._create(name, _TYPES.get(COLUMNS[name], _TEXT))
        if with_rle:
            self._create("rle_bytes", np.uint8, chunk=1 << 20)
            self._create("rle_ends", np.int64)

    def _create(self, name: str, dtype: Any, chunk: int = _ROWS_AT_A_TIME) -> None:
        packing = {} if dtype is _TEXT else {"compression": "gzip", "compression_opts": 1}
        self._group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(chunk,), **packing)

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        rows, self._waiting = self._waiting, []
        for name in self._names:
            kind = COLUMNS[name]
            values = [_written(row[name], kind) for row in rows]
            self._append(name, np.array(values, _TYPES.get(kind, object)))
        if self._with_rle:
            joined = b"".join(row["rle"] for row in rows)
            self._append("rle_ends", self._num_bytes + np.cumsum([len(row["rle"]) for row in rows], dtype=np.int64))
            self._append("rle_bytes", np.frombuffer(joined, np.uint8))
            self._num_bytes += len(joined)

    def _append(self, name: str, values: np.ndarray) -> None:
        array = self._group[name]
        start = len(array)
        array.resize((start + len(values),))
        if len(values):
            array[start:] = values


def _written(value: Any, kind: Kind) -> Any:
    match kind:
        case "int":
            return -1 if value is None else value
        case "float":
            return np.nan if value is None else value
        case "bool":
            return bool(value)
        case "moment":
            return "" if value is None else value.isoformat()
    return "" if value is None else clean_text(value)


def _value(value: Any, kind: Kind) -> Any:
    match kind:
        case "int":
            return None if value == -1 else int(value)
        case "float":
            return None if np.isnan(value) else float(value)
        case "bool":
            return bool(value)
        case "moment":
            return datetime.fromisoformat(value.decode()) if value else None
    return value.decode() or None


def _frames(file: Path, pictures: PictureFinder, importer: Importer) -> Iterator[LabelledFrame]:
    def opener(name: str) -> partial[Image] | None:
        found = pictures.find(name)
        return None if found is None else partial(read_image, found)

    opened: Any
    with told_as_damage("the HDF5 file", file), h5py.File(file, "r") as opened:
        rows = _MaskRows(opened["masks"])
        for about in _rows(opened["frames"], _FRAME_COLUMNS, 0, len(opened["frames/frame"])):
            yield from _frame(about, rows.of(about["frame"]), opener, importer)


def _frame(
    about: dict[str, Any], rows: list[dict[str, Any]], opener: Callable[[str], Any], importer: Importer
) -> Iterator[LabelledFrame]:
    whole = [about | row | {"image_digest": row["image_digest"]} for row in rows]
    try:
        frame = frame_from_rows(whole, importer, opener, about=about)
    except RecordError as error:
        importer.log.skip(str(about.get("name")), str(error))
        return
    importer.log.count(frames=1, masks=len(frame.masks))
    yield frame


def _rows(group: Any, names: tuple[str, ...], first: int, stop: int) -> Iterator[dict[str, Any]]:
    for start in range(first, stop, _ROWS_AT_A_TIME):
        columns = [group[name][start : min(start + _ROWS_AT_A_TIME, stop)] for name in names]
        for items in zip(*columns, strict=True):
            yield {name: _value(item, COLUMNS[name]) for name, item in zip(names, items, strict=True)}


class _MaskRows:
    """Rows of masks in the order of their frames, handed out frame by frame."""

    def __init__(self, group: Any) -> None:
        self._rows = self._with_rle(group)
        self._next: dict[str, Any] | None = next(self._rows, None)

    def of(self, frame: int) -> list[dict[str, Any]]:
        """Take the rows of a frame."""
        found = []
        while self._next is not None and self._next["frame"] == frame:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found

    def _with_rle(self, group: Any) -> Iterator[dict[str, Any]]:
        start = 0
        for block in range(0, len(group["rle_ends"]), _ROWS_AT_A_TIME):
            ends = group["rle_ends"][block : block + _ROWS_AT_A_TIME]
            joined = group["rle_bytes"][start : int(ends[-1])].tobytes()
            rows = _rows(group, _MASK_COLUMNS, block, block + len(ends))
            first = start
            for row, end in zip(rows, ends.tolist(), strict=True):
                yield row | {"rle": joined[start - first : end - first]}
                start = end


__all__ = ["FILE", "FORMAT", "VERSION", "read", "write"]
