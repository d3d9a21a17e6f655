"""`Lanes`: threads that do what the scheduler gives them.

On a CPU there is a lane for each core, and each computes on one thread: two clicks at once are faster than one after
the other on two threads. Work that is alone may get all threads, where `Width` finds that it helps, but only on lane 0.
GNU OpenMP stops spinning between parallel regions in the whole process as soon as teams of two threads together have
more threads than there are cores, and a click on two threads then takes longer than on one: 25 ms where it took 14 (two
cores, `tiny`). For the same reason no other thread of a server may compute with torch on several threads; see
`nn.threads.on_one_thread`.

On GPUs there is a lane for each, with its own copy of the models.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

import torch

from maskwright.core.errors import DeadlinePassed, ServeError, ServerStopping
from maskwright.nn.threads import use_threads
from maskwright.serve.engine.pieces import Piece, Seat
from maskwright.serve.engine.scheduler import Scheduler, Taken
from maskwright.serve.engine.width import Width
from maskwright.serve.meter import Meter
from maskwright.serve.values import Priority

_log = logging.getLogger(__name__)

# Does pieces that go together and tells each piece's `content` how it went, but for what is to be told last, which it
# gives back: whoever hears of it and asks for more finds the lane free.
Tell = Callable[[], None]
Labour = Callable[["Lanes", "Lane", Sequence[Piece]], Tell]
# Tells whoever waits for a piece that it failed.
Fail = Callable[[Piece, Exception], None]


@dataclass(slots=True, eq=False, kw_only=True)
class Lane:
    """A worker's place: its device and how many pieces it does together. The thread at it may be replaced."""

    index: int
    device: torch.device
    max_batch: int = 1
    # Threads that torch may use for a piece that is alone; on other lanes than the first always 1.
    max_threads: int = 1
    _num_threads: int = 0
    _wake: SimpleQueue[None] = field(default_factory=SimpleQueue)
    _thread: threading.Thread | None = None

    def use_threads(self, num_threads: int) -> None:
        """Set how many threads torch uses in this thread, where it is not so already."""
        if num_threads != self._num_threads:
            use_threads(num_threads)
            self._num_threads = num_threads


