"""A store a page at a time, for a server: masks and frames after a place in frame order, events after a position.

A page is of the store as it is when it is asked. A place stays one whatever is written, so going on after it neither
repeats nor leaves out a mask or frame that was there all the time. Masks are looked for in stretches of frames, each
wider than the one before, so that a page costs about what it holds however large the store is.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from maskwright.core.image import FrameRef
from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.store import event_log, frame_pages
from maskwright.store.event_log import LoggedEvent
from maskwright.store.frame_log import FrameKey, SeenFrame, key_of
from maskwright.store.ledger import Ledger
from maskwright.store.query import ANY_STATUS, Query
from maskwright.store.resolve import resolve
from maskwright.store.scan import Scan, between

BEGIN = frame_pages.begin(is_loose=False)
_FIRST_STRETCH = 32  # frames
_WIDER = 8
_EVERY = 2**40  # frames


@dataclass(frozen=True, slots=True)
class Place:
    """A mask's place in frame order: its frame's, and its number in the store."""

    frame: FrameKey
    ordinal: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFrame:
    """A frame and how many masks it has of each status."""

    frame: SeenFrame
    num_masks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What writes changed: the records that events touched, and the bounds of where records were put."""

    records: set[str]
    put: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Records put together. `bounds` has least and greatest of what tells frames apart, None where some have none."""

    moment: int
    num_records: int
    bounds: dict[str, Any]


class Pages:
    """Pages of one store. Safe to use from several threads, as the store is."""

    def __init__(self, ledger: Ledger, scan: Callable[[], Scan]) -> None:
        self._ledger = ledger
        self._scan = scan

    def head(self) -> int:
        """The newest moment."""
        return self._ledger.head()

    def masks(
        self, query: Query, *, after: Place | None = None, limit: int
    ) -> tuple[list[ResolvedRecord], Place | None]:
        """Give at most `limit` masks that a query finds after a place, and the place to go on after, if there is more.

        Raises:
            SettingError: the query has a condition in SQL that cannot be understood.
        """
        scan = self._scan()
        found: list[tuple[int, ResolvedRecord]] = []
        for stretch in self._stretches(scan, query, after.frame if after else BEGIN):
            place = (after.frame, after.ordinal) if after else None
            found += scan.first(query, stretch, after=place, limit=limit + 1 - len(found))
            if len(found) > limit:
                ordinal, last = found[limit - 1]
                masks = [mask for _, mask in found[:limit]]
                return masks, Place(key_of(last.record.frame, last.record.image_digest), ordinal)
        return [mask for _, mask in found], None

    def frames(
        self, query: Query | None = None, *, after: FrameKey = BEGIN, limit: int
    ) -> tuple[list[CountedFrame], FrameKey | None]:
        """Give at most `limit` frames after a place with their numbers of masks, and the place to go on after.

        Of a query the conditions on dataset, episode, camera and frame index count.
        """
        scan = self._scan()
        seen = frame_pages.frames_after(self._ledger, query or Query(), after, scan.snapshot.seq, limit + 1)
        page = seen[:limit]
        counts: dict[FrameKey, dict[str, int]] = {}
        for is_loose in (False, True):
            keys = [frame.key for frame in page if frame.key[0] == is_loose]
            if keys:
                counts |= scan.count_by_status(between(keys[0], keys[-1]))
        counted = [CountedFrame(frame=frame, num_masks=counts.get(frame.key, {})) for frame in page]
        return counted, page[-1].key if len(seen) > limit else None

    def frame(self, key: FrameKey) -> SeenFrame | None:
        """Find a frame by its place in frame order."""
        return frame_pages.find(self._ledger, key)

    def ends(self, query: Query) -> tuple[FrameKey, FrameKey] | None:
        """Find the first and last frame of data sets that meet a query's conditions on frames; None if none does."""
        found = frame_pages.stretch(self._ledger, query, BEGIN, self._ledger.head(), _EVERY, includes_low=True)
        return None if found is None else found[:2]

    def events(self, *, after: int, limit: int) -> list[LoggedEvent]:
        """Give events after a position, in the order in which they were added."""
        return event_log.logged_after(self._ledger, after, limit)

    def events_of(self, record_id: str) -> tuple[ReviewEvent, ...]:
        """List the events that touch a record, oldest first."""
        with self._ledger.reading():
            return event_log.events_of(self._ledger, record_id, self._ledger.head())

    def resolved(self, records: Sequence[MaskRecord]) -> tuple[ResolvedRecord, ...]:
        """Give records that were put as their events leave them now."""
        events = event_log.events_of_each(self._ledger, [record.id for record in records])
        return tuple(resolve(record, events.get(record.id, ())) for record in records)

    def as_put(self, query: Query) -> pa.Table:
        """Fetch records as they were put that meet a query's conditions on them, as a table in frame order."""
        return self._scan().as_put(query)

    def rows(
        self, query: Query, select: str, values: Sequence[Any] = (), *, tables: Mapping[str, pa.Table] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Run a SELECT over `masks`, the masks that a query finds, with the columns of the view of that name.

        There is also `steps`, every event without what it says: position, record_id, actor, done_at (text), kind;
        and the tables that are given.
        """
        scan = self._scan()
        steps = event_log.steps(self._ledger, scan.snapshot.seq) if "steps" in select else None
        return scan.rows(
            query, select, values, tables={**(tables or {}), **({} if steps is None else {"steps": steps})}
        )

    def pick(self, ordinals: Sequence[int]) -> dict[str, ResolvedRecord]:
        """Read the masks of these ordinals as they are now, by id."""
        return self._scan().pick(ordinals) if ordinals else {}

    def lives(self, ordinals: Sequence[int]) -> list[tuple[MaskRecord, tuple[ReviewEvent, ...]]]:
        """Read records of these ordinals as they were put, each with the events that touch it, in this order."""
        records = self._scan().put(ordinals) if ordinals else {}
        events = event_log.events_of_each(self._ledger, [record.id for record in records.values()])
        put = [records[ordinal] for ordinal in ordinals if ordinal in records]
        return [(record, tuple(events.get(record.id, ()))) for record in put]

    def last_event(self) -> int:
        """The position of the newest event; 0 before the first."""
        return self._ledger.number("SELECT max(position) FROM events")

    def touched(self, after: int, until: int) -> Touched:
        """Tell what was changed after one moment and until another."""
        with self._ledger.reading():
            records = event_log.records_touched(self._ledger, after, until)
            return Touched(records=records, put=_put_between(self._ledger, after, until))

    def put_after(self, moment: int) -> tuple[int, tuple[Put, ...]]:
        """Tell the newest moment, and what was put after one."""
        with self._ledger.reading():
            head = self._ledger.head()
            if head == moment:
                return head, ()
            rows = self._ledger.rows(
                "SELECT seq, num_rows, bounds FROM segments WHERE seq > ? AND seq = last_seq ORDER BY seq, number",
                (moment,),
            )
        return head, tuple(Put(moment=row[0], num_records=row[1], bounds=json.loads(row[2])) for row in rows)

    def _stretches(self, scan: Scan, query: Query, begin: FrameKey) -> Iterator[tuple[str, list[Any]]]:
        """Cut frame order into conditions, from a frame on."""
        for is_loose in (begin[0], True) if not begin[0] else (True,):
            low, includes_low = (begin, True) if is_loose == begin[0] else (frame_pages.begin(is_loose=True), True)
            width, is_more = _FIRST_STRETCH, True
            while is_more:
                ends = frame_pages.stretch(
                    self._ledger, query, low, scan.snapshot.seq, width, includes_low=includes_low
                )
                if ends is None:
                    break
                first, last, is_more = ends
                yield between(first, last)
                low, includes_low, width = last, False, width * _WIDER


def _put_between(ledger: Ledger, after: int, until: int) -> tuple[dict[str, Any], ...]:
    rows = ledger.rows("SELECT bounds FROM segments WHERE last_seq > ? AND seq <= ?", (after, until))
    return tuple(json.loads(row[0]) for row in rows)


def ref_of(key: FrameKey) -> FrameRef | None:
    """The place that a key names; None for a loose picture's."""
    is_loose, dataset, episode, camera, index, _ = key
    return None if is_loose else FrameRef(dataset=dataset, episode=episode, camera=camera, frame_index=index)


def query_of(key: FrameKey) -> Query:
    """Ask for every mask of a frame."""
    is_loose, dataset, episode, camera, index, digest = key
    if is_loose:
        return Query(image_digest=digest, status=ANY_STATUS)
    return Query(
        dataset=dataset, episode=episode, camera=camera, first_frame=index, last_frame=index, status=ANY_STATUS
    )


__all__ = ["BEGIN", "CountedFrame", "Pages", "Place", "Put", "Touched", "query_of", "ref_of"]
