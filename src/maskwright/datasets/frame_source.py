"""`FrameSource`: where frames come from: a robot data set, a video, a folder of pictures, a log.

A source knows its episodes before it decodes anything, and decodes one frame at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from maskwright.core.image import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One recording. `num_frames` counts those of each camera; `fps` is the native rate, None for loose pictures."""

    key: str
    cameras: tuple[str, ...]
    num_frames: int
    fps: float | None = None
    task: str | None = None


class FrameSource(Protocol):
    """Something that frames are read from. `name` becomes `FrameRef.dataset`; `robot` is the robot's type if known."""

    name: str
    robot: str | None
    episodes: Sequence[Episode]

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Decode frames `start`, `start + stride`, ... below `stop`, in order; indices are those of the native rate.

        Raises:
            ImageError, InputError: a frame cannot be decoded; the message names file and frame. What came before it
                has been given.
        """
        ...


__all__ = ["Episode", "FrameSource"]
