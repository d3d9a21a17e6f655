"""What `MaskStore.sql` opens: `masks`, `records`, `events`, `frames` and `tags` of one snapshot, for anybody's SQL.

Segments are read where they lie; everything else is copied into the connection, so it outlives later writes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from maskwright.store.ledger import Ledger
from maskwright.store.moments import read_tags
from maskwright.store.query import Query
from maskwright.store.scan import Scan
from maskwright.store.views import connect, masks_sql

_TEXT, _WHOLE, _MOMENT = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")
_EVENTS = pa.schema(
    {
        "position": _WHOLE,
        "moment": _WHOLE,
        "id": _TEXT,
        "record_id": _TEXT,
        "actor": _TEXT,
        "at": _MOMENT,
        "kind": _TEXT,
        "action": _TEXT,
    }
)
_FRAMES = pa.schema(
    {
        "dataset": _TEXT,
        "episode": _TEXT,
        "camera": _TEXT,
        "frame_index": _WHOLE,
        "image_digest": _TEXT,
        "name": _TEXT,
        "run": _TEXT,
        "timestamp_s": pa.float64(),
        "height": _WHOLE,
        "width": _WHOLE,
        "num_masks": _WHOLE,
        "moment": _WHOLE,
    }
)
_TAGS = pa.schema({"name": _TEXT, "moment": _WHOLE, "at": _MOMENT})


def open_views(scan: Scan, ledger: Ledger) -> Any:
    """Open a connection of its own."""
    connection = connect()
    seq = scan.snapshot.seq
    tags = [(tag.name, tag.moment, tag.at) for tag in read_tags(ledger) if tag.moment <= seq]
    tables = {"tail": scan.tail, "overlay": scan.overlay, "tags": _table(_TAGS, tags)}
    tables |= {"events": _table(_EVENTS, _events(ledger, seq)), "frames": _table(_FRAMES, _frames(ledger, seq))}
    for name, table in tables.items():
        connection.register("given", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    connection.unregister("given")
    connection.execute(f"CREATE VIEW records AS {scan.records(Query())}")
    masks = masks_sql("SELECT * FROM records", has_overlay=len(scan.overlay) > 0)
    connection.execute(f"CREATE VIEW masks AS {masks}")
    return connection


def _events(ledger: Ledger, seq: int) -> list[tuple[Any, ...]]:
    rows = ledger.rows(
        "SELECT position, seq, id, record_id, actor, at, kind, action FROM events WHERE seq <= ? ORDER BY position",
        (seq,),
    )
    return [(*row[:5], datetime.fromisoformat(row[5]), *row[6:]) for row in rows]


def _frames(ledger: Ledger, seq: int) -> list[tuple[Any, ...]]:
    places = ", ".join(
        f"CASE WHEN is_loose THEN NULL ELSE {name} END" for name in ("dataset", "episode", "camera", "frame_index")
    )
    return ledger.rows(
        f"SELECT {places}, nullif(image_digest, ''), name, nullif(run, ''), timestamp_s, height, width, num_masks, seq "
        "FROM frames WHERE seq <= ? ORDER BY is_loose, dataset, episode, camera, frame_index, image_digest, name",
        (seq,),
    )


def _table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


__all__ = ["open_views"]
