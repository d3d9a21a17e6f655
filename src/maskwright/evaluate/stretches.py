"""The worst stretch of a video: the frames in a row on which the objects were followed worst, kept to be looked at.

Masks are kept as run lengths and frames by their numbers; pictures are read again when the report is drawn.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum

from maskwright.core import RLE

NUM_FRAMES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchFrame:
    """One frame: the true masks by object, the answers by track, and the mean J of the objects."""

    index: int
    truth: Mapping[str, RLE]
    answers: Mapping[str, RLE]
    mean_j: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Scored frames in a row."""

    frames: tuple[StretchFrame, ...]

    @property
    def mean_j(self) -> float:
        """The mean J over its frames."""
        return fsum(frame.mean_j for frame in self.frames) / len(self.frames)


@dataclass(slots=True)
class StretchBook:
    """Keeps the worst twelve frames in a row of those it is told, the earlier of equals; fewer of a shorter video."""

    _last: deque[StretchFrame] = field(default_factory=lambda: deque(maxlen=NUM_FRAMES))
    _worst: Stretch | None = None

    def add(self, frame: StretchFrame) -> None:
        """Take the next frame."""
        self._last.append(frame)
        found = Stretch(frames=tuple(self._last))
        is_longer = self._worst is None or len(found.frames) > len(self._worst.frames)
        if is_longer or (self._worst is not None and found.mean_j < self._worst.mean_j):
            self._worst = found

    @property
    def worst(self) -> Stretch | None:
        """The worst so far; None of no frames."""
        return self._worst


__all__ = ["NUM_FRAMES", "Stretch", "StretchBook", "StretchFrame"]
