"""Decoding: the wanted frames of one video file, in order, as RGB that stands upright.

Frames between the wanted ones are decoded, since later ones are built on them, but never converted; whole groups of
pictures without a wanted frame are jumped over. After each jump the first frame must be the one that the index says.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16

from maskwright.core.errors import ImageError
from maskwright.datasets.video_index import VideoIndex, open_video

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# ITU-T H.273 codes: what cv2 assumes are the coefficients of BT.601 (unspecified means the same to FFmpeg) in 16..235.
_BT601 = frozenset([2, 5, 6])
_FULL_RANGE = 2


def decode_frames(index: VideoIndex, wanted: Iterable[int]) -> "Iterator[tuple[int, VideoFrame]]":
    """Decode frames by number; the numbers must not fall, and may repeat.

    Raises:
        ImageError: the file ends or is damaged before a wanted frame; those before it have been given.
    """
    with open_video(index.path) as (container, stream):
        stream.thread_type = "AUTO"
        playing = _Playing(index, container, stream)
        for number in wanted:
            yield number, playing.frame(number)


def rgb_from_frame(frame: "VideoFrame") -> UInt8[np.ndarray, "H W 3"]:
    """Convert to RGB and turn as the file says.

    OpenCV converts what most cameras write, half as fast again as FFmpeg's scaler, which does the rest (BT.709, full
    range, ten bits, odd sizes) by the frame's own colour tags.
    """
    plain = frame.format.name == "yuv420p" and frame.width % 2 == 0 and frame.height % 2 == 0
    if plain and frame.colorspace in _BT601 and frame.color_range != _FULL_RANGE:
        pixels = cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2RGB_I420)
    else:
        pixels = frame.to_ndarray(format="rgb24")
    return _upright(np.asarray(pixels, np.uint8), frame.rotation)


def gray_from_frame(frame: "VideoFrame") -> UInt16[np.ndarray, "H W"]:
    """Take the first plane of a frame of 9 to 16 bits as it is: the codes of a depth video."""
    plane = frame.planes[0]
    if frame.format.components[0].bits <= 8:
        return np.asarray(frame.to_ndarray(format="gray"), np.uint8).astype(np.uint16)
    rows = np.frombuffer(memoryview(plane), "<u2").reshape(frame.height, plane.line_size // 2)
    return _upright(rows[:, : frame.width].astype(np.uint16), frame.rotation)


def _upright(pixels: np.ndarray, rotation: int) -> np.ndarray:
    turns = round(rotation / 90) % 4  # counter-clockwise, as np.rot90 counts
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


class _Playing:
    """A decoder and the number of the frame it gave last."""

    def __init__(self, index: VideoIndex, container: Any, stream: Any) -> None:
        self._index, self._container, self._stream = index, container, stream
        self._frames = self._decode()
        self._number = -1
        self._last: Any = None

    def frame(self, number: int) -> Any:
        if number < self._number:
            raise AssertionError(f"frames are decoded forwards, got {number} after {self._number}")
        if self._jump_pays(number):
            self._jump(number)
        while self._number < number:
            self._advance(number)
        if self._number != number:
            raise ImageError(f"frame {number} of the video is damaged and cannot be decoded: {self._index.path}")
        return self._last

    def _jump_pays(self, number: int) -> bool:
        return bool(self._index.pts.size) and self._key_before(number)[0] > self._number + 1

    def _key_before(self, number: int) -> tuple[int, int]:
        at = int(np.searchsorted(self._index.keyframes, number, side="right")) - 1
        return (int(self._index.keyframes[at]), int(self._index.key_dts[at])) if at >= 0 else (0, 0)

    def _jump(self, number: int) -> None:
        _, dts = self._key_before(number)
        self._restart(dts)
        self._advance(number)
        if self._number > number:  # the container landed too late: play from its beginning instead
            self._restart(int(min(self._index.key_dts[0], self._index.pts[0])))

    def _restart(self, dts: int) -> None:
        self._container.seek(dts, stream=self._stream, backward=True)
        self._frames = self._decode()
        self._number = -1

    def _advance(self, wanted: int) -> None:
        frame = next(self._frames, None)
        if frame is None:
            raise ImageError(self._why_it_ended(wanted))
        self._number = self._number_of(frame)
        self._last = frame
        if self._number == wanted and frame.is_corrupt:
            raise ImageError(f"frame {wanted} of the video is damaged: {self._index.path}")

    def _number_of(self, frame: Any) -> int:
        pts = self._index.pts
        if pts.size and frame.pts is not None:
            at = int(np.searchsorted(pts, frame.pts))
            if at < len(pts) and pts[at] == frame.pts:
                return at
        return self._number + 1

    def _decode(self) -> Iterator[Any]:
        from av.error import FFmpegError

        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    break
                yield from packet.decode()
        except FFmpegError:
            pass  # what waits in the decoder is still whole; the error comes when a wanted frame does not
        try:
            yield from self._stream.codec_context.decode(None)
        except (FFmpegError, EOFError):
            return

    def _why_it_ended(self, wanted: int) -> str:
        last, index = self._number, self._index
        if wanted < index.num_frames:
            return f"the video is damaged after frame {last}; frame {wanted} cannot be decoded: {index.path}"
        return (
            f"the video ends after frame {last}, expected {index.num_promised} frames; it was cut off. "
            f"Get it again, or stop at frame {last + 1}: {index.path}"
        )


__all__ = ["decode_frames", "gray_from_frame", "rgb_from_frame"]
