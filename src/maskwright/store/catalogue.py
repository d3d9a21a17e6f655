"""The catalogue: which segments count at a moment, where a record lies in them, and how a segment comes to count.

Segments that the ledger holds as bytes, and the key look-ups of those on disk, are kept once read: they never change.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from maskwright.core.errors import DuplicateRecord, UnknownRecord
from maskwright.core.record import MaskRecord
from maskwright.store.columns import SCHEMA, dated, empty, records_of
from maskwright.store.folder import StoreFolder
from maskwright.store.ledger import Ledger
from maskwright.store.segment import (
    Keys,
    SegmentRef,
    bounds_of,
    from_bytes,
    key_of_id,
    keys_of,
    read_keys,
    read_row,
    sorted_keys,
    to_bytes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRef:
    """A file of folded events: what events until `seq` came to."""

    seq: int
    name: str
    num_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What counts at the moment `seq`: segments, the newest fold that is not newer, whether any event was there."""

    seq: int
    segments: tuple[SegmentRef, ...]
    fold: FoldRef | None
    has_events: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies."""

    segment: SegmentRef
    row: int
    ordinal: int


class Catalogue:
    """Segments of one store, as the ledger lists them."""

    def __init__(self, folder: StoreFolder, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._tables: dict[int, pa.Table] = {}
        self._keys: dict[int, Keys] = {}
        self._known = _KnownKeys()
        self._tail: tuple[tuple[int, ...], pa.Table] = ((), empty(SCHEMA))
        self._lock = threading.RLock()

    def snapshot(self, seq: int) -> Snapshot:
        """List what counts at a moment."""
        with self._ledger.reading():
            fold = self._ledger.row(
                "SELECT seq, name, num_rows FROM folds WHERE retired_at IS NULL AND seq <= ? ORDER BY seq DESC", (seq,)
            )
            has_events = self._ledger.row("SELECT 1 FROM events WHERE seq <= ? LIMIT 1", (seq,)) is not None
            segments = self.segments(seq)
        self._forget(segments)
        ref = FoldRef(seq=fold[0], name=fold[1], num_rows=fold[2]) if fold else None
        return Snapshot(seq=seq, segments=segments, fold=ref, has_events=has_events)

    def segments(self, seq: int) -> tuple[SegmentRef, ...]:
        """List segments that have rows put until a moment, in the order in which they came."""
        rows = self._ledger.rows(
            "SELECT number, seq, last_seq, num_rows, name, bounds FROM segments "
            "WHERE retired_at IS NULL AND seq <= ? ORDER BY seq, number",
            (seq,),
        )
        return tuple(
            SegmentRef(number=number, seq=first, last_seq=last, num_rows=rows_, name=name, bounds=json.loads(bounds))
            for number, first, last, rows_, name, bounds in rows
        )

    def find(self, record_ids: Sequence[str], segments: Sequence[SegmentRef]) -> dict[str, Place]:
        """Find records by id; those that are nowhere are left out."""
        keys = {key_of_id(record_id): record_id for record_id in record_ids}
        wanted = np.array(sorted(keys), np.uint64)
        found: dict[str, Place] = {}
        for segment in segments:
            if len(found) == len(keys):
                break
            have, rows, ordinals = self.keys(segment)
            at = np.minimum(np.searchsorted(have, wanted), len(have) - 1)
            for i in np.flatnonzero(have[at] == wanted):
                place = Place(segment, int(rows[at[i]]), int(ordinals[at[i]]))
                found[keys[int(wanted[i])]] = place
        return found

    def read(self, record_id: str, place: Place, seq: int) -> tuple[MaskRecord, int]:
        """Read a record as it was put, and the moment at which it was.

        Raises:
            UnknownRecord: that moment lies after `seq`.
        """
        segment = place.segment
        if segment.name is None:
            table = self.table(segment).slice(place.row, 1)
            record, added = next(records_of(table)), table.column("added")[0].as_py()
        else:
            record, added = read_row(self._folder, segment.name, place.row)
        if record.id != record_id or (added or segment.seq) > seq:
            raise unknown(record_id)
        return record, added or segment.seq

    def table(self, segment: SegmentRef) -> pa.Table:
        """The rows of a segment that the ledger holds."""
        with self._lock:
            if segment.number not in self._tables:
                row = self._ledger.row("SELECT content FROM segments WHERE number = ?", (segment.number,))
                if row is None or row[0] is None:
                    raise UnknownRecord(f"segment {segment.number:x} is no longer in the ledger. Open the store again.")
                self._tables[segment.number] = from_bytes(row[0])
            return self._tables[segment.number]

    def tail(self, snapshot: Snapshot) -> pa.Table:
        """The rows of all segments that the ledger holds, each with the moment at which it was put."""
        segments = [segment for segment in snapshot.segments if segment.name is None]
        numbers = tuple(segment.number for segment in segments)
        with self._lock:
            if numbers != self._tail[0]:
                tables = [dated(self.table(segment), segment.seq) for segment in segments]
                self._tail = numbers, pa.concat_tables(tables) if tables else empty(SCHEMA)
            return self._tail[1]

    def keys(self, segment: SegmentRef) -> Keys:
        """The sorted keys of a segment, with rows and ordinals."""
        with self._lock:
            if segment.number not in self._keys:
                if segment.name is None:
                    self._keys[segment.number] = sorted_keys(self.table(segment))
                else:
                    self._keys[segment.number] = read_keys(self._folder, segment.name)
            return self._keys[segment.number]

    def ordinals(self, record_ids: Sequence[str]) -> Mapping[str, int]:
        """The ordinals of records, newest state.

        Raises:
            UnknownRecord: one is not there.
        """
        found = self.find(record_ids, self.segments(self._ledger.head()))
        for record_id in record_ids:
            if record_id not in found:
                raise unknown(record_id)
        return {record_id: place.ordinal for record_id, place in found.items()}

    def _forget(self, segments: Sequence[SegmentRef]) -> None:
        """Drop what is remembered when most of it is of segments that no longer count."""
        with self._lock:
            if len(self._keys) + len(self._tables) > 4 * len(segments) + 64:
                self._keys, self._tables = {}, {}

    def publish(self, number: int, table: pa.Table, keys: Keys, *, seq: int, name: str | None) -> None:
        """Make a segment count, within a transaction.

        Raises:
            DuplicateRecord: a record of that id is there already.
        """
        with self._lock:
            self._known.update(self.segments(seq), self.keys)
            if twice := self._known.first_of(keys[0]):
                raise DuplicateRecord(f"an id must be new, and {_id_of(twice, table)} is in the store. Use new_id().")
            self.insert(number, table, seq=seq, last_seq=seq, name=name)

    def insert(self, number: int, table: pa.Table, *, seq: int, last_seq: int, name: str | None) -> None:
        """Write a segment's row, within a transaction."""
        content = to_bytes(table) if name is None else None
        values = (number, seq, last_seq, len(table), name, content, json.dumps(bounds_of(table)))
        self._ledger.write(
            "INSERT INTO segments(number, seq, last_seq, num_rows, name, content, bounds) VALUES (?,?,?,?,?,?,?)",
            [values],
        )


