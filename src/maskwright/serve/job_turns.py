"""Long work over a model, a turn at a time: each frame is a piece of bulk work of its own in the engine.

So a job that takes hours shares the engine with every other client frame by frame, and can be stopped between any two.
A job runs in a thread; here it asks the event loop for its turns.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from maskwright.core import Image, Prompt
from maskwright.core.errors import Cancelled, TooManyRequests
from maskwright.models import Model
from maskwright.predict.tracking import TrackedFrame, Tracker, TrackSettings, make_tracker
from maskwright.serve.engine_protocol import Engine
from maskwright.serve.lent_model import LentModel
from maskwright.serve.values import Work
from maskwright.workflows.annotate_plan import Footage, Stretch
from maskwright.workflows.annotate_recipe import Recipe
from maskwright.workflows.channel import ahead
from maskwright.workflows.stages import DecodedFrame, MaskedFrame, SkippedFrames, clean_masks, decode_frames, find_masks

T = TypeVar("T")

_DECODED_AHEAD = 4
_LONGEST_WAIT_S = 5.0


class Turns:
    """Runs functions over the engine's model from a job's thread. `stop` ends the job before its next turn."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, work: Work) -> None:
        self._engine, self._loop = engine, loop
        self._work = replace(work, priority="bulk", deadline=None)
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        """Have the job end; from any thread."""
        self._is_stopped.set()

    def check(self) -> None:
        """Go on only if nobody has stopped the job.

        Raises:
            Cancelled: somebody has.
        """
        if self._is_stopped.is_set():
            raise Cancelled("the job was cancelled")

    def run(self, function: Callable[[Model], T]) -> T:
        """Run a function over the model when it is its turn. Where the queue is full, wait for room.

        Raises:
            Cancelled: the job was stopped.
            ServerStopping: the server is about to end.
        """
        while True:
            self.check()
            try:
                return asyncio.run_coroutine_threadsafe(self._engine.run(function, self._work), self._loop).result()
            except TooManyRequests as error:
                time.sleep(min(error.retry_after_s, _LONGEST_WAIT_S))


class InTurns:
    """Runs the stages of `annotate`: decoding in a thread beside, the network in turns. One of its engines."""

    name = "server"

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __call__(
        self, footage: Footage, stretches: Sequence[Stretch], recipe: Recipe, origin: str
    ) -> Generator[MaskedFrame | SkippedFrames, None, None]:
        """Run them; closing the iterator stops them."""
        with closing(ahead(decode_frames(footage, stretches), size=_DECODED_AHEAD, name="decode")) as decoded:
            for item in decoded:
                if isinstance(item, SkippedFrames):
                    yield item
                    continue

                def find(model: Model, item: DecodedFrame = item) -> list[MaskedFrame | SkippedFrames]:
                    return list(find_masks(model, [item], recipe, batch_size=1, origin=origin))

                for found in self._turns.run(find):
                    yield clean_masks(found, recipe) if isinstance(found, MaskedFrame) else found


class TrackerInTurns:
    """A `Tracker` whose every step is a turn."""

    def __init__(self, turns: Turns, model: Model, settings: TrackSettings) -> None:
        self._turns = turns
        self._lent = LentModel(model)
        self._tracker: Tracker = make_tracker(self._lent, settings)

    @property
    def tracks(self) -> tuple[str, ...]:
        """See `Tracker`."""
        return self._tracker.tracks

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        """See `Tracker`."""

        def step(model: Model) -> TrackedFrame:
            self._lent.lend(model)
            return self._tracker.step(image, prompts)

        return self._turns.run(step)

    def forget(self, track: str) -> None:
        """See `Tracker`."""
        self._tracker.forget(track)


__all__ = ["InTurns", "TrackerInTurns", "Turns"]
