"""`StoreWriter`: the one thread that writes. What waits while the disk syncs is written together, as one write.

Nobody is told that something was saved before it is on the disk. A request whose client has gone before its turn is not
written. What the disk refuses, all that were in the write are told, and the next write is tried as if nothing had been.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any

from maskwright.core.errors import MaskwrightError, ServerStopping, StoreReadOnly, TooManyRequests
from maskwright.serve.meter import Meter
from maskwright.serve.store_edits import Edited, Edits
from maskwright.serve.store_saves import Saved, Saves
from maskwright.store import MaskStore

MOST_WAITING = 2_000
MOST_TOGETHER = 256
_log = logging.getLogger(__name__)


class StoreWriter:
    """Writes to a store that nobody else in this process writes to. `written` is called after each write."""

    def __init__(self, store: MaskStore | None, *, written: Callable[[], None], meter: Meter | None = None) -> None:
        self._store, self._written, self._meter = store, written, meter
        self._waiting: deque[tuple[Edits | Saves, Future[Any]]] = deque()
        self._condition = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="maskwright-writer", daemon=True)
        if store is not None:
            self._thread.start()

    async def edit(self, edits: Edits) -> Edited:
        """Add review events; they are on the disk when this returns.

        Raises:
            EditConflict, KeyReused, UnknownRecord, RecordError: the store is such that they cannot be.
            StoreError: the disk refused.
            TooManyRequests: too many wait already.
        """
        return await self._submit(edits)

    async def save(self, saves: Saves) -> Saved:
        """Put records; they are on the disk when this returns.

        Raises:
            DuplicateRecord, KeyReused: an id or a key is taken.
            StoreError: the disk refused.
            TooManyRequests: too many wait already.
        """
        return await self._submit(saves)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join()

    async def _submit(self, work: Edits | Saves) -> Any:
        if self._store is None:
            raise StoreReadOnly("the server may only read its store: it lies where nothing can be written")
        future: Future[Any] = Future()
        with self._condition:
            if self._is_closed:
                raise ServerStopping("the server is stopping and takes no more edits. Send it to the next one")
            if len(self._waiting) >= MOST_WAITING:
                if self._meter is not None:
                    self._meter.refused.labels("store").inc()
                raise TooManyRequests(f"{MOST_WAITING} edits wait for the disk already. Come back in a second")
            self._waiting.append((work, future))
            self._condition.notify()
        with nullcontext() if self._meter is None else self._meter.traced("store"):
            return await asyncio.wrap_future(future)

    def _run(self) -> None:
        while batch := self._next():
            with nullcontext() if self._meter is None else self._meter.timed("store"):
                try:
                    self._write(batch)
                except Exception as error:  # ours to find; whoever waits must not wait for ever
                    _log.exception("a write failed")
                    _tell(batch, error)
            self._written()

    def _next(self) -> list[tuple[Edits | Saves, Future[Any]]]:
        with self._condition:
            while not self._waiting and not self._is_closed:
                self._condition.wait()
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
        alive = [one for one in taken if one[1].set_running_or_notify_cancel()]
        return alive or ([] if not taken else self._next())

    def _write(self, batch: Sequence[tuple[Edits | Saves, Future[Any]]]) -> None:
        saves = [(work, future) for work, future in batch if isinstance(work, Saves)]
        edits = [(work, future) for work, future in batch if isinstance(work, Edits)]
        if saves:
            self._put(saves)
        if edits:
            self._append(edits)

    def _append(self, edits: Sequence[tuple[Edits, Future[Any]]]) -> None:
        assert self._store is not None
        try:
            refusals = self._store.append_each([work for work, _ in edits])
        except MaskwrightError as error:
            _tell(edits, error)
            return
        for (work, future), refusal in zip(edits, refusals, strict=True):
            if refusal is not None:
                future.set_exception(refusal)
            else:
                future.set_result(work.answer)

    def _put(self, saves: Sequence[tuple[Saves, Future[Any]]]) -> None:
        """Put the records of all as one write; where that does not go, each alone, so that each hears of its own."""
        new: list[tuple[Saves, Future[Any]]] = []
        for work, future in saves:
            if not self._answered_again(work, future):
                new.append((work, future))
        ids = [record.id for work, _ in new for record in work.records]
        if len(new) > 1 and len(set(ids)) == len(ids) and self._put_together(new):
            return
        for work, future in new:
            if len(new) == 1 or not self._answered_again(work, future):  # its twin may have been before it
                self._put_together([(work, future)], is_last_try=True)

    def _answered_again(self, work: Saves, future: Future[Any]) -> bool:
        assert self._store is not None
        try:
            known = work.known(self._store)
        except MaskwrightError as error:
            future.set_exception(error)
            return True
        if known is not None:
            future.set_result(known)
        return known is not None

    def _put_together(self, saves: Sequence[tuple[Saves, Future[Any]]], *, is_last_try: bool = False) -> bool:
        assert self._store is not None
        try:
            moment = self._store.put(record for work, _ in saves for record in work.records)
        except MaskwrightError as error:
            if is_last_try:
                _tell(saves, error)
            return False
        for work, future in saves:
            future.set_result(work.saved(moment))
        return True


def _tell(batch: Sequence[tuple[Any, Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


__all__ = ["MOST_TOGETHER", "MOST_WAITING", "StoreWriter"]