def num_cores() -> int:
    """How many cores this process may use: OMP_NUM_THREADS if it is set, as for torch."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Lanes:
    """Runs lanes over a scheduler. `put` and the like may be called from any thread.

    `may_be_narrow` off gives all threads to whatever is alone, without asking what is faster.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        scheduler: Scheduler,
        *,
        labour: Labour,
        fail: Fail,
        meter: Meter,
        may_be_narrow: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lanes = tuple(lanes)
        self._scheduler = scheduler
        self._labour = labour
        self._fail = fail
        self._meter = meter
        self._may_be_narrow = may_be_narrow
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: set[int] = set()
        self._looking: set[int] = set()  # free, and about to see what there is
        self._doing: dict[int, list[Piece]] = {lane.index: [] for lane in lanes}
        self._is_stopping = False
        self._width = Width()
        self._num_taken = 0
        self._gauges = {priority: meter.queued.labels(priority) for priority in scheduler.num_queued}

    def start(self, prepare: Callable[[Lane], None]) -> None:
        """Start the threads; each calls `prepare` first. Raises what the first one that failed raised."""
        failures: SimpleQueue[BaseException | None] = SimpleQueue()
        for lane in self.lanes:
            if self._is_stopping:
                return
            self._begin(lane, lambda lane=lane: failures.put(_attempt(prepare, lane)))
            # One after the other: on a CPU the first loads what the others share.
            if (failure := failures.get()) is not None:
                self.stop()
                raise failure

    def sit(self, seat: Seat) -> bool:
        """Take a seat, as `Scheduler.sit`."""
        with self._lock:
            return self._scheduler.sit(seat)

    def has(self, seat: Seat) -> bool:
        """Whether somebody sits in a seat."""
        with self._lock:
            return self._scheduler.has(seat)

    def leave(self, seat: Seat) -> None:
        """Give a seat back."""
        with self._lock:
            self._scheduler.leave(seat)

    def put(self, piece: Piece) -> None:
        """Queue a piece and wake the first lane that may do it.

        Raises:
            ServerStopping: the lanes have stopped.
        """
        with self._lock:
            if self._is_stopping:
                raise ServerStopping("the server is stopping. Ask again when it runs")
            self._scheduler.put(piece)
            self._wake_one()
            self._count()

    def promote(self, piece: Piece, *, priority: Priority, client: str) -> Piece:
        """Let a piece be done for somebody more urgent, as `Scheduler.promote`."""
        with self._lock:
            promoted = self._scheduler.promote(piece, priority=priority, client=client)
            self._wake_one()
            return promoted

    def withdraw(self, piece: Piece) -> bool:
        """Nobody wants a piece any more. True where it had not begun; one that runs ends at its next step."""
        piece.ticket.is_cancelled = True
        return self.remove(piece)

    def let_clicks_by(self, lane: Lane, *, for_s: float) -> None:
        """Do the clicks that wait for this lane alone, in the midst of something else, for about so long."""
        until = self._clock() + for_s
        while self._clock() < until:
            with self._lock:
                taken = self._scheduler.take_click(lane.index, limit=lane.max_batch, now=self._clock())
                self._doing[lane.index] += taken.batch
                self._count()
            self._refuse_late(taken)
            if not taken.batch:
                return
            self._do(lane, taken.batch)()

    @contextmanager
    def helped(self, lane: Lane, kind: str, model: str, weight: int) -> Iterator[None]:
        """Give what is done inside the threads that help it, and learn from how long it takes."""
        if lane.max_threads == 1:
            lane.use_threads(1)
            yield
            return
        with self._lock:
            is_alone, number = self._is_quiet(), self._num_taken
        is_wide = is_alone and (not self._may_be_narrow or self._width.is_wide(kind, model))
        lane.use_threads(lane.max_threads if is_wide else 1)
        began = self._clock()
        yield
        if is_alone and number == self._num_taken:
            self._width.learn(kind, model, is_wide=is_wide, seconds=(self._clock() - began) / weight)

    @property
    def num_queued(self) -> dict[Priority, int]:
        """How many pieces wait, by priority."""
        with self._lock:
            return self._scheduler.num_queued

    @property
    def num_running(self) -> int:
        """How many pieces run."""
        return sum(len(pieces) for pieces in self._doing.values())

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._is_stopping

    def remove(self, piece: Piece) -> bool:
        """Take a piece out of the queue; False where it has begun, which it then goes on with."""
        with self._lock:
            is_removed = self._scheduler.remove(piece)
            self._count()
            return is_removed

    def close(self) -> list[Piece]:
        """Take nothing more, and give back what was still queued. What runs ends at its next step."""
        with self._lock:
            self._is_stopping = True
            queued = self._scheduler.clear()
            self._count()
            return queued

    def stop(self, timeout_s: float = 5.0) -> list[Piece]:
        """Let each thread end after what it does, and wait for that a while; give back what was not finished."""
        self.close()
        for lane in self.lanes:
            lane._wake.put(None)
        until = time.monotonic() + timeout_s
        for lane in self.lanes:
            if lane._thread is not None and lane._thread is not threading.current_thread():
                lane._thread.join(max(0.0, until - time.monotonic()))
        return [piece for pieces in self._doing.values() for piece in pieces]

    def _begin(self, lane: Lane, prepare: Callable[[], None] | None) -> None:
        lane._num_threads = 0
        lane._thread = threading.Thread(target=self._live, args=(lane, prepare), name=f"lane-{lane.index}", daemon=True)
        lane._thread.start()

    def _live(self, lane: Lane, prepare: Callable[[], None] | None) -> None:
        """What a thread does from beginning to end; one that dies is replaced."""
        lane.use_threads(1)
        if prepare is not None:
            prepare()
        try:
            while (taken := self._next(lane)) is not None:
                self._refuse_late(taken)
                if taken.batch:
                    tell = self._do(lane, taken.batch)
                    self._rest(lane)
                    tell()
        except BaseException as death:
            _log.critical("lane %d died and is replaced", lane.index, exc_info=death)
            self._bury(lane, death)

    def _next(self, lane: Lane) -> Taken | None:
        """What is next, or wait for it; None when all is over."""
        while True:
            with self._lock:
                self._looking.discard(lane.index)
                if self._is_stopping:
                    return None
                taken = self._scheduler.take(lane.index, limit=lane.max_batch, now=self._clock())
                self._doing[lane.index] += taken.batch
                self._wake_one()  # if there is more, or what only another lane may do
                if taken.batch or taken.expired:
                    self._num_taken += 1
                    self._count()
                else:
                    self._idle.add(lane.index)
            if taken.batch or taken.expired:
                return taken
            lane._wake.get()
            with self._lock:
                self._idle.discard(lane.index)

    def _rest(self, lane: Lane) -> None:
        with self._lock:
            self._scheduler.finish(lane.index)
            self._looking.add(lane.index)

    def _do(self, lane: Lane, batch: Sequence[Piece]) -> Tell:
        began = self._clock()
        try:
            return self._labour(self, lane, batch)
        except Exception as error:
            _log.exception("a lane failed at something unforeseen")
            for piece in batch:
                self._fail(piece, error)
            return _nothing_to_tell
        except BaseException as death:
            for piece in batch:
                self._fail(piece, died(death))
            raise
        finally:
            with self._lock:
                for piece in batch:
                    if piece in self._doing[lane.index]:
                        self._doing[lane.index].remove(piece)
                self._scheduler.measured(batch[0].kind, seconds_a_piece=(self._clock() - began) / len(batch))

    def _bury(self, lane: Lane, death: BaseException) -> None:
        """Put a new thread in the place of a dead one, whose pieces have failed."""
        self._rest(lane)
        if not self._is_stopping:
            self._begin(lane, None)

    def _refuse_late(self, taken: Taken) -> None:
        for piece in taken.expired:
            self._meter.refused.labels("deadline").inc()
            self._fail(piece, too_late())

    def _is_quiet(self) -> bool:
        return self._scheduler.num_running <= 1 and not any(self._scheduler.num_queued.values())

    def _wake_one(self) -> None:
        """Wake the first free lane that there is work for, unless it is awake."""
        for index in sorted(self._idle | self._looking):
            if self._scheduler.has_work_for(index):
                if index in self._idle:
                    self._idle.discard(index)
                    self.lanes[index]._wake.put(None)
                return

    def _count(self) -> None:
        for priority, number in self._scheduler.num_queued.items():
            self._gauges[priority].set(number)


def _nothing_to_tell() -> None:
    """Everybody knows already."""


def too_late() -> DeadlinePassed:
    """What somebody is told whose deadline passed."""
    return DeadlinePassed("the deadline passed before it was done. Allow more time, or ask for less at once")


def died(death: BaseException) -> ServeError:
    """What somebody is told whose worker died."""
    return ServeError(f"the worker that computed this died ({type(death).__name__}). Ask again")


def _attempt(prepare: Callable[[Lane], None], lane: Lane) -> BaseException | None:
    try:
        prepare(lane)
    except BaseException as error:
        return error
    return None


__all__ = ["Fail", "Labour", "Lane", "Lanes", "died", "num_cores", "too_late"]
