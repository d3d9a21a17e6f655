"""Frames of a stream as clients send them: a picture's file or raw pixels become an `Image`."""

import anyio
import numpy as np

from maskwright.core import Image
from maskwright.core.errors import ImageError, MaskwrightError, TooLarge
from maskwright.datasets.images import picture_size_wh, read_image


async def decoded(
    picture: bytes | Image | MaskwrightError, most_pixels: int, limiter: anyio.CapacityLimiter | None = None
) -> Image:
    """Decode a frame off the event loop, in one of the threads of `limiter`.

    Raises:
        ImageError: it is no picture, damaged, or too large.
        MaskwrightError: the one that was given.
    """
    match picture:
        case bytes():
            return await anyio.to_thread.run_sync(_read, picture, most_pixels, limiter=limiter)
        case Image():
            return picture
        case _:
            raise picture


def raw_image(content: bytes, height: int, width: int, most_pixels: int) -> Image:
    """Take rows of RGB bytes as they are.

    Raises:
        ImageError: there are not height x width x 3 of them.
        TooLarge: it has more pixels than a frame may have.
    """
    if height < 1 or width < 1 or len(content) != height * width * 3:
        raise ImageError(
            f"raw pixels are height x width x 3 bytes of RGB, {height} x {width} x 3; got {len(content):,} bytes"
        )
    check_pixels(height, width, most_pixels)
    return Image(np.frombuffer(content, np.uint8).reshape(height, width, 3))


def check_pixels(height: int, width: int, most_pixels: int) -> None:
    """Refuse a picture that is too large.

    Raises:
        TooLarge: it is.
    """
    if height * width > most_pixels:
        raise TooLarge(f"a picture may have {most_pixels:,} pixels here, got {width} x {height}; send it smaller")


def _read(content: bytes, most_pixels: int) -> Image:
    width, height = picture_size_wh(content)
    check_pixels(height, width, most_pixels)
    return read_image(content, max_pixels=most_pixels)


__all__ = ["check_pixels", "decoded", "raw_image"]
