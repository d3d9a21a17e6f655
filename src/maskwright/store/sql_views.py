"""The views that `MaskStore.sql` opens: `masks`, `records`, `events`, `frames`, and `tags`, of one snapshot."""

from typing import Any

import pyarrow as pa

from maskwright.store.ledger import Ledger
from maskwright.store.query import Query
from maskwright.store.scan import Scan
from maskwright.store.views import connect, masks_sql

_EVENTS = (("position", pa.int64()), ("moment", pa.int64()), ("id", pa.string()), ("record_id", pa.string()))
_EVENTS += (
    ("actor", pa.string()),
    ("at", pa.timestamp("us", tz="UTC")),
    ("kind", pa.string()),
    ("action", pa.string()),
)
_FRAMES = (
    *((name, pa.string()) for name in ("dataset", "episode", "camera")),
    ("frame_index", pa.int64()),
    *((name, pa.string()) for name in ("image_digest", "name", "run")),
    ("timestamp_s", pa.float64()),
    *((name, pa.int64()) for name in ("height", "width", "num_masks", "moment")),
)


def open_views(scan: Scan, ledger: Ledger) -> Any:
    """Open a connection of its own; events and frames are copied into it."""
    connection = connect()
    snapshot = scan.snapshot
    connection.execute("CREATE TABLE tail AS SELECT * FROM given", _given(connection, scan.tail))
    connection.execute("CREATE TABLE overlay AS SELECT * FROM given", _given(connection, scan.overlay))
    connection.execute("CREATE TABLE events AS SELECT * FROM given", _given(connection, _events(ledger, snapshot.seq)))
    connection.execute("CREATE TABLE frames AS SELECT * FROM given", _given(connection, _frames(ledger, snapshot.seq)))
    connection.unregister("given")
    connection.execute(f"CREATE VIEW records AS {scan.records(Query())}")
    connection.execute(f"CREATE VIEW masks AS {masks_sql('SELECT * FROM records', has_overlay=len(scan.overlay) > 0)}")
    return connection


def _given(connection: Any, table: pa.Table) -> list[Any]:
    connection.register("given", table)
    return []


def _events(ledger: Ledger, seq: int) -> pa.Table:
    from datetime import datetime

    rows = ledger.rows(
        "SELECT position, seq, id, record_id, actor, at, kind, action FROM events WHERE seq <= ? ORDER BY position",
        (seq,),
    )
    return _table(_EVENTS, [(*row[:5], datetime.fromisoformat(row[5]), *row[6:]) for row in rows])


def _frames(ledger: Ledger, seq: int) -> pa.Table:
    rows = ledger.rows(
        "SELECT CASE WHEN is_loose THEN NULL ELSE dataset END, CASE WHEN is_loose THEN NULL ELSE episode END, "
        "CASE WHEN is_loose THEN NULL ELSE camera END, CASE WHEN is_loose THEN NULL ELSE frame_index END, "
        "nullif(image_digest, ''), name, nullif(run, ''), timestamp_s, height, width, num_masks, seq "
        "FROM frames WHERE seq <= ? ORDER BY is_loose, dataset, episode, camera, frame_index, image_digest, name",
        (seq,),
    )
    return _table(_FRAMES, rows)


def _table(fields: Any, rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    return pa.table(arrays, names=[name for name, _ in fields])


__all__ = ["open_views"]
