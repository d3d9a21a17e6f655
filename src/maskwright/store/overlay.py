"""What events came to, as a table: one row for each record that an event has touched.

The newest state of a store is its records without these, and these laid over theirs. Built from the newest fold file
that is not newer than the moment, and from the events after it, folded in Python.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.core.codec import from_json, to_json
from maskwright.core.resolved import SignedComment
from maskwright.store.catalogue import Snapshot
from maskwright.store.columns import completed, empty
from maskwright.store.event_log import histories
from maskwright.store.folder import StoreFolder, told_plainly
from maskwright.store.ledger import Ledger
from maskwright.store.resolve import Outcome, outcome_of

_MOMENT = pa.timestamp("us", tz="UTC")
OVERLAY_SCHEMA = pa.schema(
    [
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("verified_by", pa.string()),
        pa.field("verified_at", _MOMENT),
        pa.field("edited_by", pa.string()),
        pa.field("num_events", pa.int64(), nullable=False),
        pa.field("decided_at", _MOMENT),
        pa.field("is_edited", pa.bool_(), nullable=False),
        *(pa.field(name, pa.float64()) for name in ("x1", "y1", "x2", "y2")),
        pa.field("area", pa.int64()),
        pa.field("is_relabelled", pa.bool_(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("is_retracked", pa.bool_()),  # null in folds of before version 2 of the store
        pa.field("track", pa.string()),
        pa.field("is_reparented", pa.bool_()),  # null in folds of before version 3
        pa.field("parent", pa.string()),
        pa.field("comments", pa.string()),  # JSON; null where there are none, as in folds of before version 3
        pa.field("rle", pa.binary()),
    ]
)
_MOST_CHUNKS = 64  # of an overlay that grows event by event
STATE_COLUMNS = ("status", "verified_by", "verified_at", "edited_by", "num_events", "decided_at", "comments")


class OverlayCache:
    """Overlays of one store. That of the newest moment grows with the log instead of being folded anew."""

    def __init__(self, folder: StoreFolder, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._fold_name: str | None = None
        self._seq = 0
        self._table = empty(OVERLAY_SCHEMA)

    def newest(self, snapshot: Snapshot) -> pa.Table:
        """The overlay of a snapshot of now; snapshots come in the order of time."""
        fold = snapshot.fold
        if (fold and fold.name) != self._fold_name or snapshot.seq < self._seq:
            self._fold_name = fold.name if fold else None
            self._table = read_fold(self._folder, fold.name) if fold else empty(OVERLAY_SCHEMA)
            self._seq = fold.seq if fold else 0
        if snapshot.seq > self._seq:
            changed = {row["ordinal"]: row for row in fold_rows(self._ledger, self._seq, snapshot.seq)}
            self._table = _join(self._table, changed)
            self._seq = snapshot.seq
        return self._table

    def at(self, snapshot: Snapshot) -> pa.Table:
        """The overlay of any snapshot, folded for it alone."""
        fold = snapshot.fold
        folded = read_fold(self._folder, fold.name) if fold else empty(OVERLAY_SCHEMA)
        rows = {row["ordinal"]: row for row in fold_rows(self._ledger, fold.seq if fold else 0, snapshot.seq)}
        return _join(folded, rows)


def fold_rows(ledger: Ledger, after: int, until: int) -> Iterator[dict[str, Any]]:
    """Fold the records that events touched after one moment, with all their events until another."""
    for record_id, ordinal, events in histories(ledger, after, until):
        yield _row(record_id, ordinal, outcome_of(record_id, events))


def comments_text(comments: Sequence[SignedComment]) -> str | None:
    """Write comments as the text of a column; None for none."""
    return json.dumps([to_json(one) for one in comments], ensure_ascii=False) if comments else None


def read_comments(text: str | None) -> tuple[SignedComment, ...]:
    """Read what `comments_text` wrote."""
    if text is None:
        return ()
    return tuple(from_json(SignedComment, one, where="comments") for one in json.loads(text))


def read_fold(folder: StoreFolder, name: str) -> pa.Table:
    """Read a fold file."""
    path = folder.folds / f"{name}.parquet"
    with told_plainly(path), pq.ParquetFile(path) as file:
        return completed(file.read(), OVERLAY_SCHEMA).cast(OVERLAY_SCHEMA)


def _row(record_id: str, ordinal: int, outcome: Outcome) -> dict[str, Any]:
    box = outcome.box_xyxy or (None,) * 4
    return {
        "ordinal": ordinal,
        "id": record_id,
        "status": outcome.status,
        "verified_by": outcome.verified_by,
        "verified_at": outcome.verified_at,
        "edited_by": outcome.edited_by,
        "num_events": outcome.num_events,
        "decided_at": outcome.as_of,
        "is_edited": outcome.rle is not None,
        **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        "area": outcome.area,
        "is_relabelled": outcome.is_relabelled,
        "label": outcome.label,
        "is_retracked": outcome.is_retracked,
        "track": outcome.track,
        "is_reparented": outcome.is_reparented,
        "parent": outcome.parent,
        "comments": comments_text(outcome.comments),
        "rle": None if outcome.rle is None else outcome.rle.counts,
    }


def _join(folded: pa.Table, rows: dict[int, dict[str, Any]]) -> pa.Table:
    if not rows:
        return folded
    newer = pa.Table.from_pylist(list(rows.values()), schema=OVERLAY_SCHEMA)
    if not len(folded):
        return newer
    is_older = ~np.isin(folded.column("ordinal").to_numpy(), list(rows))
    joined = pa.concat_tables([folded.filter(pa.array(is_older)), newer])
    return joined.combine_chunks() if joined.column(0).num_chunks > _MOST_CHUNKS else joined


__all__ = [
    "OVERLAY_SCHEMA",
    "STATE_COLUMNS",
    "OverlayCache",
    "comments_text",
    "fold_rows",
    "read_comments",
    "read_fold",
]
