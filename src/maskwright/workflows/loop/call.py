"""`Call`: one call of a loop: its files, what was asked, and what the call brings along."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from maskwright.review.engine import Bar, EngineSettings
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.rounds import Round
from maskwright.workflows.loop.settings import LoopSettings

Told = Callable[[str, int, int | None], None]


def _silent(what: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def _mute(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a call brings along: who is told, on what device, and what time it is.

    `says` gets a sentence for each step, `told` how far one is. `trains_now`: what is left of the queue is not waited
    for.
    """

    clock: Callable[[], datetime]
    device: str = "cpu"
    trains_now: bool = False
    command: str | None = None
    told: Told = field(default=_silent)
    says: Callable[[str], None] = field(default=_mute)


@dataclass(frozen=True, slots=True)
class Call:
    """What every step gets. A step takes a round and writes the round that it becomes."""

    book: Book
    settings: LoopSettings
    around: Surroundings

    @property
    def path(self) -> Path:
        """The store's."""
        return self.book.store

    def engine(self, one: Round) -> EngineSettings:
        """The rule of a round, as it is written down."""
        bar = Bar(
            predicted_iou=one.bar_predicted_iou or 0.0,
            stability=one.bar_stability or 0.0,
            track_confidence=one.bar_track or 0.0,
        )
        return replace(self.settings, mode=one.mode).engine(bar, one.audit_share)

    def says(self, one: Round, text: str) -> None:
        """Say a sentence about a round."""
        self.around.says(f"round {one.number}: {text}")


@contextmanager
def timed() -> Iterator[list[float]]:
    """Give a place in which the seconds stand afterwards."""
    took, began = [0.0], time.perf_counter()
    try:
        yield took
    finally:
        took[0] = round(time.perf_counter() - began, 3)


__all__ = ["Call", "Surroundings", "Told", "timed"]
