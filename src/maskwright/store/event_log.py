"""The log of review events in the ledger. It only grows; an event that comes twice is kept once.

`touches` names for each event every record whose state it may change, with the record's ordinal, so that a record's
history is one look-up, and what changed since a moment another.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import pyarrow as pa

from maskwright.core.codec import from_json, to_json
from maskwright.core.errors import DuplicateRecord, MaskError, RecordError, UnknownRecord
from maskwright.core.review_event import Action, Edit, Merge, Reparent, Revert, ReviewEvent, Split
from maskwright.core.shapes import SizeHW
from maskwright.masks import area
from maskwright.store.ledger import Ledger
from maskwright.store.resolve import named_by, touched_by

_COLUMNS = "e.id, e.record_id, e.actor, e.at, e.action"
_STEPS = pa.schema({"position": pa.int64(), **dict.fromkeys(("record_id", "actor", "done_at", "kind"), pa.string())})
_LAST = 2**63 - 1
_MOST_NAMES = 500  # in one question


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event with its place in the log, which only grows, and the moment of the write that brought it."""

    position: int
    moment: int
    event: ReviewEvent


def check(event: ReviewEvent, size_of: Callable[[str], SizeHW]) -> None:
    """Refuse an event that could not be folded.

    Raises:
        RecordError: new pixels are malformed or of another size, a merge or split names nothing or itself, or a mask
            is to be a part of itself.
    """
    match event.action:
        case Edit(rle):
            size_hw = size_of(event.record_id)
            if rle.size_hw != size_hw:
                raise RecordError(
                    f"an edit must have its mask's size {size_hw} (h, w), got {rle.size_hw} in {event.id}"
                )
            try:
                area(rle)
            except MaskError as error:
                raise RecordError(f"an edit's pixels cannot be read in event {event.id}: {error}") from error
        case Reparent(parent) if parent == event.record_id:
            raise RecordError(f"a mask is no part of itself, got {parent} in event {event.id}")
        case Merge(others) | Split(others):
            if not others or event.record_id in others or len(set(others)) < len(others):
                raise RecordError(
                    f"a merge or split must name other records, each once, got {list(others)} in event {event.id}"
                )


def append(
    ledger: Ledger, events: Sequence[ReviewEvent], seq: int, ordinals_of: Callable[[Sequence[str]], Mapping[str, int]]
) -> None:
    """Write events within a transaction.

    Raises:
        UnknownRecord: an event names a record or event that is not there.
        DuplicateRecord: another event has that id.
    """
    ordinals = ordinals_of(list(dict.fromkeys(record_id for event in events for record_id in named_by(event))))
    for event in events:
        if _is_there(ledger, event):
            continue
        touched = _touched(ledger, event, ordinals)
        values = (seq, event.id, event.record_id, event.actor, event.at.isoformat(), *_text(event.action))
        ledger.write("INSERT INTO events(seq, id, record_id, actor, at, kind, action) VALUES (?,?,?,?,?,?,?)", [values])
        position = ledger.number("SELECT position FROM events WHERE id = ?", (event.id,))
        ledger.write(
            "INSERT INTO touches(record_id, position, seq, ordinal) VALUES (?,?,?,?)",
            [(record_id, position, seq, ordinal) for record_id, ordinal in touched.items()],
        )


def events_of(ledger: Ledger, record_id: str, seq: int, *, until: int | None = None) -> tuple[ReviewEvent, ...]:
    """List the events that touch a record as of a moment, oldest first, to the position `until` if it is given."""
    rows = ledger.rows(
        f"SELECT {_COLUMNS} FROM touches t JOIN events e USING (position) "
        "WHERE t.record_id = ? AND t.seq <= ? AND position <= ? ORDER BY position",
        (record_id, seq, _LAST if until is None else until),
    )
    return tuple(_event(row) for row in rows)


def events_of_each(ledger: Ledger, record_ids: Sequence[str]) -> dict[str, list[ReviewEvent]]:
    """List the events that touch some records, oldest first, by record; those that nothing touched are left out."""
    found: dict[str, list[ReviewEvent]] = {}
    for at in range(0, len(record_ids), _MOST_NAMES):
        names = record_ids[at : at + _MOST_NAMES]
        rows = ledger.rows(
            f"SELECT t.record_id, {_COLUMNS} FROM touches t JOIN events e USING (position) "
            f"WHERE t.record_id IN ({', '.join('?' * len(names))}) ORDER BY position",
            names,
        )
        for row in rows:
            found.setdefault(row[0], []).append(_event(row[1:]))
    return found


def logged(ledger: Ledger, event_id: str) -> LoggedEvent | None:
    """Find an event by its id."""
    row = ledger.row(f"SELECT position, seq, {_COLUMNS} FROM events e WHERE id = ?", (event_id,))
    return None if row is None else LoggedEvent(position=row[0], moment=row[1], event=_event(row[2:]))


