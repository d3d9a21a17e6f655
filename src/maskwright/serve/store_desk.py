"""`StoreDesk`: all that a server does with its store. Edits go to one thread that writes; reads never wait for it.

Four connections: the writer's, one for questions that scan, one for quick looks at the log, one for figures. Reads are
of the newest state that is on the disk, other processes' writes included. No name, path or text of a client reaches the
file system.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import anyio
from anyio import to_thread

from maskwright.core import FrameRef, Image, MaskRecord, ResolvedRecord
from maskwright.core.errors import StoreReadOnly, TooManyRequests, UnknownImage, UnknownRecord
from maskwright.serve import store_sql
from maskwright.serve.meter import Meter
from maskwright.serve.presence import Presence
from maskwright.serve.review_desk import ReviewDesk
from maskwright.serve.settings import ServeSettings
from maskwright.serve.store_cursors import cursor_of, frame_id, read_cursor, read_frame_id
from maskwright.serve.store_edits import Edited, Edits
from maskwright.serve.store_feed import Feed
from maskwright.serve.store_frames import FrameShelf
from maskwright.serve.store_saves import Draft, Saved, Saves, checked
from maskwright.serve.store_writer import StoreWriter
from maskwright.serve.timeline_desk import TimelineDesk
from maskwright.serve.values import Caller
from maskwright.store import History, MaskStore, Query, SeenFrame, open_store, resolve
from maskwright.store.frame_log import FrameKey, key_of
from maskwright.store.pages import BEGIN, CountedFrame, Place, Put
from maskwright.store.together import LoggedEvent
from maskwright.workflows.store_pictures import StorePictures

T = TypeVar("T")

READERS, LOOKERS, SELECTS = 4, 2, 2  # threads: for questions that scan, for looks at one thing, for SQL
_MOST_WAITING_SELECTS = 8
_SHELF_BYTES = 256 << 20
_RECORDS_KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Masks in frame order, and the cursor to go on with."""

    masks: tuple[ResolvedRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePage:
    """Frames in order with how many masks they have of each status, and the cursor to go on with."""

    frames: tuple[CountedFrame, ...]
    next_cursor: str | None


class StoreDesk:
    """The store of a server. Methods are for the event loop; what takes time runs in a few threads of the desk's own.

    Raises:
        StoreError: there is no store, or it cannot be opened.
    """

    def __init__(self, settings: ServeSettings, meter: Meter | None = None) -> None:
        assert settings.store is not None, "a server without a store has no desk"
        self.path = settings.store
        store = _open_to_write(settings)
        self._scanner = open_store(self.path, read_only=True)
        self._looker = open_store(self.path, read_only=True)
        self.name, self.is_read_only = self._looker.name, store is None
        self.id = self._looker.id
        self._counter = open_store(self.path, read_only=True)
        self.review = ReviewDesk(self._counter.pages(), self.path)
        self.timeline = TimelineDesk(self._counter.pages())
        self._pages, self._quick = self._scanner.pages(), self._looker.pages()
        self._stores = [one for one in (store, self._scanner, self._looker, self._counter) if one is not None]
        self._shelf = FrameShelf(self._pages, self._quick, _SHELF_BYTES)
        self._as_put = _Kept(_RECORDS_KEPT)
        self._pictures = StorePictures(self._looker)
        self._meter = meter
        self._most_pixels = settings.max_pixels
        self._readers, self._lookers = anyio.CapacityLimiter(READERS), anyio.CapacityLimiter(LOOKERS)
        self._selects = anyio.CapacityLimiter(SELECTS)
        self._decoders = anyio.CapacityLimiter(1)  # one decoder is open at a time
        self.feed = Feed(self._events, self._last_event, self.moment)
        self.presence = Presence(self.feed.nudge)
        self._writer = StoreWriter(store, written=self.feed.wake, meter=meter)

    async def record(self, record_id: str) -> ResolvedRecord:
        """Read one record as it is.

        Raises:
            UnknownRecord: it is not there.
        """
        return await self._look(self._record, record_id)

    async def history(self, record_id: str) -> History:
        """Read one record's life.

        Raises:
            UnknownRecord: it is not there.
        """
        return await self._look(self._looker.history, record_id)

    async def query(self, query: Query, *, cursor: str | None = None, limit: int = 100) -> Page:
        """Give a page of the masks that a query finds.

        Raises:
            RequestError: the cursor is none.
        """
        return await self._read(self._query, query, None if cursor is None else read_cursor(cursor), limit)

    async def count(self, query: Query) -> int:
        """Count the masks that a query finds."""
        return await self._read(self._count, query)

    async def frames(self, query: Query, *, cursor: str | None = None, limit: int = 100) -> FramePage:
        """Give a page of frames; of the query the conditions on frames count.

        Raises:
            RequestError: the cursor is none.
        """
        return await self._read(self._frames, query, BEGIN if cursor is None else read_frame_id(cursor), limit)

    async def frame(self, frame: str) -> SeenFrame:
        """Find a frame by its id.

        Raises:
            RequestError: it is not an id.
            UnknownImage: the store has no such frame.
        """
        return await self._look(self._frame, read_frame_id(frame))

    async def frame_masks(self, frame: str) -> tuple[ResolvedRecord, ...]:
        """Give every mask of a frame, of any status.

        Raises:
            RequestError, UnknownImage: as `frame`.
        """

        def masks() -> tuple[ResolvedRecord, ...]:
            return self._shelf.masks(self._frame(read_frame_id(frame)).key)

        return await self._read(masks)

    async def frames_after(self, frame: SeenFrame, count: int) -> list[SeenFrame]:
        """List the frames that come next in the same recording."""
        if frame.ref is None or not count:
            return []
        ref = frame.ref
        query = Query(dataset=ref.dataset, episode=ref.episode, camera=ref.camera, first_frame=ref.frame_index + 1)
        return [one.frame for one in (await self._read(self._frames, query, frame.key, count)).frames]

    async def image(self, frame: str | FrameRef | SeenFrame) -> Image:
        """Decode the picture of a frame, from where the runs of the store found it.

        Raises:
            UnknownImage: the store has no such frame, or its picture is not at hand.
            ImageError: it cannot be read, or is another than the one that was annotated.
        """
        if not isinstance(frame, SeenFrame):
            key = key_of(frame, None) if isinstance(frame, FrameRef) else read_frame_id(frame)
            frame = await self._look(self._frame, key)
        return await to_thread.run_sync(self._picture, frame, limiter=self._decoders)

    async def put(self, drafts: Sequence[Draft], caller: Caller, *, key: str | None = None) -> Saved:
        """Save masks; they are on the disk when this returns. See `store_saves` for what is checked.

        Raises:
            RecordError, NotAllowed, UnknownRecord, TooLarge: they may not be saved so.
            DuplicateRecord, KeyReused: an id or a key is taken.
            StoreError: the disk refused, or is not to be written.
        """
        fit = await self._look(self._checked, drafts, caller)
        return await self._writer.save(Saves(fit, caller, key=key))

    async def append(self, edits: Edits) -> Edited:
        """Add review events; they are on the disk when this returns. See `Edits`.

        Raises:
            EditConflict, KeyReused, UnknownRecord, RecordError: the store is such that they cannot be.
            StoreError: the disk refused, or is not to be written.
        """
        return await self._writer.edit(edits)

    async def events(self, *, after: int, limit: int) -> list[LoggedEvent]:
        """Give review events after a position in the log."""
        return await self._events(after, limit)

    async def moment(self) -> int:
        """The number of the newest write."""
        return await self._look(self._quick.head)

    async def put_after(self, moment: int) -> tuple[int, tuple[Put, ...]]:
        """Tell the newest moment, and what was put after one."""
        return await self._look(self._quick.put_after, moment)

    async def select(self, text: str, *, limit: int) -> store_sql.Table:
        """Run a SELECT; only for admins, who are trusted with what it costs.

        Raises:
            SettingError, DeadlinePassed: it cannot be answered, or not in time.
            TooManyRequests: too many wait already.
        """
        if self._selects.statistics().tasks_waiting >= _MOST_WAITING_SELECTS:
            raise TooManyRequests("many SELECTs wait already. Come back in a second", 5.0)
        return await to_thread.run_sync(
            lambda: store_sql.select(self._scanner, text, limit=limit), limiter=self._selects, abandon_on_cancel=False
        )

    async def drain(self) -> None:
        """End what follows the log, so that the server can stop; edits and questions still go."""
        self.feed.close()
        self.presence.close()

    def close(self) -> None:
        """Write what waits, and close the store."""
        self._writer.close()
        for store in self._stores:
            store.close()

    async def _look(self, function: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(function, *arguments, limiter=self._lookers)

    async def _read(self, function: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(function, *arguments, limiter=self._readers)

    def _record(self, record_id: str) -> ResolvedRecord:
        """Records never change once they are put, so only their events are read again."""
        record = self._as_put.get(record_id)
        if record is None:
            history = self._looker.history(record_id)
            self._as_put.keep(history.record)
            return history.resolved
        return resolve(record, self._quick.events_of(record_id))

    def _checked(self, drafts: Sequence[Draft], caller: Caller) -> list[Draft]:
        find_frame, most_pixels = self._quick.frame, self._most_pixels
        return checked(drafts, caller, find_frame=find_frame, is_there=self._is_there, most_pixels=most_pixels)

    def _is_there(self, record_id: str) -> bool:
        with suppress(UnknownRecord):
            self._record(record_id)
            return True
        return False

    def _query(self, query: Query, after: Place | None, limit: int) -> Page:
        found = self._shelf.find(query) if after is None else None
        if found is not None and len(found) <= limit:
            return Page(masks=tuple(found), next_cursor=None)
        masks, place = self._pages.masks(query, after=after, limit=limit)
        return Page(masks=tuple(masks), next_cursor=None if place is None else cursor_of(place))

    def _count(self, query: Query) -> int:
        found = self._shelf.find(query)
        return self._scanner.count(query) if found is None else len(found)

    def _frames(self, query: Query, after: FrameKey, limit: int) -> FramePage:
        frames, key = self._pages.frames(query, after=after, limit=limit)
        return FramePage(frames=tuple(frames), next_cursor=None if key is None else frame_id(key))

    def _frame(self, key: FrameKey) -> SeenFrame:
        frame = self._quick.frame(key)
        if frame is None:
            raise UnknownImage("the store has no such frame. GET /v1/frames lists those that it has")
        return frame

    def _picture(self, frame: SeenFrame) -> Image:
        read = self._pictures.opener(frame)
        if read is None:
            self._pictures = StorePictures(self._looker)  # a run may have told of a source since
            read = self._pictures.opener(frame)
        if read is None:
            raise UnknownImage(f"the picture of this frame is not on the server's machine: {frame.name}")
        return read()

    async def _events(self, after: int, limit: int) -> list[LoggedEvent]:
        return await self._look(lambda: self._quick.events(after=after, limit=limit))

    async def _last_event(self) -> int:
        return await self._look(self._quick.last_event)


class _Kept:
    """Records as they were put, the ones asked for last."""

    def __init__(self, most: int) -> None:
        self._most, self._records, self._lock = most, OrderedDict[str, MaskRecord](), Lock()

    def get(self, record_id: str) -> MaskRecord | None:
        with self._lock:
            if record_id in self._records:
                self._records.move_to_end(record_id)
            return self._records.get(record_id)

    def keep(self, record: MaskRecord) -> None:
        with self._lock:
            self._records[record.id] = record
            if len(self._records) > self._most:
                self._records.popitem(last=False)


def _open_to_write(settings: ServeSettings) -> MaskStore | None:
    """Open the store for writing; None where nothing can be written, so that it can be looked at all the same."""
    assert settings.store is not None
    try:
        return open_store(settings.store)
    except StoreReadOnly:
        return None


__all__ = ["FramePage", "Page", "StoreDesk"]
