"""`Hdf5Store`: a small data set in one HDF5 file that any HDF5 reader opens.

Everything is in memory, and every write replaces the file whole, under a lock that other processes respect; so each
write costs what the whole file costs. From `MAX_FRAMES` frames on it refuses: that is what `MaskStore` is for.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from maskwright.core.errors import DuplicateRecord, StoreBusy, StoreError, StoreReadOnly, UnknownRecord
from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.store import event_log
from maskwright.store.bulk_writer import Batch, BulkWriter
from maskwright.store.folder import told_plainly
from maskwright.store.frame_log import NO_RUN, SeenFrame
from maskwright.store.frame_stream import by_frame, is_chosen, key_of_mask, with_masks
from maskwright.store.hdf5_content import Content, add_event, add_frames, add_records, next_write
from maskwright.store.hdf5_file import read_file, write_file
from maskwright.store.ledger import BUSY_S
from maskwright.store.moments import Moment, Tag, Write, check_name, moment_in
from maskwright.store.query import ANY_STATUS, Query, matches
from maskwright.store.resolve import resolve
from maskwright.store.values import Change, History, StoredFrame, is_changed

MAX_FRAMES = 100_000


def create_hdf5_store(path: Path | str, *, name: str | None = None) -> "Hdf5Store":
    """Make an empty store in a new file.

    Raises:
        StoreError: the file is there already, or cannot be written.
    """
    path = Path(path)
    if path.exists():
        raise StoreError(f"a new store needs a path where nothing is yet. Open it, or choose another: {path}")
    with told_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, Content(name=name or path.stem, created_at=datetime.now(UTC)))
    return open_hdf5_store(path)


def open_hdf5_store(path: Path | str, *, read_only: bool = False) -> "Hdf5Store":
    """Open a store.

    Raises:
        StoreMissing, StoreVersionError, StoreDamaged: it is not one, or cannot be read.
    """
    return Hdf5Store(Path(path), read_only=read_only)


class Hdf5Store:
    """An open file. `MaskStore` says what each method does and raises; this one has no SQL, so no `Query.where`."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.is_read_only = read_only
        self._guard = threading.RLock()
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
        self._state = _state(path)
        self._content = read_file(path)
        self.name = self._content.name
        self.created_at = self._content.created_at

    def put(self, records: Iterable[MaskRecord], *, frames: Iterable[SeenFrame] = (), run: str | None = None) -> int:
        """Add records and frames as one write."""
        batch, named = by_frame(records, frames)
        if not batch:
            return self.moment()
        return self._write("put", lambda content, seq: _add(content, batch, run or NO_RUN, seq, named))

    def bulk_writer(self, *, run: str | None = None) -> BulkWriter:
        """Write many masks, frame by frame; the file is written when the writer flushes or closes."""

        def save(batch: Batch) -> None:
            self._write("bulk", lambda content, seq: _add(content, batch, run or NO_RUN, seq, None))

        return BulkWriter(save, rows_per_segment=1 << 62, flush_s=float("inf"))

    def append(self, events: Sequence[ReviewEvent]) -> int:
        """Add review events, all or none."""
        if not events:
            return self.moment()

        def add(content: Content, seq: int) -> None:
            for event in events:
                event_log.check(event, lambda record_id: content.record(record_id)[1].rle.size_hw)
                add_event(content, event, seq)

        return self._write("review", add)

    def record(self, record_id: str, *, as_of: Moment = None) -> ResolvedRecord:
        """Read one mask as it is, or was."""
        return self.history(record_id, as_of=as_of).resolved

    def history(self, record_id: str, *, as_of: Moment = None) -> History:
        """Read one mask's life."""
        content = self._newest()
        seq = moment_in(content, as_of, self.path)
        added, record = content.record(record_id, until=seq)
        events = content.events_of(record_id, seq)
        put_at = next(write.at for write in content.writes if write.moment == added)
        return History(record=record, put_at=put_at, put_moment=added, events=events, resolved=resolve(record, events))

    def query(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[ResolvedRecord]:
        """Give the masks that meet a query, in frame order."""
        content = self._newest()
        return _query(content, query or Query(), moment_in(content, as_of, self.path))

    def count(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the masks that meet a query."""
        return sum(1 for _ in self.query(query, as_of=as_of))

    def count_frames(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the frames that have a mask which meets the query."""
        return len({key_of_mask(resolved) for resolved in self.query(query, as_of=as_of)})

    def frames(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[StoredFrame]:
        """Give every frame that was looked at, in frame order, with the masks that meet the query."""
        query = query or Query()
        masks = self.query(query, as_of=as_of)
        return with_masks((frame for frame in self.seen_frames(as_of=as_of) if is_chosen(query, frame)), masks)

    def seen_frames(self, *, as_of: Moment = None) -> Iterator[SeenFrame]:
        """Give every frame that was looked at, in frame order, without its masks."""
        content = self._newest()
        seq = moment_in(content, as_of, self.path)
        return iter(content.frames_in_order(seq))

    def done_frames(
        self, run: str, *, dataset: str | None = None, episode: str | None = None, camera: str | None = None
    ) -> set[int]:
        """List the indices of the frames that a run has written."""
        wanted = Query(dataset=dataset, episode=episode, camera=camera)
        return {
            frame.ref.frame_index
            for _, frame, its_run in self._newest().frames
            if its_run == run and frame.ref is not None and is_chosen(wanted, frame)
        }

    def done_names(self, run: str) -> set[str]:
        """List the names of the frames that a run has written."""
        return {frame.name for _, frame, its_run in self._newest().frames if its_run == run}

    def runs(self) -> dict[str, int]:
        """List runs with the number of frames that each has written, oldest first."""
        counts: dict[str, int] = {}
        for _, _, run in self._newest().frames:
            counts[run] = counts.get(run, 0) + 1
        return {run: count for run, count in counts.items() if run != NO_RUN}

    def events(self, *, as_of: Moment = None) -> Iterator[ReviewEvent]:
        """Give every review event, in the order in which they were added."""
        content = self._newest()
        seq = moment_in(content, as_of, self.path)
        return (event for moment, event in content.events if moment <= seq)

    def diff(self, before: Moment, after: Moment = None) -> Iterator[Change]:
        """Give the masks that differ between two moments."""
        content = self._newest()
        first, last = moment_in(content, before, self.path), moment_in(content, after, self.path)
        if first > last:
            raise UnknownRecord(f"a diff goes from an earlier moment to a later one, got {first} and {last}")
        return _changes(content, first, last)

    def tag(self, name: str, *, moment: Moment = None) -> Tag:
        """Name a moment, now if none is given."""
        check_name(name)
        seq = self.moment(moment)

        def add(content: Content, _: int) -> None:
            known = next((tag for tag in content.tags if tag.name == name), None)
            if known is not None and known.moment != seq:
                raise DuplicateRecord(f"tag {name!r} names moment {known.moment} already. Choose another name.")
            if known is None:
                content.tags.append(Tag(name=name, moment=seq, at=datetime.now(UTC)))

        self._write("tag", add)
        return next(tag for tag in self.tags() if tag.name == name)

    def tags(self) -> tuple[Tag, ...]:
        """List tags in the order of their moments."""
        return tuple(sorted(self._newest().tags, key=lambda tag: (tag.moment, tag.name)))

    def moment(self, moment: Moment = None) -> int:
        """The number of a moment; of now if none is given."""
        return moment_in(self._newest(), moment, self.path)

    def writes(self) -> tuple[Write, ...]:
        """List every write, oldest first."""
        return tuple(self._newest().writes)

    def close(self) -> None:
        """Close the store; the file is whole at any time."""

    def __enter__(self) -> "Hdf5Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _newest(self) -> Content:
        """The content, read again if another process has replaced the file."""
        with self._guard:
            state = _state(self.path)
            if state != self._state:
                self._content, self._state = read_file(self.path), state
            return self._content

    def _write(self, kind: str, change: Callable[[Content, int], None]) -> int:
        """Change a copy, replace the file by it, and only then remember it."""
        if self.is_read_only:
            raise StoreReadOnly(f"the store was opened for reading. Open it with read_only=False: {self.path}")
        with self._guard, self._alone():
            content = self._newest().copy()
            seq = next_write(content, kind)
            change(content, seq)
            if len(content.frames) >= MAX_FRAMES:
                raise StoreError(f"an HDF5 store holds fewer than {MAX_FRAMES} frames. Use create_store: {self.path}")
            write_file(self.path, content)
            self._content, self._state = content, _state(self.path)
        return seq

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with told_plainly(self.path):
            try:
                self._lock.acquire(timeout=BUSY_S)
            except Timeout:
                raise StoreBusy(f"another process held the store for too long. Try again: {self.path}") from None
        try:
            yield
        finally:
            self._lock.release()


def _add(content: Content, batch: Batch, run: str, seq: int, named: frozenset[object] | None) -> None:
    add_records(content, [record for _, masks in batch for record in masks], seq)
    add_frames(content, [frame for frame, _ in batch], run, seq, named)


def _query(content: Content, query: Query, seq: int) -> Iterator[ResolvedRecord]:
    for added, record in content.records_in_order():
        if added <= seq:
            resolved = resolve(record, content.events_of(record.id, seq))
            if matches(query, resolved):
                yield resolved


def _changes(content: Content, first: int, last: int) -> Iterator[Change]:
    added_at = {record.id: added for added, record in content.records}
    for resolved in _query(content, Query(status=ANY_STATUS), last):
        if added_at[resolved.record.id] > first:
            yield Change(before=None, after=resolved)
    touched = {record_id for moment, ids in content.touches() if first < moment <= last for record_id in ids}
    for record_id in sorted(touched):
        added, record = content.record(record_id)
        if added > first:
            continue
        before, after = (resolve(record, content.events_of(record_id, seq)) for seq in (first, last))
        if is_changed(before, after):
            yield Change(before=before, after=replace(after))


def _state(path: Path) -> tuple[int, int, int] | None:
    """What tells one file from its successor."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


__all__ = ["MAX_FRAMES", "Hdf5Store", "create_hdf5_store", "open_hdf5_store"]