def unknown(record_id: str) -> UnknownRecord:
    """Say that there is no such mask."""
    return UnknownRecord(f"no mask in the store has the id {record_id}")


class _KnownKeys:
    """Every key of the store in a few sorted runs, so that a batch is compared with all at once: 8 bytes a mask."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []
        self._numbers: set[int] = set()

    def update(self, segments: Sequence[SegmentRef], keys: Any) -> None:
        numbers = {segment.number for segment in segments}
        if not self._numbers <= numbers:  # a compaction replaced some
            self._runs, self._numbers = [], set()
        for segment in segments:
            if segment.number not in self._numbers:
                self._runs.append(np.array(keys(segment)[0]))
                self._numbers.add(segment.number)
                while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
                    self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]), kind="stable")]

    def first_of(self, keys: np.ndarray) -> int | None:
        """A key that is known, or that comes twice among these; None if there is none. `keys` are sorted."""
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twice):
            return int(keys[twice[0]])
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            same = np.flatnonzero(run[at] == keys)
            if len(same):
                return int(keys[same[0]])
        return None


def _id_of(key: int, table: pa.Table) -> str:
    ids = table.column("id").to_pylist()
    return ids[int(np.flatnonzero(keys_of(ids) == np.uint64(key))[0])]


__all__ = ["Catalogue", "FoldRef", "Place", "Snapshot", "unknown"]
