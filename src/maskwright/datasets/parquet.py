"""One flat Parquet file of masks, a row each: for pandas, DuckDB, Spark, and everything else that reads tables.

The columns are those of `mask_table`; the run lengths come last, so that a query over the others never reads them.
Pictures are not copied: `images` says where they are when a table is read. Frames without masks have no row.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.core.errors import InputError, RecordError
from maskwright.core.image import Image
from maskwright.datasets.damage import first_line
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_table import COLUMNS, check_columns, frame_from_rows, mask_rows
from maskwright.datasets.new_folder import new_file, new_folder
from maskwright.datasets.picture_files import PictureFinder

FILE = "masks.parquet"
_ROWS_A_GROUP = 20_000
_FRAME_KEY = ("frame", "dataset", "episode", "camera", "frame_index", "name")
_TYPES = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "moment": pa.timestamp("us", tz="UTC"),
    "bool": pa.bool_(),
    "bytes": pa.binary(),
}
SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in COLUMNS.items()])


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write `out` where it ends with .parquet, else `masks.parquet` in a new folder."""
    if out.suffix.lower() == ".parquet":
        with new_file(out) as path:
            _write(frames, path, log)
    else:
        with new_folder(out) as folder:
            _write(frames, folder / FILE, log)


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a table of masks; `images` is where the pictures lie that `name` names.

    Raises:
        InputError: there is no such file, or it is no table of masks.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"expected a Parquet file, or a folder with {FILE}: {path}")
    try:
        check_columns(pq.read_schema(file).names, file)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"this is no Parquet file, or it is cut off ({first_line(error)}): {file}") from error
    return _frames(file, PictureFinder.beside(file, images), Importer.of(file, "parquet", log))


def _write(frames: Iterable[LabelledFrame], path: Path, log: LossLog) -> None:
    holds = find_format("parquet").holds
    waiting: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=1) as writer:
        for number, frame in enumerate(frames):
            tell_losses(frame, holds, log)
            waiting += mask_rows(frame, number)
            log.count(frames=1, masks=len(frame.masks))
            if len(waiting) >= _ROWS_A_GROUP:
                writer.write_table(pa.Table.from_pylist(waiting, SCHEMA))
                waiting = []
        writer.write_table(pa.Table.from_pylist(waiting, SCHEMA))


def _frames(file: Path, pictures: PictureFinder, importer: Importer) -> Iterator[LabelledFrame]:
    def opener(name: str) -> partial[Image] | None:
        found = pictures.find(name)
        return None if found is None else partial(read_image, found)

    for _, group in groupby(_rows(file), key=_frame_key):
        rows = list(group)
        try:
            frame = frame_from_rows(rows, importer, opener, about=rows[0])
        except RecordError as error:
            importer.log.skip(str(rows[0].get("name")), str(error))
            continue
        importer.log.count(frames=1, masks=len(frame.masks))
        yield frame


def _frame_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _FRAME_KEY)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(file) as opened:
            columns = [name for name in opened.schema_arrow.names if name in COLUMNS]
            if _is_grouped(opened):
                for batch in opened.iter_batches(1024, columns=columns):
                    yield from batch.to_pylist()
                return
            # Somebody sorted the table by something else; then it is sorted back as a whole.
            keys = [
                name for name in ("frame", "dataset", "episode", "camera", "frame_index", "name") if name in columns
            ]
            table = opened.read(columns).sort_by([(name, "ascending") for name in keys])
            for batch in table.to_batches(1024):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"the Parquet file is damaged ({first_line(error)}): {file}") from error


def _is_grouped(opened: Any) -> bool:
    if "frame" not in opened.schema_arrow.names:
        return False
    last = -1
    for batch in opened.iter_batches(65536, columns=["frame"]):
        numbers = batch.column("frame").to_numpy(zero_copy_only=False)
        if numbers.dtype.kind != "i" or (numbers < 0).any():
            return False
        if len(numbers) and (numbers[0] < last or (np.diff(numbers) < 0).any()):
            return False
        last = int(numbers[-1]) if len(numbers) else last
    return True


__all__ = ["FILE", "SCHEMA", "read", "write"]