def logged_after(ledger: Ledger, position: int, limit: int) -> list[LoggedEvent]:
    """List events after a position, in the order in which they were added."""
    rows = ledger.rows(
        f"SELECT position, seq, {_COLUMNS} FROM events e WHERE position > ? ORDER BY position LIMIT ?",
        (position, limit),
    )
    return [LoggedEvent(position=row[0], moment=row[1], event=_event(row[2:])) for row in rows]


def touched_at(ledger: Ledger, positions: Sequence[int]) -> tuple[str, ...]:
    """List the records that events at some positions touch."""
    marks = ", ".join("?" * len(positions))
    rows = ledger.rows(f"SELECT DISTINCT record_id FROM touches WHERE position IN ({marks})", positions)
    return tuple(sorted(row[0] for row in rows))


def records_touched(ledger: Ledger, after: int, until: int) -> set[str]:
    """List the records that events touched after one moment and until another."""
    rows = ledger.rows("SELECT DISTINCT record_id FROM touches WHERE seq > ? AND seq <= ?", (after, until))
    return {row[0] for row in rows}


def changed_between(ledger: Ledger, after: int, until: int) -> list[int]:
    """List the ordinals of the records that events touched after one moment and until another."""
    rows = ledger.rows("SELECT DISTINCT ordinal FROM touches WHERE seq > ? AND seq <= ? ORDER BY 1", (after, until))
    return [row[0] for row in rows]


def histories(ledger: Ledger, after: int, until: int) -> Iterator[tuple[str, int, tuple[ReviewEvent, ...]]]:
    """Give each record touched after `after`, its ordinal, and all its events until `until`, oldest first."""
    rows = ledger.rows(
        f"SELECT t.record_id, t.ordinal, {_COLUMNS} FROM touches t JOIN events e USING (position) "
        "WHERE t.record_id IN (SELECT record_id FROM touches WHERE seq > ? AND seq <= ?) AND t.seq <= ? "
        "ORDER BY t.record_id, position",
        (after, until, until),
    )
    for (record_id, ordinal), group in groupby(rows, key=lambda row: row[:2]):
        yield record_id, ordinal, tuple(_event(row[2:]) for row in group)


def all_events(ledger: Ledger, seq: int, *, page: int = 1000) -> Iterator[tuple[int, int, ReviewEvent]]:
    """Give every event until a moment with its position and moment, oldest first."""
    position = 0
    while rows := ledger.rows(
        f"SELECT position, seq, {_COLUMNS} FROM events e WHERE position > ? AND seq <= ? ORDER BY position LIMIT ?",
        (position, seq, page),
    ):
        for row in rows:
            yield row[0], row[1], _event(row[2:])
        position = rows[-1][0]


def steps(ledger: Ledger, seq: int) -> pa.Table:
    """List every event until a moment without what it says: who touched which record when, in which way."""
    rows = ledger.rows(
        "SELECT position, record_id, actor, at, kind FROM events WHERE seq <= ? ORDER BY position", (seq,)
    )
    columns = list(zip(*rows, strict=True)) or [()] * len(_STEPS)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, _STEPS, strict=True)], _STEPS)


def _is_there(ledger: Ledger, event: ReviewEvent) -> bool:
    row = ledger.row(f"SELECT {_COLUMNS} FROM events e WHERE id = ?", (event.id,))
    if row is None:
        return False
    if _event(row) != event:
        raise DuplicateRecord(f"an event's id must be its own; another event has {event.id}. Use new_id().")
    return True


def _touched(ledger: Ledger, event: ReviewEvent, ordinals: Mapping[str, int]) -> dict[str, int]:
    """The records that an event touches, with their ordinals; a revert touches what its target does."""
    touched = {record_id: ordinals[record_id] for record_id in touched_by(event)}
    if not isinstance(event.action, Revert):
        return touched
    target = event.action.event_id
    rows = ledger.rows(
        "SELECT t.record_id, t.ordinal FROM events e JOIN touches t USING (position) WHERE e.id = ?", (target,)
    )
    if not rows:
        raise UnknownRecord(f"a revert must name an earlier event, and there is no event {target}")
    if event.record_id not in dict(rows):
        raise UnknownRecord(f"a revert must name an event of its record {event.record_id}; {target} is another's")
    return touched | dict(rows)


def _text(action: Action) -> tuple[str, str]:
    return type(action).__name__.lower(), json.dumps(to_json(action), ensure_ascii=False)


def _event(row: Sequence[Any]) -> ReviewEvent:
    read: Callable[..., Any] = from_json
    event_id, record_id, actor, at, action = row
    return ReviewEvent(
        id=event_id,
        record_id=record_id,
        actor=actor,
        at=datetime.fromisoformat(at),
        action=read(Action, json.loads(action), where="action"),
    )


__all__ = [
    "LoggedEvent",
    "all_events",
    "append",
    "changed_between",
    "check",
    "events_of",
    "events_of_each",
    "histories",
    "logged",
    "logged_after",
    "records_touched",
    "steps",
    "touched_at",
]
