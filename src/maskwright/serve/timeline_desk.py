"""`TimelineDesk`: the tracks of recordings over time, read off the event loop."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread

from maskwright.review import PointPlace, Recording, Span, Timeline, spans_of, timeline_of
from maskwright.store.pages import Pages

T = TypeVar("T")
_AT_ONCE = 2


class TimelineDesk:
    """Timelines of one store. Methods are for the event loop."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._readers = pages, anyio.CapacityLimiter(_AT_ONCE)

    async def timeline(self, recording: Recording) -> Timeline:
        """List the tracks of a recording."""
        return await self._read(partial(timeline_of, self._pages, recording))

    async def spans(
        self,
        recording: Recording,
        *,
        tracks: tuple[str, ...] | None,
        first_frame: int | None,
        last_frame: int | None,
        after: PointPlace | None,
        limit: int,
    ) -> tuple[list[Span], PointPlace | None]:
        """Give a page of spans, and the place to go on after."""
        asked = partial(spans_of, self._pages, recording, tracks=tracks, first_frame=first_frame, last_frame=last_frame)
        return await self._read(partial(asked, after=after, limit=limit))

    async def _read(self, function: Callable[[], T]) -> T:
        return await to_thread.run_sync(function, limiter=self._readers)


__all__ = ["TimelineDesk"]
