"""`LeRobotSource`: the frames of a LeRobot data set, from videos that episodes share or from image columns.

A row's picture is the video frame nearest to `from_timestamp + timestamp`, within half a period of the slower of the
two, so a camera that recorded at a lower rate than the rows gives some frames twice rather than none.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.depth import read_depth
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.images import read_image
from maskwright.datasets.lerobot_meta import LeRobotCamera, LeRobotEpisode, LeRobotMeta, read_meta
from maskwright.datasets.lerobot_rows import iter_rows
from maskwright.datasets.steps import wanted_frames
from maskwright.datasets.video_frames import decode_frames, gray_from_frame, rgb_from_frame
from maskwright.datasets.video_index import VideoIndex, index_video

_log = logging.getLogger(__name__)
_OPEN_INDICES = 16


class LeRobotSource:
    """The data set at `root`; `meta` is what it says about itself.

    Raises:
        InputError: it is of another version, or its metadata is missing or damaged.
    """

    def __init__(self, root: Path) -> None:
        self.meta: LeRobotMeta = read_meta(root)
        self.name = root.resolve().name
        robot = self.meta.info.get("robot_type")
        self.robot: str | None = str(robot) if robot and robot != "unknown" else None
        self._by_key = {episode.key: episode for episode in self.meta.episodes}
        self._cameras = {camera.name: camera for camera in self.meta.cameras}
        if not self._cameras:
            raise InputError(f"the data set has no camera (no feature of type image or video): {root}")
        self.episodes: Sequence[Episode] = tuple(map(self._episode, self.meta.episodes))
        self._index_video = lru_cache(maxsize=_OPEN_INDICES)(index_video)

    def _episode(self, episode: LeRobotEpisode) -> Episode:
        return Episode(
            key=episode.key,
            cameras=tuple(self._cameras),
            num_frames=episode.num_frames,
            fps=self.meta.fps,
            task="; ".join(episode.tasks) or None,
        )

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Decode frames of one camera; see `FrameSource.frames`."""
        if episode.key not in self._by_key or camera not in self._cameras:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        place, feature = self._by_key[episode.key], self._cameras[camera]
        wanted = wanted_frames(place.num_frames, start, stop, stride)
        if not len(wanted):
            return
        times_s = self._times_s(place)
        depths = self._depths(place, feature, wanted, times_s)
        pictures = self._pictures(place, feature.key, wanted, times_s, rgb_from_frame, _rgb_from_file)
        for number, pixels in zip(wanted, pictures, strict=True):
            depth_m = next(depths) if depths else None
            fits = depth_m is not None and depth_m.shape == pixels.shape[:2]
            ref = FrameRef(
                dataset=self.name,
                episode=episode.key,
                camera=camera,
                frame_index=number,
                timestamp_s=round(float(times_s[number]), 6),
            )
            yield Frame(image=Image(pixels, depth_m=depth_m if fits else None), ref=ref)

    def _times_s(self, episode: LeRobotEpisode) -> Float[np.ndarray, " T"]:
        """Read the time of each row; a data set without the column has rows at its rate."""
        rows = iter_rows(self.meta, episode, ["timestamp"])
        times = np.array([row["timestamp"] for row in rows], np.float64).ravel()
        if len(times) != episode.num_frames:
            path = self.meta.data_path(episode)
            raise InputError(
                f"{episode.key} has {len(times)} rows, expected {episode.num_frames} as meta/ says: {path}"
            )
        return times

    def _depths(
        self, episode: LeRobotEpisode, camera: LeRobotCamera, wanted: range, times_s: Float[np.ndarray, " T"]
    ) -> Iterator[Float[np.ndarray, "H W"]] | None:
        if camera.depth_key is None:
            return None
        key = camera.depth_key
        codes = self.meta.depth_codes(key)
        details = self.meta.info["features"][key].get("info") or {}
        unit = details.get("depth_unit")
        return self._pictures(
            episode,
            key,
            wanted,
            times_s,
            lambda frame: codes.decode(gray_from_frame(frame)),
            lambda content: read_depth(content, unit=unit),
        )

    def _pictures(
        self,
        episode: LeRobotEpisode,
        key: str,
        wanted: range,
        times_s: Float[np.ndarray, " T"],
        from_video: Callable[[Any], np.ndarray],
        from_file: Callable[[bytes | Path], np.ndarray],
    ) -> Iterator[np.ndarray]:
        if self.meta.info["features"][key]["dtype"] == "image":
            for number, row in zip(wanted, iter_rows(self.meta, episode, [key], numbers=wanted), strict=True):
                content = self._content(row[key], episode, key, number)
                try:
                    yield from_file(content)
                except ImageError as error:
                    told = str(error).rpartition(": ")[0] if isinstance(content, bytes) else str(error)
                    where = f": {self.meta.data_path(episode)}" if isinstance(content, bytes) else ""
                    raise ImageError(f"frame {number} of {episode.key}: {told}{where}") from error
            return
        video = self._index_video(self._existing(self.meta.video_path(episode, key)))
        first_s = float(episode.row.get(f"videos/{key}/from_timestamp") or 0.0)
        numbers = _nearest_frames(video, first_s + times_s[wanted.start : wanted.stop : wanted.step], self.meta.fps)
        for _, frame in decode_frames(video, numbers):
            yield from_video(frame)

    def _content(self, cell: Any, episode: LeRobotEpisode, key: str, number: int) -> bytes | Path:
        if isinstance(cell, dict) and cell.get("bytes"):
            return cell["bytes"]
        if isinstance(cell, dict) and cell.get("path"):
            return self._existing(self.meta.root / cell["path"])
        path = self.meta.data_path(episode)
        raise ImageError(f"frame {number} of {episode.key} has no picture in column {key}: {path}")

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise ImageError(f"the data set's file is missing: {path}")
        return path


def _rgb_from_file(content: bytes | Path) -> np.ndarray:
    return read_image(content).pixels


def _nearest_frames(video: VideoIndex, wanted_s: Float[np.ndarray, " T"], fps: float) -> list[int]:
    times_s = video.times_s()
    right = np.clip(np.searchsorted(times_s, wanted_s), 1, max(len(times_s) - 1, 1))
    right = np.minimum(right, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(wanted_s - times_s[left] <= times_s[right] - wanted_s, left, right)
    slower_s = max(1 / fps, float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0)
    off = np.abs(times_s[nearest] - wanted_s) > slower_s / 2 + 1e-4
    if off.any() and video.num_promised == video.num_frames:
        first = int(np.argmax(off))
        raise ImageError(
            f"the video has no frame at {wanted_s[first]:.3f} s; its {len(times_s)} frames reach from "
            f"{times_s[0]:.3f} to {times_s[-1]:.3f} s. Rows and video do not belong together: {video.path}"
        )
    return [int(one) for one in np.where(off & (wanted_s > times_s[-1]), video.num_frames, nearest)]


__all__ = ["LeRobotSource"]
