"""`Presence`: who looks at which frame. In memory alone; who has not been heard of for a while is gone.

Each page that somebody has open says every few seconds where it is, and is at one frame at a time. Followers of the
event stream are told of frames where somebody came, went, or took another mask in hand. For the event loop's thread.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KEPT_S = 15.0
_MOST_PAGES = 20  # of one person
_MOST_FRAMES = 2_000  # whose changes are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Somebody on a frame, with the mask in hand if there is one."""

    name: str
    record: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    frame: str
    record: str | None
    until: float


class Presence:
    """Pages that are open; `changed` is told that followers have something to hear."""

    def __init__(self, changed: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = time.monotonic):
        self._changed, self._clock = changed, clock
        self._pages: OrderedDict[tuple[str, str], _Seen] = OrderedDict()  # the one heard of last is last
        self._changes: OrderedDict[str, int] = OrderedDict()
        self._number = 0
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def number(self) -> int:
        """How many changes there were."""
        return self._number

    def tell(self, name: str, page: str, frame: str | None, record: str | None = None) -> None:
        """Hear that somebody's page is at a frame, or at none any more."""
        before = self._pages.pop((name, page), None)
        if frame is not None:
            self._pages[name, page] = _Seen(frame=frame, record=record, until=self._clock() + KEPT_S)
            self._bound(name)
            self._sweep_later()
        moved = {one for one in (before.frame if before else None, frame) if one is not None}
        if before is None or (before.frame, before.record) != (frame, record):
            self._note(moved)

    def on(self, frame: str) -> tuple[Present, ...]:
        """List who is on a frame, each person once, by name."""
        self._sweep()
        found: dict[str, str | None] = {}
        for (name, _), seen in self._pages.items():
            if seen.frame == frame:
                found[name] = seen.record or found.get(name)
        return tuple(Present(name=name, record=found[name]) for name in sorted(found))

    def changed_after(self, number: int) -> dict[str, tuple[Present, ...]]:
        """List the frames where something changed after so many changes, with who is there now."""
        self._sweep()
        return {frame: self.on(frame) for frame, at in list(self._changes.items()) if at > number}

    def close(self) -> None:
        """Wait for nobody any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _note(self, frames: set[str]) -> None:
        for frame in frames:
            self._number += 1
            self._changes[frame] = self._number
            self._changes.move_to_end(frame)
        while len(self._changes) > _MOST_FRAMES:
            self._changes.popitem(last=False)
        if frames:
            self._changed()

    def _bound(self, name: str) -> None:
        own = [key for key in self._pages if key[0] == name]
        for key in own[:-_MOST_PAGES]:
            self._note({self._pages.pop(key).frame})

    def _sweep(self) -> None:
        now = self._clock()
        gone = [key for key, seen in self._pages.items() if seen.until <= now]
        self._note({self._pages.pop(key).frame for key in gone})

    def _sweep_later(self) -> None:
        """See to it that a page which falls silent is missed, though nobody asks."""
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEPT_S, self._swept)

    def _swept(self) -> None:
        self._sweeping = None
        self._sweep()
        if self._pages:
            self._sweep_later()


__all__ = ["KEPT_S", "Presence", "Present"]
