"""What a Perceiver asks of its model, and who answers: at once, some frames later, or in a thread.

A worker has one question at a time. It is never waited for: `submit` hands over, `collect` gives an answer that is
there. The worker that runs the model in a process of its own is in `perceiver_process`.
"""

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from maskwright.core import RLE, Prompt
from maskwright.core.track import TrackState
from maskwright.predict.tracking.motion import Motion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """A keyframe: where are the objects of this camera on this picture?

    `session` changes when all that was known of a camera's motion no longer holds; then the worker begins anew, from
    `prompts`. `motion` leads from the last keyframe of the session to this one, None for the first. `forget` are
    objects that are no longer looked for. `model_side` is the side of the frame to look at, one of the worker's
    `sides`; None leaves it as it is.
    """

    camera: str
    session: int
    number: int
    pixels: UInt8[np.ndarray, "H W 3"]
    motion: Motion | None = None
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    forget: tuple[str, ...] = ()
    model_side: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An object on a keyframe; `rle` is empty where the model does not find it."""

    name: str
    rle: RLE
    state: TrackState
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to the question of that camera, session and number. `failed` says why prompts drew nothing."""

    camera: str
    session: int
    number: int
    sightings: tuple[Sighting, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    took_ms: float = 0.0


class Asked(Protocol):
    """What answers questions; `perceiver_looker.Looker` over a model."""

    def look(self, question: Question) -> Reply:
        """Answer, however long it takes."""
        ...


class Worker(Protocol):
    """Answers one question at a time, beside the caller.

    `trouble` is "" while all is well, "starting" until the model is there, and else why it is gone. `sides` are those
    of the model's frame that may be asked for, from the finest; none where it has one.
    """

    @property
    def is_free(self) -> bool:
        """Whether a question may be submitted."""
        ...

    @property
    def sides(self) -> tuple[int, ...]:
        """See the class."""
        ...

    @property
    def trouble(self) -> str:
        """See the class."""
        ...

    def submit(self, question: Question) -> None:
        """Hand a question over. Pixels and motion are copied before this returns."""
        ...

    def collect(self) -> Reply | None:
        """Take the answer if there is one; never waits."""
        ...

    def restart(self) -> None:
        """Begin again after trouble, knowing nothing."""
        ...

    def close(self) -> None:
        """Stop, and let go of everything."""
        ...


class LaggedWorker:
    """Answers the `lag`-th time that it is asked for an answer: the same on every machine, for tests and replays."""

    def __init__(self, asked: Asked, *, lag: int = 1, sides: tuple[int, ...] = ()) -> None:
        self._asked, self._lag, self.sides = asked, lag, sides
        self._reply: Reply | None = None
        self._left = 0
        self.trouble = ""

    @property
    def is_free(self) -> bool:
        """See `Worker`."""
        return self._reply is None and not self.trouble

    def submit(self, question: Question) -> None:
        """See `Worker`."""
        self._reply, self._left = self._asked.look(question), self._lag

    def collect(self) -> Reply | None:
        """See `Worker`."""
        self._left -= 1
        if self._reply is None or self._left > 0:
            return None
        reply, self._reply = self._reply, None
        return reply

    def restart(self) -> None:
        """See `Worker`."""
        self._reply, self.trouble = None, ""

    def close(self) -> None:
        """See `Worker`."""
        self._reply = None


class ThreadWorker:
    """Answers in a thread of this process, for models that are loaded here already.

    The thread and `step` share Python's lock, so steps are longer and less even than beside a process.
    """

    trouble = ""
    sides: tuple[int, ...] = ()

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Reply | Exception] = queue.SimpleQueue()
        self._is_busy = False
        self._start()

    @property
    def is_free(self) -> bool:
        """See `Worker`."""
        return not self._is_busy and not self.trouble

    def submit(self, question: Question) -> None:
        """See `Worker`."""
        self._is_busy = True
        self._questions.put(replace(question, pixels=question.pixels.copy()))  # motions are never written to

    def collect(self) -> Reply | None:
        """See `Worker`."""
        try:
            reply = self._replies.get_nowait()
        except queue.Empty:
            return None
        self._is_busy = False
        if isinstance(reply, Exception):
            self.trouble = f"{type(reply).__name__}: {reply}"
            return None
        return reply

    def restart(self) -> None:
        """See `Worker`."""
        if self.trouble:
            self.trouble = ""
            self._start()

    def close(self) -> None:
        """See `Worker`."""
        self._questions.put(None)
        self._thread.join(timeout=10)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="maskwright-perceiver", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                self._replies.put(self._asked.look(question))
            except Exception as error:  # a model may fail in any way, and `step` must go on
                self._replies.put(error)
                return


__all__ = [
    "Asked",
    "LaggedWorker",
    "Question",
    "Reply",
    "Sighting",
    "ThreadWorker",
    "Worker",
]
