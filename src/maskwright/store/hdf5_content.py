"""What an `Hdf5Store` has in memory: everything, in the order in which it came, and how it grows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from maskwright.core.errors import DuplicateRecord, UnknownRecord
from maskwright.core.record import MaskRecord
from maskwright.core.review_event import Revert, ReviewEvent
from maskwright.store.frame_log import NO_RUN, SeenFrame, key_of
from maskwright.store.moments import Tag, Write
from maskwright.store.resolve import named_by, touched_by


@dataclass(slots=True, kw_only=True)
class Content:
    """Each thing with the moment of its write."""

    name: str
    created_at: datetime
    records: list[tuple[int, MaskRecord]] = field(default_factory=list)
    events: list[tuple[int, ReviewEvent]] = field(default_factory=list)
    frames: list[tuple[int, SeenFrame, str]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    _by_id: dict[str, tuple[int, MaskRecord]] = field(default_factory=dict)
    _touching: dict[str, list[tuple[int, ReviewEvent]]] = field(default_factory=dict)
    _touched: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id = {record.id: (added, record) for added, record in self.records}
        events, self.events = self.events, []
        for moment, event in events:
            self.keep(event, moment)

    def copy(self) -> "Content":
        """A copy that grows on its own; the values in it are shared."""
        return Content(
            name=self.name,
            created_at=self.created_at,
            records=list(self.records),
            events=list(self.events),
            frames=list(self.frames),
            writes=list(self.writes),
            tags=list(self.tags),
        )

    def record(self, record_id: str, *, until: int | None = None) -> tuple[int, MaskRecord]:
        """Find a record and the moment at which it was put.

        Raises:
            UnknownRecord: it is not there, or was put after `until`.
        """
        found = self._by_id.get(record_id)
        if found is None or (until is not None and found[0] > until):
            raise UnknownRecord(f"no mask in the store has the id {record_id}")
        return found

    def has(self, record_id: str) -> bool:
        """Whether a record is there."""
        return record_id in self._by_id

    def events_of(self, record_id: str, seq: int) -> tuple[ReviewEvent, ...]:
        """List the events that touch a record as of a moment, oldest first."""
        return tuple(event for moment, event in self._touching.get(record_id, ()) if moment <= seq)

    def touches(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Give the moment of each event and the records that it touches."""
        return ((moment, self._touched[event.id]) for moment, event in self.events)

    def touched(self, event_id: str) -> tuple[str, ...]:
        """The records that an event touches; none if there is no such event."""
        return self._touched.get(event_id, ())

    def records_in_order(self) -> list[tuple[int, MaskRecord]]:
        """Every record in frame order, those of a frame in the order in which they were put."""
        return sorted(self.records, key=lambda one: key_of(one[1].frame, one[1].image_digest))

    def frames_in_order(self, seq: int) -> list[SeenFrame]:
        """Each frame once, in frame order."""
        seen = [(frame, run) for moment, frame, run in self.frames if moment <= seq]
        seen.sort(key=lambda one: (*one[0].key[:5], one[0].image_digest or "", one[0].name, one[1]))
        once = {(frame.key, frame.name if frame.ref is None else ""): frame for frame, _ in reversed(seen)}
        return list(reversed(once.values()))

    def keep(self, event: ReviewEvent, seq: int) -> None:
        """Add an event that has been checked."""
        touched = dict.fromkeys(touched_by(event))
        if isinstance(event.action, Revert):
            touched |= dict.fromkeys(self.touched(event.action.event_id))
        self.events.append((seq, event))
        self._touched[event.id] = tuple(touched)
        for record_id in touched:
            self._touching.setdefault(record_id, []).append((seq, event))

    def add(self, record: MaskRecord, seq: int) -> None:
        """Add a record that has been checked."""
        self.records.append((seq, record))
        self._by_id[record.id] = (seq, record)


def next_write(content: Content, kind: str) -> int:
    """Number a write; its time never lies before the last one's."""
    last = content.writes[-1] if content.writes else None
    now = datetime.now(UTC)
    seq = last.moment + 1 if last else 1
    content.writes.append(Write(moment=seq, at=max(now, last.at) if last else now, kind=kind))
    return seq


def add_records(content: Content, records: Sequence[MaskRecord], seq: int) -> None:
    """Add records.

    Raises:
        DuplicateRecord: an id is there already.
    """
    for record in records:
        if content.has(record.id):
            raise DuplicateRecord(f"an id must be new, and {record.id} is in the store. Use new_id().")
        content.add(record, seq)


def add_frames(
    content: Content, frames: Sequence[SeenFrame], run: str, seq: int, named: frozenset[object] | None
) -> None:
    """Register frames; those that are not in `named` only where no run has looked at them (None: all are named).

    Raises:
        DuplicateRecord: the run has one of them.
    """
    known = {frame.key for _, frame, _ in content.frames}
    of_run = {_identity(frame) for _, frame, its_run in content.frames if its_run == run}
    for frame in frames:
        if named is not None and frame.key not in named and frame.key in known:
            continue
        if _identity(frame) in of_run:
            if run == NO_RUN:
                continue
            raise DuplicateRecord(f"a run writes each frame once; run {run} has this one already: {frame.name}")
        of_run.add(_identity(frame))
        content.frames.append((seq, frame, run))


def add_event(content: Content, event: ReviewEvent, seq: int) -> None:
    """Add an event; one that is there already is not added twice.

    Raises:
        UnknownRecord: it names a record or event that is not there.
        DuplicateRecord: another event has its id.
    """
    known = next((other for _, other in content.events if other.id == event.id), None)
    if known == event:
        return
    if known is not None:
        raise DuplicateRecord(f"an event's id must be its own; another event has {event.id}. Use new_id().")
    if isinstance(event.action, Revert):
        target = event.action.event_id
        touched = content.touched(target)
        if not touched:
            raise UnknownRecord(f"a revert must name an earlier event, and there is no event {target}")
        if event.record_id not in touched:
            raise UnknownRecord(f"a revert must name an event of its record {event.record_id}; {target} is another's")
    for record_id in named_by(event):
        content.record(record_id)
    content.keep(event, seq)


def _identity(frame: SeenFrame) -> tuple[object, ...]:
    """What a run has once: a place in a data set, or the name of a loose picture."""
    return (*frame.key[:5], frame.name if frame.ref is None else "")


__all__ = ["Content", "add_event", "add_frames", "add_records", "next_write"]
