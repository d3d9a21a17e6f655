"""The SQL that reads a store: text made for a snapshot, run by a DuckDB that lives in memory.

    records   every record as it was put
    masks     the newest state: records, with what events came to laid over those that they touched
    overlay   what events came to, one row for each record touched
    tail      records that the ledger holds

The two are joined by ordinal, a number that is quick to read. One join costs two thirds of reading the records twice,
those without events and those with; a window over all rows and events costs ten times as much.
"""

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from maskwright.store.columns import LATER_COLUMNS, SCHEMA
from maskwright.store.folder import StoreFolder
from maskwright.store.query import Query
from maskwright.store.segment import SegmentRef, segment_path

_EDITED = ("x1", "y1", "x2", "y2", "area", "rle")
_COLUMNS = [str(name) for name in SCHEMA.names if name != "added"]
_ABSENT: dict[str, str] = {
    name: f"CAST(NULL AS {'DOUBLE' if SCHEMA.field(name).type == 'double' else 'VARCHAR'}) AS {name}"
    for names in LATER_COLUMNS.values()
    for name in names
}


def files_for(query: Query, segments: Iterable[SegmentRef]) -> list[SegmentRef]:
    """Leave out segments that cannot hold a mask the query asks for."""
    return [segment for segment in segments if segment.name is not None and _may_hold(query, segment)]


def records_sql(folder: StoreFolder, files: Sequence[SegmentRef], *, has_tail: bool, after: int = 0, until: int) -> str:
    """Write the SELECT of records put after one moment and until another, from these files and the tail if it has rows.

    Scanning an empty table would cost a small question a tenth of its time.
    """
    whole = [one for one in files if after < one.seq and one.last_seq <= until]
    part = [one for one in files if one not in whole and one.seq <= until and after < one.last_seq]
    between = f"added > {after} AND added <= {until}"
    selects = [f"SELECT {_columns()} FROM tail WHERE {between}"] if has_tail or not (whole or part) else []
    for those, condition in ((whole, ""), (part, f" WHERE {between}")):
        for absent in sorted({one.absent for one in those}):  # files of earlier versions lack columns
            alike = [one for one in those if one.absent == absent]
            selects.append(f"SELECT {_columns(absent)} FROM {_parquet(folder, alike)}{condition}")
    return " UNION ALL ".join(reversed(selects))


def masks_sql(records: str, *, has_overlay: bool) -> str:
    """Write the SELECT of the newest state over a SELECT of records."""
    if not has_overlay:
        return f"SELECT *, {_NO_STATE} FROM ({records})"
    edited = ", ".join(f"CASE WHEN o.is_edited THEN o.{name} ELSE r.{name} END AS {name}" for name in _EDITED)
    label = "CASE WHEN o.is_relabelled THEN o.label ELSE r.label END AS label"
    track = "CASE WHEN o.is_retracked THEN o.track ELSE r.track END AS track"
    parent = "CASE WHEN o.is_reparented THEN o.parent ELSE r.parent END AS parent"
    return (
        f"SELECT r.* REPLACE ({edited}, {label}, {track}, {parent}), {_STATE} "
        f"FROM ({records}) r LEFT JOIN overlay o ON r.ordinal = o.ordinal"
    )


class _Shared:
    """The DuckDB that the stores of a process ask."""

    connection: Any = None
    lock = threading.Lock()


def connect_shared() -> Any:
    """Give a connection to the DuckDB that all stores of this process share: starting one takes 40 ms.

    It has tables of its own to register; closing it ends what it was asked, and leaves the DuckDB to the others.
    """
    with _Shared.lock:
        if _Shared.connection is None:
            _Shared.connection = connect()
        return _Shared.connection.cursor()


def _begin_anew() -> None:
    """In a forked process, leave the DuckDB of its parent alone: its threads are not here, and it waits for them."""
    if _Shared.connection is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_Shared.connection))  # never ended, not even at exit
    _Shared.connection, _Shared.lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_begin_anew)


def connect(**settings: Any) -> Any:
    """Start a DuckDB in memory."""
    import duckdb

    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET GLOBAL temp_directory = ?", [str(Path(tempfile.gettempdir()) / "maskwright-duckdb")])
    connection.execute("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL parquet_metadata_cache = true")
    connection.execute("SET enable_progress_bar = false")  # it would print
    return connection


def _columns(absent: Sequence[str] = ()) -> str:
    return ", ".join(_ABSENT[name] if name in absent else name for name in _COLUMNS)


def _parquet(folder: StoreFolder, files: Sequence[SegmentRef]) -> str:
    names = ", ".join(_quoted(str(segment_path(folder, one.name))) for one in files if one.name is not None)
    return f"read_parquet([{names}], hive_partitioning = false)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _may_hold(query: Query, segment: SegmentRef) -> bool:
    for column in ("dataset", "episode", "camera"):
        names, bounds = getattr(query, column), segment.bounds.get(column)
        if names is not None and bounds is not None and not any(bounds[0] <= name <= bounds[1] for name in names):
            return False
    bounds = segment.bounds.get("frame_index")
    if bounds is None:
        return True
    first, last = query.first_frame, query.last_frame
    return (first is None or bounds[1] >= first) and (last is None or bounds[0] <= last)


_NO_STATE = (
    "'proposed' AS status, CAST(NULL AS VARCHAR) AS verified_by, CAST(NULL AS TIMESTAMPTZ) AS verified_at, "
    "CAST(NULL AS VARCHAR) AS edited_by, CAST(0 AS BIGINT) AS num_events, CAST(NULL AS TIMESTAMPTZ) AS decided_at, "
    "CAST(NULL AS VARCHAR) AS comments"
)
_STATE = (
    "coalesce(o.status, 'proposed') AS status, o.verified_by, o.verified_at, "
    "o.edited_by, coalesce(o.num_events, 0) AS num_events, o.decided_at, o.comments"
)

__all__ = ["connect", "connect_shared", "files_for", "masks_sql", "records_sql"]
