"""From lanes back to the event loop: `Answer` is the far end of an `await`, and may be told from any thread."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from maskwright.core import Image, MaskRecord
from maskwright.models import Model
from maskwright.predict import ImageEmbedding
from maskwright.serve.engine.pieces import Piece
from maskwright.serve.request_context import RequestContext, current_request
from maskwright.serve.values import Segment

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Answer(Generic[T]):
    """What somebody awaits. The first word counts; later ones, and those after the loop has gone, are not heard."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[T]
    asked_at: float = field(default_factory=time.perf_counter)
    # On whose behalf, for what the lanes log and measure.
    request: RequestContext | None = field(default_factory=current_request)

    @classmethod
    def here(cls) -> "Answer[T]":
        """An answer that the running event loop waits for."""
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future())

    def give(self, value: T) -> None:
        """Hand the result over."""
        self._tell(lambda: self.future.set_result(value))

    def fail(self, error: Exception) -> None:
        """Hand an error over."""
        if isinstance(error, StopIteration):  # which a future does not take
            error = RuntimeError(f"StopIteration: {error}")
        self._tell(lambda: self.future.set_exception(error))

    def _tell(self, settle: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(lambda: None if self.future.done() else settle())


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """What an `encode` piece holds. `keep` is called where it was made, whether or not somebody still waits."""

    image: Image
    answer: Answer[ImageEmbedding]
    keep: Callable[[ImageEmbedding], None]


@dataclass(frozen=True, slots=True, eq=False)
class Segmenting:
    """What a `segment` piece holds."""

    embedding: ImageEmbedding
    segment: Segment
    answer: Answer[list[MaskRecord]]


@dataclass(frozen=True, slots=True, eq=False)
class Calling(Generic[T]):
    """What a `call` piece holds. `stage` is what its time is counted as, if at all."""

    function: Callable[[Model], T]
    answer: Answer[T]
    stage: str | None = None


def fail_piece(piece: Piece, error: Exception) -> None:
    """Tell whoever waits for a piece that it failed."""
    content = piece.content
    assert isinstance(content, Encoding | Segmenting | Calling)
    content.answer.fail(error)


__all__ = ["Answer", "Calling", "Encoding", "Segmenting", "fail_piece"]
