"""The frames of a store a page at a time: what follows a place in frame order, found by the index of the ledger."""

from collections.abc import Sequence
from typing import Any

from maskwright.store.frame_log import COLUMNS, ORDER, FrameKey, SeenFrame, frame_of
from maskwright.store.ledger import Ledger
from maskwright.store.query import Query

_LOOSE = "is_loose, dataset, episode, camera, frame_index, image_digest"
_PLACED = "is_loose, dataset, episode, camera, frame_index"


def begin(*, is_loose: bool) -> FrameKey:
    """The place before every frame of data sets, or before every loose picture."""
    return is_loose, "", "", "", -1, ""


def frames_after(ledger: Ledger, query: Query, after: FrameKey, seq: int, limit: int) -> list[SeenFrame]:
    """List at most `limit` frames after a place in frame order, each once, that meet a query's conditions on frames."""
    found: dict[FrameKey, SeenFrame] = {}
    for is_loose in (False, True):
        low = after if after[0] == is_loose else begin(is_loose=is_loose)
        while after[0] <= is_loose and len(found) < limit:
            condition, values = _beyond(low, query, seq)
            rows = ledger.rows(
                f"SELECT {COLUMNS} FROM frames WHERE {condition} ORDER BY {ORDER} LIMIT ?", (*values, 2 * limit)
            )
            for row in rows:
                frame = frame_of(row)
                found.setdefault(frame.key, frame)
            if len(rows) < 2 * limit:
                break
            low = frame_of(rows[-1]).key
    return list(found.values())[:limit]


def stretch(
    ledger: Ledger, query: Query, low: FrameKey, seq: int, width: int, *, includes_low: bool
) -> tuple[FrameKey, FrameKey, bool] | None:
    """Find the first and last of about `width` frames from a place on, and whether more may follow."""
    condition, values = _beyond(low, query, seq, sign=">=" if includes_low else ">")
    select = f"SELECT {COLUMNS} FROM frames WHERE {condition} ORDER BY {ORDER}"
    first = ledger.row(f"{select} LIMIT 1", values)
    if first is None:
        return None
    last = ledger.row(f"{select} LIMIT 1 OFFSET ?", (*values, width))
    if last is not None:
        return frame_of(first).key, frame_of(last).key, True
    backwards = ", ".join(f"{column} DESC" for column in ORDER.split(", "))
    last = ledger.row(f"SELECT {COLUMNS} FROM frames WHERE {condition} ORDER BY {backwards} LIMIT 1", values)
    return frame_of(first).key, frame_of(last or first).key, False


def find(ledger: Ledger, key: FrameKey) -> SeenFrame | None:
    """Find a frame by its place."""
    columns, values = (_LOOSE, key) if key[0] else (_PLACED, key[:5])
    row = ledger.row(
        f"SELECT {COLUMNS} FROM frames WHERE ({columns}) = ({', '.join('?' * len(values))}) "
        f"ORDER BY image_digest = '', {ORDER} LIMIT 1",
        values,
    )
    return None if row is None else frame_of(row)


def _beyond(low: FrameKey, query: Query, seq: int, *, sign: str = ">") -> tuple[str, list[Any]]:
    """Say that a frame lies beyond a place, of the same kind, and meets a query's conditions on frames."""
    columns, place = (_LOOSE, low) if low[0] else (_PLACED, low[:5])
    conditions = [f"({columns}) {sign} ({', '.join('?' * len(place))})", "is_loose = ?", "seq <= ?"]
    values: list[Any] = [*place, low[0], seq]
    for column in ("dataset", "episode", "camera"):
        names: Sequence[str] | None = getattr(query, column)
        if names is not None:
            conditions.append(f"{column} IN ({', '.join('?' * len(names))})")
            values += [*names]
    for value, condition in ((query.first_frame, "frame_index >= ?"), (query.last_frame, "frame_index <= ?")):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if low[0] and any(getattr(query, one) is not None for one in ("dataset", "episode", "camera", "first_frame")):
        conditions.append("false")
    return " AND ".join(conditions), values


__all__ = ["begin", "find", "frames_after", "stretch"]
