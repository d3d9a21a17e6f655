"""`FrameOpener`: pixels of single frames of a source, cheap where they are asked for in order.

A frame of a video is built on those before it, so a decoder that has just given the one before is kept.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial

from maskwright.core.errors import ImageError
from maskwright.core.image import Frame, Image
from maskwright.datasets.frame_source import Episode, FrameSource

_NEAR = 32  # frames ahead that are cheaper to play over than to seek


class FrameOpener:
    """Opens frames of one camera of one episode by number."""

    def __init__(self, source: FrameSource, episode: Episode, camera: str) -> None:
        self._source, self._episode, self._camera = source, episode, camera
        self._playing: Iterator[Frame] = iter(())
        self._next: int | None = None  # the number that the playing source gives next
        self._lock = threading.Lock()

    def opener(self, number: int) -> Callable[[], Image]:
        """Give what `LabelledFrame.open_image` wants."""
        return partial(self.read, number)

    def read(self, number: int) -> Image:
        """Decode one frame.

        Raises:
            ImageError, InputError: it cannot be decoded.
        """
        with self._lock:
            if self._next is None or not 0 <= number - self._next < _NEAR:
                self._playing = self._source.frames(self._episode, self._camera, start=number)
            self._next = None  # a source that has raised gives nothing more
            for frame in self._playing:
                if frame.ref.frame_index == number:
                    self._next = number + 1
                    return frame.image
        raise ImageError(f"there is no frame {number} in {self._episode.key} of {self._source.name}")


__all__ = ["FrameOpener"]
