"""`Feed`: review events as they become durable, to any number of followers, each at its own pace.

A follower holds a position in the log and reads from there, so a slow one costs no memory and misses nothing. Writes of
this process wake followers at once; those of other processes are looked for every second. A write without events, such
as new masks, gives followers an empty list: there is something to look for beside the log.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from maskwright.core.errors import StoreError, TooManyRequests
from maskwright.store.together import LoggedEvent

PAGE = 200
LOOK_S = 1.0
HEARTBEAT_S = 15.0
MOST_FOLLOWERS = 256

Read = Callable[[int, int], Awaitable[list[LoggedEvent]]]


class Feed:
    """The log of one store, followed. `read` gives so many events after a position, `moment` the newest write."""

    def __init__(self, read: Read, last: Callable[[], Awaitable[int]], moment: Callable[[], Awaitable[int]]) -> None:
        self._read, self._last, self._moment = read, last, moment
        self._num_followers = 0
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False
        self._num_nudges = 0

    @property
    def num_followers(self) -> int:
        """How many follow."""
        return self._num_followers

    def wake(self) -> None:
        """Tell followers that there may be something new; from any thread."""
        loop = self._loop
        if loop is not None and self._num_followers:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell)

    def nudge(self) -> None:
        """Give followers an empty list at once, since there is something to tell beside the log; on the loop."""
        self._num_nudges += 1
        self._tell()

    def close(self) -> None:
        """End every follower, once it has been given what there is; from the loop's thread."""
        self._is_closed = True
        self._tell()

    async def last(self) -> int:
        """The position of the newest event."""
        return await self._last()

    async def follow(
        self, after: int | None = None, *, heartbeat_s: float = HEARTBEAT_S
    ) -> AsyncIterator[list[LoggedEvent]]:
        """Give events after a position, or from now on, as they come; an empty list says that all is well.

        Raises:
            TooManyRequests: too many follow already.
        """
        if self._num_followers >= MOST_FOLLOWERS:
            raise TooManyRequests(f"{MOST_FOLLOWERS} clients follow the log already. Come back later", 30.0)
        self._loop = asyncio.get_running_loop()
        self._num_followers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            position = await self._last() if after is None else after
            num_nudges = self._num_nudges
            moment = await self._moment()
            yield []
            while True:
                changed, known = self._changed, moment
                moment = await self._moment()
                events = await self._read(position, PAGE)
                if events:
                    moment = max(moment, events[-1].moment)
                    position = events[-1].position
                    yield events
                elif self._is_closed:
                    return
                elif self._num_nudges != num_nudges or moment != known:
                    num_nudges = self._num_nudges
                    yield []
                else:
                    try:
                        await asyncio.wait_for(changed.wait(), heartbeat_s)
                    except TimeoutError:
                        yield []
        finally:
            self._num_followers -= 1

    def _tell(self) -> None:
        before, self._changed = self._changed, asyncio.Event()
        before.set()

    async def _look(self) -> None:
        """Look for what other processes wrote, as long as anybody follows."""
        known = await self._moment()
        while self._num_followers and not self._is_closed:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(StoreError):  # followers hear of it when they read
                moment = await self._moment()
                if moment != known:
                    known = moment
                    self._tell()


__all__ = ["HEARTBEAT_S", "LOOK_S", "MOST_FOLLOWERS", "PAGE", "Feed"]
