"""`MaskStore`: the door to a store's folder. `create_store` and `open_store` give one.

It puts the pieces together and knows no SQL of its own: `ledger` keeps what changes, `segment` what never does,
`scan` asks both. One object may be used from several threads, one folder by several processes.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from maskwright.core.errors import MaskwrightError, UnknownRecord
from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.core.shapes import SizeHW
from maskwright.store import compaction, event_log, folder, frame_log, moments, sweeping, together
from maskwright.store.bulk_writer import FLUSH_S, ROWS_PER_SEGMENT, Batch, BulkWriter
from maskwright.store.catalogue import Catalogue, Place, unknown
from maskwright.store.columns import table_of
from maskwright.store.frame_log import NO_RUN, SeenFrame
from maskwright.store.frame_stream import by_frame, is_chosen, with_masks
from maskwright.store.ledger import Ledger
from maskwright.store.moments import Moment, Tag, Write
from maskwright.store.overlay import OverlayCache
from maskwright.store.pages import Pages
from maskwright.store.query import ANY_STATUS, Query
from maskwright.store.resolve import resolve
from maskwright.store.scan import Scan
from maskwright.store.segment import Keys, segment_path, sorted_keys, write_segment
from maskwright.store.together import Proposal
from maskwright.store.values import Change, History, StoredFrame, is_changed

MOST_IN_LEDGER = 1_000  # a put of more masks makes a file
_MOST_PARTS_IN_LEDGER = 200
_COMPARED_AT_ONCE = 2_000


def create_store(path: Path | str, *, name: str | None = None) -> "MaskStore":
    """Make an empty store where nothing is yet, or in an empty folder, called as its folder if no name is given.

    Raises:
        StoreError: something is there already, or it cannot be written.
    """
    place = folder.StoreFolder(Path(path))
    with folder.told_plainly(place.path):
        folder.lay_out(place)
        Ledger(place, create=True).close()
        folder.declare(place, name or place.path.absolute().name)
    return open_store(path)


def open_store(path: Path | str, *, read_only: bool = False) -> "MaskStore":
    """Open a store. What writers that were killed left half done is swept away, unless it is opened for reading.

    Raises:
        StoreMissing, StoreVersionError, StoreDamaged, StoreReadOnly: it is not one, or cannot be opened so.
    """
    place = folder.StoreFolder(Path(path))
    about = folder.read_about(place)
    return MaskStore(place, about, read_only=read_only)


class MaskStore:
    """An open store. Moments (`as_of`) are a number, the name of a tag, or a time; None is now."""

    def __init__(self, place: folder.StoreFolder, about: dict[str, Any], *, read_only: bool) -> None:
        self.path = place.path
        self.name: str = about["name"]
        self.created_at = datetime.fromisoformat(about["created_at"])
        # Its own wherever it is moved or copied to, and like that of no other.
        self.id = hashlib.sha256(f"{self.name} {about['created_at']}".encode()).hexdigest()[:16]
        self.is_read_only = read_only
        self._folder = place
        self._ledger = Ledger(place, read_only=read_only)
        self._catalogue = Catalogue(place, self._ledger)
        self._overlays = OverlayCache(place, self._ledger)
        self._lock = threading.RLock()
        self._life = sweeping.Life(place)
        if not read_only:
            sweeping.sweep(place, self._ledger)

    def put(self, records: Iterable[MaskRecord], *, frames: Iterable[SeenFrame] = (), run: str | None = None) -> int:
        """Add records, and frames that may have none of them, as one write, and give its moment.

        Records are on the disk when this returns. Frames that nobody named are registered under a made-up name.

        Raises:
            DuplicateRecord: an id is in the store already, or `run` has one of the frames.
            StoreError: it cannot be written; nothing of it is in the store.
        """
        batch, named = by_frame(records, frames)
        if not batch:
            return self.moment()
        num_records = sum(len(masks) for _, masks in batch)
        moment = self._save(batch, run or NO_RUN, named, in_file=num_records > MOST_IN_LEDGER)
        if num_records <= MOST_IN_LEDGER:
            self._roll()
        return moment

    def bulk_writer(
        self, *, run: str | None = None, rows_per_segment: int = ROWS_PER_SEGMENT, flush_s: float = FLUSH_S
    ) -> BulkWriter:
        """Write many masks, frame by frame. A `run` has each frame once; `done_frames` says which it has."""

        def save(batch: Batch) -> None:
            self._save(batch, run or NO_RUN, None, in_file=True)

        return BulkWriter(save, rows_per_segment=rows_per_segment, flush_s=flush_s)

    def append(self, events: Sequence[ReviewEvent]) -> int:
        """Add review events, all or none, and give their moment. One that is there already is not added twice.

        They are on the disk when this returns, whatever other processes write.

        Raises:
            UnknownRecord: an event names a mask or event that is not there.
            DuplicateRecord: another event has that id.
            RecordError: an edit has another size than its mask, or its pixels cannot be read.
        """
        for event in events:
            event_log.check(event, self._size_of)
        if not events:
            return self.moment()
        with self._ledger.writing("review") as seq:
            event_log.append(self._ledger, events, seq, self._catalogue.ordinals)
        return seq

    def append_each(self, proposals: Sequence[Proposal]) -> list[MaskwrightError | None]:
        """Add the events of several parties as one write, each party's all or none, and list why some were refused.

        What was not refused is on the disk when this returns. `Proposal` says how a party decides by the log as it is.

        Raises:
            StoreError: it cannot be written; nothing of any party is in the store.
        """
        try:
            with self._ledger.writing("review") as seq:
                return together.append_each(self._ledger, proposals, seq, self._catalogue.ordinals, self._size_of)
        except together.NothingAdded as nothing:
            return list(nothing.refusals)

    def pages(self) -> Pages:
        """Look into the store a page at a time, as a server does."""
        return Pages(self._ledger, lambda: self._scan(None))

    def record(self, record_id: str, *, as_of: Moment = None) -> ResolvedRecord:
        """Read one mask as it is, or was.

        Raises:
            UnknownRecord: it is not there.
        """
        return self.history(record_id, as_of=as_of).resolved

    def history(self, record_id: str, *, as_of: Moment = None) -> History:
        """Read one mask's life.

        Raises:
            UnknownRecord: it is not there.
        """
        with self._ledger.reading():
            seq = self.moment(as_of)
            place = self._place(record_id, seq)
            events = event_log.events_of(self._ledger, record_id, seq)
            record, added = self._catalogue.read(record_id, place, seq)
            put_at = moments.time_of(self._ledger, added)
        assert put_at is not None
        return History(record=record, put_at=put_at, put_moment=added, events=events, resolved=resolve(record, events))

    def query(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[ResolvedRecord]:
        """Give the masks that meet a query, in frame order, from one snapshot of the store.

        Raises:
            SettingError: its condition in SQL cannot be understood.
        """
        return self._scan(as_of).stream(query or Query())

    def count(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the masks that meet a query."""
        return self._scan(as_of).count(query or Query())

    def count_frames(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the frames that have a mask which meets the query."""
        return self._scan(as_of).count_frames(query or Query())

    def frames(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[StoredFrame]:
        """Give every frame that was looked at, in frame order, with the masks that meet the query, which may be none.

        Conditions on dataset, episode, camera, frame index and digest choose frames too.
        """
        query = query or Query()
        scan = self._scan(as_of)
        seen = frame_log.frames_in_order(self._ledger, scan.snapshot.seq)
        return with_masks((frame for frame in seen if is_chosen(query, frame)), scan.stream(query))

    def seen_frames(self, *, as_of: Moment = None) -> Iterator[SeenFrame]:
        """Give every frame that was looked at, in frame order, without its masks."""
        return frame_log.frames_in_order(self._ledger, self.moment(as_of))

    def done_frames(
        self, run: str, *, dataset: str | None = None, episode: str | None = None, camera: str | None = None
    ) -> set[int]:
        """List the indices of the frames that a run has written, of one recording if it is named."""
        return frame_log.done_frames(self._ledger, run, dataset=dataset, episode=episode, camera=camera)

    def done_names(self, run: str) -> set[str]:
        """List the names of the frames that a run has written: for loose pictures, which have no index."""
        return frame_log.done_names(self._ledger, run)

    def runs(self) -> dict[str, int]:
        """List runs with the number of frames that each has written, oldest first."""
        return frame_log.runs(self._ledger)

    def events(self, *, as_of: Moment = None) -> Iterator[ReviewEvent]:
        """Give every review event, in the order in which they were added."""
        return (event for _, _, event in event_log.all_events(self._ledger, self.moment(as_of)))

    def diff(self, before: Moment, after: Moment = None) -> Iterator[Change]:
        """Give the masks that differ between two moments: those put since in frame order, then those decided on since.

        Raises:
            UnknownRecord: the first moment lies after the second.
        """
        first, last = self.moment(before), self.moment(after)
        if first > last:
            raise UnknownRecord(f"a diff goes from an earlier moment to a later one, got {first} and {last}")
        return self._changes(first, last)

    def tag(self, name: str, *, moment: Moment = None) -> Tag:
        """Name a moment, now if none is given.

        Raises:
            DuplicateRecord: the name has another moment.
            SettingError: it is not a name.
        """
        seq = self.moment(moment)
        with self._ledger.writing("tag"):
            moments.write_tag(self._ledger, name, seq)
        return next(tag for tag in self.tags() if tag.name == name)

    def tags(self) -> tuple[Tag, ...]:
        """List tags in the order of their moments."""
        return moments.read_tags(self._ledger)

    def moment(self, moment: Moment = None) -> int:
        """The number of a moment; of now if none is given.

        Raises:
            UnknownRecord: there is no such tag, or it lies in the future.
        """
        return moments.seq_of(self._ledger, moment)

    def writes(self) -> tuple[Write, ...]:
        """List every write, oldest first."""
        return moments.read_writes(self._ledger)

    def files(self) -> tuple[Path, ...]:
        """List the Parquet files that count now, for whoever reads or describes them without this program.

        Masks that were put in small numbers since are in the ledger, and review events always.
        """
        found = self._catalogue.segments(self.moment())
        return tuple(segment_path(self._folder, one.name) for one in found if one.name is not None)

    def compact(self, *, grace_s: float = compaction.GRACE_S) -> compaction.Compacted:
        """Merge small segments into large ones in frame order, and fold events, so that questions are quick again.

        Nothing is lost: every record as it was put, every event and every moment stay. Files that no longer count go
        `grace_s` seconds later, at the next compaction or opening, so that whoever reads them can finish.

        Raises:
            StoreBusy: another process compacts.
        """
        with self._lock:
            return compaction.compact(self._folder, self._ledger, self._catalogue, self._life, grace_s=grace_s)

    def sql(self, *, as_of: Moment = None) -> Any:
        """Open a DuckDB connection with the views `masks`, `records`, `events`, `frames`, of one snapshot.

        docs/guides/store.md lists their columns. The connection is the caller's: nothing done there changes the store.
        """
        from maskwright.store.sql_views import open_views

        return open_views(self._scan(as_of), self._ledger)

    def close(self) -> None:
        """Close the store. Streams that were begun end."""
        if "_duckdb" in self.__dict__:
            self._duckdb.close()
        self._ledger.close()
        self._life.end()

    def __enter__(self) -> "MaskStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _duckdb(self) -> Any:
        from maskwright.store.views import connect_shared

        return connect_shared()

    def _scan(self, as_of: Moment) -> Scan:
        with self._lock, self._ledger.reading():
            snapshot = self._catalogue.snapshot(self.moment(as_of))
            overlay = self._overlays.newest(snapshot) if as_of is None else self._overlays.at(snapshot)
            tail = self._catalogue.tail(snapshot)  # read now: a compaction may take it out of the ledger
        return Scan(self._folder, snapshot, tail, overlay, self._duckdb)

    def _save(self, batch: Batch, run: str, named: frozenset[object] | None, *, in_file: bool) -> int:
        """Write frames and their masks as one segment, one moment. `named` frames are new; None: all are."""
        records = [record for _, masks in batch for record in masks]
        with self._life.writing():
            written = self._write_file(records) if in_file and records else None
            with self._ledger.writing("bulk" if in_file else "put") as seq:
                if records:
                    number, name, table, keys = written or self._in_ledger(records)
                    self._catalogue.publish(number, table, keys, seq=seq, name=name)
                new = [
                    (frame, len(masks))
                    for frame, masks in batch
                    if named is None or frame.key in named or not frame_log.is_known(self._ledger, frame)
                ]
                frame_log.register(self._ledger, new, run, seq)
        return seq

    def _write_file(self, records: Sequence[MaskRecord]) -> tuple[int, str | None, pa.Table, Keys]:
        number = self._ledger.next_number()
        name, table = self._life.name(number), table_of(records, number)
        return number, name, table, write_segment(self._folder, name, table)

    def _in_ledger(self, records: Sequence[MaskRecord]) -> tuple[int, str | None, pa.Table, Keys]:
        number = self._ledger.next_number()
        table = table_of(records, number)
        return number, None, table, sorted_keys(table)

    def _roll(self) -> None:
        """Make a file of the records in the ledger when they are many."""
        in_ledger = [one for one in self._catalogue.segments(self.moment()) if one.name is None]
        if len(in_ledger) > _MOST_PARTS_IN_LEDGER:
            with self._lock:
                compaction.roll(self._folder, self._ledger, self._catalogue, self._life)

    def _place(self, record_id: str, seq: int) -> Place:
        found = self._catalogue.find([record_id], self._catalogue.segments(seq))
        if record_id not in found:
            raise unknown(record_id)
        return found[record_id]

    def _size_of(self, record_id: str) -> SizeHW:
        with self._ledger.reading():
            seq = self.moment()
            return self._catalogue.read(record_id, self._place(record_id, seq), seq)[0].rle.size_hw

    def _changes(self, first: int, last: int) -> Iterator[Change]:
        for resolved in self._scan(last).stream(Query(status=ANY_STATUS), after=first):
            yield Change(before=None, after=resolved)
        ordinals = event_log.changed_between(self._ledger, first, last)
        for at in range(0, len(ordinals), _COMPARED_AT_ONCE):
            picked = ordinals[at : at + _COMPARED_AT_ONCE]
            before, after = self._scan(first).pick(picked), self._scan(last).pick(picked)
            for record_id, was in before.items():  # others were put since, and given above
                if is_changed(was, after[record_id]):
                    yield Change(before=was, after=after[record_id])


__all__ = ["MaskStore", "create_store", "open_store"]
