"""Frames from the last to the first, from readers that only go forwards.

A stretch is decoded forwards and given backwards, then the stretch before it. Memory holds one stretch of a bounded
number of bytes; a video decodes a group of pictures once for each stretch that begins in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from maskwright.core.image import Frame
from maskwright.datasets.frame_source import Episode, FrameSource

T = TypeVar("T")

MOST_BYTES = 64 << 20
_FEWEST, _MOST = 4, 96  # frames of a stretch: below, seeking costs more than decoding; above, nothing is gained


def frames_backwards(
    source: FrameSource,
    episode: Episode,
    camera: str,
    *,
    start: int = 0,
    stop: int | None = None,
    most_bytes: int = MOST_BYTES,
) -> Iterator[Frame]:
    """Give frames `stop - 1`, `stop - 2`, ... down to `start`.

    Raises:
        ImageError, InputError: a frame cannot be decoded; those of later stretches have been given.
    """
    numbers = range(start, episode.num_frames if stop is None else min(stop, episode.num_frames))

    def read(part: Sequence[int]) -> Iterable[Frame]:
        return source.frames(episode, camera, start=part[0], stop=part[-1] + 1)

    return backwards(read, numbers, size_of=lambda frame: frame.image.pixels.nbytes, most_bytes=most_bytes)


def backwards(
    read: Callable[[Sequence[int]], Iterable[T]],
    numbers: Sequence[int],
    *,
    size_of: Callable[[T], int],
    most_bytes: int = MOST_BYTES,
) -> Iterator[T]:
    """Give the items of rising numbers in reverse; `read` gives those of a part of the numbers in their order.

    The first part is short, since the size of an item is known only afterwards.
    """
    stop, count = len(numbers), _FEWEST
    while stop > 0:
        start = max(0, stop - count)
        items = list(read(numbers[start:stop]))
        largest = max((size_of(item) for item in items), default=0)
        if largest:
            count = min(max(most_bytes // largest, _FEWEST), _MOST)
        while items:
            yield items.pop()  # so that what has been given can go
        stop = start


__all__ = ["MOST_BYTES", "backwards", "frames_backwards"]
