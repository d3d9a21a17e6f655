"""Segments: immutable tables of records, as Parquet files or, for a few records, as bytes within the ledger.

A Parquet file is written under a temporary name, synced and renamed; readers learn of it from the ledger alone.
Beside it lie the keys of its ids, sorted, each with its row and ordinal (`.ids.npy`, mapped and not read).
"""

import contextlib
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import UInt64

from maskwright.core.errors import StoreDamaged
from maskwright.core.record import MaskRecord
from maskwright.store.columns import LATER_COLUMNS, REPEATING, SCHEMA, completed, records_of
from maskwright.store.folder import StoreFolder, publish_file, told_plainly

ROWS_PER_GROUP = 5_000  # a mask is found by reading one group; fewer rows make scans slow
# What frames are found by, and what tells that a file has the columns that came later.
_BOUNDED = ("dataset", "episode", "camera", "frame_index", *LATER_COLUMNS)

Bounds = dict[str, tuple[Any, Any] | None]
Keys = UInt64[np.ndarray, "3 N"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """A segment as the ledger lists it. `name` is its file's, None where its bytes are in the ledger.

    Its rows were put at the moments `seq` to `last_seq`; `bounds` holds least and greatest of the columns that frames
    are found by, None for a column that has nulls or for one without values.
    """

    number: int
    seq: int
    last_seq: int
    num_rows: int
    name: str | None
    bounds: Bounds

    @property
    def absent(self) -> tuple[str, ...]:
        """The columns that its file lacks, as an earlier version of the store wrote it."""
        return tuple(name for sign, names in LATER_COLUMNS.items() if sign not in self.bounds for name in names)


def key_of_id(record_id: str) -> int:
    """64 bits that stand for an id. Two ids with one key count as one: the second is refused when it is put."""
    return int.from_bytes(hashlib.blake2b(record_id.encode(), digest_size=8).digest(), "little")


def keys_of(ids: Sequence[str]) -> UInt64[np.ndarray, " N"]:
    """The keys of ids, in their order."""
    digests = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, "<u8")


def sorted_keys(table: pa.Table) -> Keys:
    """Make the look-up of a segment: keys in order, with row and ordinal."""
    keys = keys_of(table.column("id").to_pylist())
    order = np.argsort(keys)
    ordinals = table.column("ordinal").to_numpy()
    return np.stack([keys[order], order.astype(np.uint64), ordinals[order].astype(np.uint64)])


def segment_path(folder: StoreFolder, name: str) -> Path:
    """Where a segment's Parquet file lies."""
    return folder.segments / f"{name}.parquet"


def write_segment(folder: StoreFolder, name: str, table: pa.Table) -> Keys:
    """Write a segment's two files; they are on the disk when this returns. Give its keys.

    Raises:
        StoreFull, StoreReadOnly: it cannot be written; nothing of it stays.
    """
    path, keys = segment_path(folder, name), sorted_keys(table)
    parts = {folder.segments / f".{name}.ids.part": path.with_suffix(".ids.npy")}
    parts[folder.segments / f".{name}.parquet.part"] = path
    try:
        with told_plainly(folder.path):
            ids_part, table_part = parts
            ids_part.write_bytes(_npy(keys))
            write_table(table_part, table)
            for part, final in parts.items():
                publish_file(part, final)
    except BaseException:
        for leftover in (*parts, *parts.values()):
            with contextlib.suppress(OSError):
                leftover.unlink()
        raise
    return keys


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file the way all files of a store are: zstd-1, statistics for all but the RLE counts."""
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [name for name in table.column_names if name in REPEATING],
        "write_statistics": [name for name in table.column_names if name != "rle"],
    }
    pq.write_table(table, path, row_group_size=ROWS_PER_GROUP, **options)


def to_bytes(table: pa.Table) -> bytes:
    """A few records as bytes for the ledger."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_bytes(content: bytes) -> pa.Table:
    """Read what `to_bytes` wrote."""
    return completed(pa.ipc.open_stream(content).read_all())


def bounds_of(table: pa.Table) -> Bounds:
    """Find least and greatest of the columns that frames are found by."""
    bounds: Bounds = {}
    for name in _BOUNDED:
        column = table.column(name)
        if column.null_count or not len(column):
            bounds[name] = None
        else:
            extremes = pc.call_function("min_max", [column]).as_py()
            bounds[name] = (extremes["min"], extremes["max"])
    return bounds


def read_keys(folder: StoreFolder, name: str) -> Keys:
    """Map a segment's keys.

    Raises:
        StoreDamaged: the file is missing or cut off.
    """
    path = segment_path(folder, name).with_suffix(".ids.npy")
    with told_plainly(path):
        try:
            return np.load(path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise StoreDamaged(f"a segment's keys cannot be read ({error}). Restore it from a copy: {path}") from error


def read_row(folder: StoreFolder, name: str, row: int) -> tuple[MaskRecord, int | None]:
    """Read one record of a segment and its column `added`.

    Raises:
        StoreDamaged: the file is missing or cut off.
    """
    path = segment_path(folder, name)
    with told_plainly(path):
        try:
            with pq.ParquetFile(path, metadata=_footer(path), pre_buffer=False) as file:
                group = file.read_row_group(row // ROWS_PER_GROUP, use_threads=False)
                table = completed(group.slice(row % ROWS_PER_GROUP, 1))
        except pa.ArrowInvalid as error:
            raise StoreDamaged(f"a segment cannot be read ({error}). Restore it from a copy: {path}") from error
    return next(records_of(table)), table.column("added")[0].as_py()


@lru_cache(maxsize=128)
def _footer(path: Path) -> Any:
    """What a Parquet file says of itself; segments never change, and a large one takes a millisecond to say it."""
    return pq.read_metadata(path)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


__all__ = [
    "ROWS_PER_GROUP",
    "SCHEMA",
    "Bounds",
    "Keys",
    "SegmentRef",
    "bounds_of",
    "from_bytes",
    "key_of_id",
    "keys_of",
    "read_keys",
    "read_row",
    "segment_path",
    "sorted_keys",
    "to_bytes",
    "write_segment",
    "write_table",
]
