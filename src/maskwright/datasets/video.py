"""`VideoFiles`: video files as a frame source, one episode a file and one camera each.

Timestamps are the file's own, from its first frame, so that variable frame rates keep their times.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.steps import wanted_frames
from maskwright.datasets.video_frames import decode_frames, rgb_from_frame
from maskwright.datasets.video_index import VideoIndex, index_video

_log = logging.getLogger(__name__)

_NAMES = "mp4 m4v mov mkv webm avi mpg mpeg ts m2ts mts wmv flv ogv 3gp h264 h265 hevc"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
CAMERA = "video"


class VideoFiles:
    """The videos at `paths`; episodes are named by their paths below `root`, without the suffix.

    Opening reads each file once without decoding. Among several files, one that cannot be read is left out with a
    warning.

    Raises:
        ImageError: no file can be read.
    """

    robot: str | None = None

    def __init__(self, paths: Sequence[Path], *, root: Path | None = None) -> None:
        self.name = root.resolve().name if root else paths[0].name
        self._videos: dict[str, VideoIndex] = {}
        problem: ImageError | None = None
        for path, key in zip(paths, _keys(paths, root), strict=True):
            try:
                self._videos[key] = index_video(path)
            except ImageError as error:
                problem = error
                if len(paths) > 1:
                    _log.warning("left out: %s", error)
        if not self._videos and problem:
            raise problem
        self.episodes: Sequence[Episode] = tuple(
            Episode(key=key, cameras=(CAMERA,), num_frames=video.num_promised, fps=video.fps)
            for key, video in self._videos.items()
        )

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Decode frames of one file; see `FrameSource.frames`."""
        if episode.key not in self._videos or camera != CAMERA:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        video = self._videos[episode.key]
        times_s = video.times_s()
        for number, frame in decode_frames(video, wanted_frames(video.num_promised, start, stop, stride)):
            at_s = round(float(times_s[number] - times_s[0]), 6)
            ref = FrameRef(dataset=self.name, episode=episode.key, camera=camera, frame_index=number, timestamp_s=at_s)
            yield Frame(image=Image(rgb_from_frame(frame)), ref=ref)


def _keys(paths: Sequence[Path], root: Path | None) -> list[str]:
    named = [path.relative_to(root) if root else Path(path.name) for path in paths]
    short = [path.with_suffix("").as_posix() for path in named]
    return [key if short.count(key) == 1 else path.as_posix() for key, path in zip(short, named, strict=True)]


__all__ = ["CAMERA", "SUFFIXES", "VideoFiles"]
