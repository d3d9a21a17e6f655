"""`TrackSession`: one tracker, the frames that wait for it, and the results that may still be fetched.

Frames are taken one after the other, in the order in which they came. A frame that cannot be used is answered with why,
in its turn, and the tracks go on with the next one; only what leaves the tracker in doubt ends the session. What waits
and what is kept is bounded: a client that sends faster than its frames are followed is made to wait, and results that
nobody fetches make room for later ones.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from maskwright.core.errors import Cancelled, MaskwrightError, ServerStopping, TooLarge, TooManyRequests
from maskwright.predict.tracking import TrackedFrame
from maskwright.serve.engine_protocol import Engine
from maskwright.serve.meter import Meter
from maskwright.serve.session_tracker import HalfTaken, SessionTracker, check_in_time
from maskwright.serve.track_kept import KeptResults
from maskwright.serve.track_pictures import decoded
from maskwright.serve.track_values import LostResults, ShownFrame, TrackInfo, TrackLimits, TrackOptions, TrackResult
from maskwright.serve.values import Work

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    index: int
    shown: ShownFrame
    answer: asyncio.Future[TrackResult]


class TrackSession:
    """A client's stream. `TrackSessions` opens and ends it; everything here runs on one event loop."""

    def __init__(
        self,
        session_id: str,
        owner: str,
        options: TrackOptions,
        *,
        limits: TrackLimits,
        engine: Engine,
        meter: Meter,
        decoders: anyio.CapacityLimiter | None = None,
    ) -> None:
        self.id, self.owner, self.options, self.limits = session_id, owner, options, limits
        self._settings = options.tracker_settings()
        self._engine, self._meter, self._decoders = engine, meter, decoders
        self._changed = asyncio.Condition()
        self._at_work = asyncio.Lock()  # whoever holds it may touch the tracker
        self._tracker = self._new_tracker()
        self._waiting: deque[_Waiting] = deque()
        self._kept = KeptResults(limits.most_kept, limits.most_kept_bytes)
        self._num_waiting_bytes = self._num_shown = self._num_skipped = 0
        self._last_one: MaskwrightError | None = None  # why no frame comes any more
        self._last_sign = time.monotonic()
        self.ended: MaskwrightError | None = None
        self._task: asyncio.Task[None] | None = None
        self._on_end: Callable[[TrackSession], None] | None = None

    def start(self, on_end: Callable[["TrackSession"], None]) -> None:
        """Begin to follow; `on_end` is called once, when the session is over."""
        self._on_end = on_end
        self._task = asyncio.create_task(self._follow_all(), name=f"track {self.id}")
        self._task.add_done_callback(lambda _: self._let_go())  # also where it was cancelled before it began

    async def push(self, shown: ShownFrame, *, wait: bool) -> "asyncio.Future[TrackResult]":
        """Show the next frame, and get what will be its result; `wait` until there is room for it.

        Raises:
            TooManyRequests: too many frames wait, and `wait` is off.
            TooLarge: the session has had as many frames as it may have.
            UnknownJob, Cancelled, ServerStopping: the session is over.
        """
        self.refuse_if_over()
        async with self._changed:
            if not wait and not self._has_room(shown):
                raise TooManyRequests(
                    f"{len(self._waiting)} frames of the track session wait; read their results first"
                )
            await self._changed.wait_for(lambda: self.ended is not None or self._has_room(shown))
            self.refuse_if_over()
            if self._num_shown >= self.limits.most_frames:
                raise TooLarge(f"a track session takes {self.limits.most_frames:,} frames; open another one")
            waiting = _Waiting(self._num_shown, shown, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            self._num_shown += 1
            self._num_waiting_bytes += shown.num_bytes
            self._last_sign = time.monotonic()
            self._changed.notify_all()
        return waiting.answer

    async def result_behind(self, frame: int) -> TrackResult | LostResults | None:
        """Wait for the result that follows a frame's, from -1; None when the session is over and has none."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._kept.behind(frame) is not None or self.ended is not None)
        return self._kept.behind(frame)

    async def forget(self, track: str) -> None:
        """End a track at once; frames that wait are followed without it.

        Raises:
            UnknownJob: there is no such track.
        """
        self.refuse_if_over()
        async with self._at_work:
            self._tracker.forget(track)
        self._last_sign = time.monotonic()

    async def finish(self, why: MaskwrightError) -> None:
        """Take no more frames, follow those that wait, and end."""
        async with self._changed:
            self._last_one = self._last_one or why
            self._changed.notify_all()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def close(self, why: MaskwrightError) -> None:
        """End now; frames that wait are answered with `why`."""
        if self.ended is None:
            self.ended = why
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def wait_until_over(self) -> None:
        """Wait for the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ended is not None)

    def refuse_if_over(self) -> None:
        """Say that it is over, if it is.

        Raises:
            Cancelled, ServerStopping: it is, and this is why.
        """
        why = self.ended or self._last_one
        if why is not None:
            raise type(why)(*why.args)  # a new one, since each gathers the frames that it passes

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, as of the last frame that was followed."""
        return self._tracker.tracks

    @property
    def is_idle(self) -> bool:
        """Whether every frame that was shown has its result."""
        return self._kept.num_added == self._num_shown

    def info(self) -> TrackInfo:
        """Tell what it is at."""
        left_s = self.limits.idle_s - (time.monotonic() - self._last_sign) if self.is_idle else self.limits.idle_s
        return TrackInfo(
            id=self.id,
            options=self.options,
            tracks=self.tracks,
            num_shown=self._num_shown,
            num_answered=self._kept.num_added,
            num_skipped=self._num_skipped,
            first_kept=self._kept.first,
            idle_s=self.limits.idle_s,
            ends_in_s=max(0.0, left_s),
        )

    def _has_room(self, shown: ShownFrame) -> bool:
        limits = self.limits
        return not self._waiting or (
            len(self._waiting) < limits.most_waiting
            and self._num_waiting_bytes + shown.num_bytes <= limits.most_waiting_bytes
        )

    async def _follow_all(self) -> None:
        try:
            while (waiting := await self._next()) is not None:
                await self._publish(waiting, await self._answer(waiting))
            self.ended = self.ended or self._last_one
        except asyncio.CancelledError:
            self.ended = self.ended or Cancelled("the track session was closed")
        except MaskwrightError as error:
            self.ended = self.ended or error
        except Exception as error:
            _log.exception("track session %s broke at frame %d", self.id, self._kept.num_added)
            self.ended = _broken(error)
        finally:
            self._let_go()
            async with self._changed:
                self._changed.notify_all()

    async def _next(self) -> _Waiting | None:
        """The next frame, None when there is none any more."""
        async with self._changed:
            while not self._waiting and self._last_one is None:
                left_s = self._last_sign + self.limits.idle_s - time.monotonic()
                if left_s <= 0:
                    raise Cancelled(f"the track session ended: no frame came for {self.limits.idle_s:g} seconds")
                try:
                    async with asyncio.timeout(left_s):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            return self._waiting[0] if self._waiting else None

    async def _answer(self, waiting: _Waiting) -> TrackResult:
        try:
            tracked = await self._follow(waiting.shown)
        except ServerStopping:
            raise
        except HalfTaken as error:
            raise Cancelled(str(error)) from error
        except MaskwrightError as error:
            return TrackResult(index=waiting.index, error=error)
        return TrackResult(index=waiting.index, tracked=replace(tracked, index=waiting.index))

    async def _follow(self, shown: ShownFrame) -> TrackedFrame:
        deadline = shown.deadline or time.monotonic() + self.limits.deadline_s
        check_in_time(deadline)
        image = await decoded(shown.picture, self.limits.most_pixels, self._decoders)
        tracker = self._tracker
        # The engine is told no deadline: it would hold within a step too, of which a tracker had taken half.
        work = Work(client=self.owner, priority="bulk", model=self.options.model)
        async with self._at_work:
            while True:
                try:
                    return await self._engine.run(lambda model: tracker.step(model, image, shown, deadline), work)
                except TooManyRequests as error:
                    # The queue of the session is the client's; that of the engine fills by others' doing.
                    if time.monotonic() + error.retry_after_s > deadline:
                        raise
                    await asyncio.sleep(error.retry_after_s)

    def _new_tracker(self) -> SessionTracker:
        return SessionTracker(self._settings, self.limits.most_tracks, self._meter)

    async def _publish(self, waiting: _Waiting, result: TrackResult) -> None:
        async with self._changed:
            self._waiting.popleft()
            self._num_waiting_bytes -= waiting.shown.num_bytes
            self._num_skipped += result.tracked is None
            self._kept.add(result)
            self._last_sign = time.monotonic()
            self._changed.notify_all()
        if not waiting.answer.done():  # whoever waited for it may have gone
            waiting.answer.set_result(result)

    def _let_go(self) -> None:
        """Answer what waits, and free what is large."""
        for waiting in self._waiting:
            if not waiting.answer.done():
                waiting.answer.set_result(TrackResult(index=waiting.index, error=self.ended))
        self._waiting.clear()
        self._num_waiting_bytes = 0
        self._tracker = self._new_tracker()
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)


def _broken(error: Exception) -> MaskwrightError:
    return Cancelled(f"the track session broke ({type(error).__name__}) and was ended; open another one")


__all__ = ["TrackSession"]
