"""`VideoIndex`: where each frame of a video file stands, found by reading its packets without decoding any.

Frame numbers count pictures in the order in which they are shown, so they are exact for B-frames and for variable frame
rates. Headers are not believed, except where they promise more frames than the file holds: then it is truncated. MP4
promises a number of frames, Matroska and WebM a duration.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from maskwright.core.errors import ImageError
from maskwright.core.settings import MAX_PIXELS
from maskwright.core.shapes import SizeHW
from maskwright.datasets.damage import first_line

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoIndex:
    """The frames of one file: `pts` in units of `time_base`, rising; empty where the file has none (raw H.264).

    `keyframes` are frame numbers that decoding can begin at, `key_dts` where to seek for them. `num_promised` exceeds
    `num_frames` in a truncated file. `size_hw` is that of the stored pictures, before any rotation.
    """

    path: Path
    num_frames: int
    num_promised: int
    size_hw: SizeHW
    time_base: Fraction
    fps: float | None
    pts: Int[np.ndarray, " T"]
    keyframes: Int[np.ndarray, " N"]
    key_dts: Int[np.ndarray, " N"]

    def times_s(self) -> Float[np.ndarray, " T"]:
        """Give the time of each frame on the file's own clock, which need not begin at zero."""
        if self.pts.size:
            return self.pts * float(self.time_base)
        return np.arange(self.num_frames) / (self.fps or 1.0)


@contextmanager
def open_video(path: Path) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """Open a file at its best video stream.

    Raises:
        ImageError: it is missing, not a video, has no video stream, or its pictures are above the size limit.
    """
    import av
    from av.error import FFmpegError

    try:
        container: Any = av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise ImageError(f"there is no such video: {path}") from error
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        message = f"the video cannot be opened ({reason}); it is damaged, cut off or of another kind"
        raise ImageError(f"{message}: {path}") from error
    with container:
        stream = container.streams.best("video")
        if stream is None:
            raise ImageError(f"the file has no video stream: {path}")
        # A stream of an unknown codec has no size.
        width, height = getattr(stream, "width", 0) or 0, getattr(stream, "height", 0) or 0
        if not 0 < width * height <= MAX_PIXELS.get():
            raise ImageError(f"the video's frames have {width} x {height} pixels, outside the limits: {path}")
        yield container, stream


def index_video(path: Path) -> VideoIndex:
    """Read the packets of a file once; costs the reading of the file and 8 bytes a frame.

    Raises:
        ImageError: it cannot be opened, or has no frame.
    """
    from av.error import FFmpegError

    shown: list[tuple[int | None, int | None, bool]] = []
    num_hidden, end = 0, 0
    with open_video(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_corrupt:
                    continue
                if packet.is_discard:  # cut away by the container's edit list
                    num_hidden += 1
                    continue
                shown.append((packet.pts, packet.dts, packet.is_keyframe))
                end = max(end, (packet.pts or 0) + (packet.duration or 0))
        except FFmpegError:
            pass  # cut off; what was read so far is the index
        if not shown:
            raise ImageError(f"the video holds no frame: {path}")
        rate, time_base, size_hw = stream.average_rate, stream.time_base, (stream.height, stream.width)
        pts, keyframes, key_dts = _in_shown_order(shown)
        promised = max(len(shown), stream.frames - num_hidden, _num_by_duration(container, stream, pts, end))
    return VideoIndex(
        path=path,
        num_frames=len(shown),
        num_promised=promised,
        size_hw=size_hw,
        time_base=time_base or Fraction(1, 1000),
        fps=float(rate) if rate else None,
        pts=pts,
        keyframes=keyframes,
        key_dts=key_dts,
    )


def _num_by_duration(container: "InputContainer", stream: "VideoStream", pts: Int[np.ndarray, " T"], end: int) -> int:
    """Give how many frames the duration that Matroska states stands for; 0 if no more than there are until `end`."""
    stated = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d*)?)\0*", stream.metadata.get("DURATION", ""))
    if stated is None or len(pts) < 2 or not stream.time_base or "matroska" not in container.format.name:
        return 0
    end_s = int(stated[1]) * 3600 + int(stated[2]) * 60 + float(stated[3])
    frame_s = float((pts[-1] - pts[0]) * stream.time_base) / (len(pts) - 1)
    missing = round((end_s - float(max(end, pts[-1]) * stream.time_base)) / frame_s)
    # With a variable frame rate the number is a guess.
    return len(pts) + missing if missing > max(2, len(pts) / 100) else 0


def _in_shown_order(
    packets: list[tuple[int | None, int | None, bool]],
) -> tuple[Int[np.ndarray, " T"], Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    known = [pts for pts, _, _ in packets if pts is not None]
    pts = np.sort(np.array(known, np.int64))
    if len(known) < len(packets) or (np.diff(pts) == 0).any():
        return np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)  # frames can only be counted
    keys = sorted((pts, pts if dts is None else dts) for pts, dts, is_key in packets if is_key and pts is not None)
    key_pts = np.array([key for key, _ in keys], np.int64)
    return pts, np.searchsorted(pts, key_pts), np.array([dts for _, dts in keys], np.int64)


__all__ = ["VideoIndex", "index_video", "open_video"]
