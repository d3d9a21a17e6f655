"""`VideoWriter`: pictures become an H.264 file that plays everywhere and that any frame can be sought in."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core.errors import SettingError

_OPTIONS = {"crf": "18", "g": "10"}  # a key frame every 10: seeking costs at most 9 more


class VideoWriter:
    """Encodes RGB pictures of one even size as they come; close it, or use it as a context manager.

    `preset` is x264's: how long it looks for a small file of the same quality. `threads` 0 is as many as it wants.

    Raises:
        SettingError: the pictures' height or width is odd, which 4:2:0 cannot hold, or their sizes differ.
    """

    def __init__(self, path: Path, *, fps: int, preset: str = "medium", threads: int = 0) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container: Any = av.open(str(path), "w")
        self._stream: Any = self._container.add_stream("libx264", rate=fps, options={**_OPTIONS, "preset": preset})
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = threads
        self._size_hw: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()

    def write(self, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        """Encode the next picture."""
        height, width = pixels.shape[:2]
        if self._size_hw is None:
            if height % 2 or width % 2:
                raise SettingError(f"a video needs an even height and width, got {height} x {width}: {self._path}")
            self._size_hw = height, width
            self._stream.height, self._stream.width = height, width
        if self._size_hw != (height, width):
            raise SettingError(f"a video needs pictures of one size, got {self._size_hw} and {(height, width)} (h, w)")
        frame = av.VideoFrame.from_numpy_buffer(_i420(pixels), format="yuv420p")  # the encoder copies it, once
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self._size_hw is not None:
            self._container.mux(self._stream.encode())
        self._container.close()


def _i420(pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H*3/2 W"]:
    """Convert to 4:2:0 as `rgb_from_frame` converts back, with the mean colour of each four pixels.

    A third of the time that FFmpeg's scaler takes, and no further from the picture.
    """
    height, width = pixels.shape[:2]
    planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
    means = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    means = cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST)  # OpenCV takes one pixel of each four
    planes[height:] = cv2.cvtColor(means, cv2.COLOR_RGB2YUV_I420)[height:]
    return np.asarray(planes, np.uint8)


__all__ = ["VideoWriter"]
