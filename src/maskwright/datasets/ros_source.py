"""`RosSource`: image topics of ROS and Foxglove logs as cameras, one log an episode.

The topic with the most pictures is the clock: its messages are the frames of the episode. A picture of another topic
belongs to the frame whose time is nearest, within half a period; a camera that is slower than the clock has pictures in
some frames only, and those alone are given. Times are those of the messages' headers where they agree with the log's.
Opening reads each log once without decoding pictures.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.depth import depth_key_for
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.ros_logs import LogMessage, RosLog, open_log
from maskwright.datasets.ros_messages import Parser, RosPicture
from maskwright.datasets.ros_pictures import depth_m_from, is_depth, rgb_from
from maskwright.datasets.steps import wanted_frames

_log = logging.getLogger(__name__)
_FIRST_CALENDAR_NS = 946_684_800_000_000_000  # the year 2000; a simulator's clock begins near zero
_MOST_SKEW_NS = 60_000_000_000  # headers further than a minute from the log's clock are of another clock


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopicTimes:
    """The messages of a topic: their log times, and for each the frame that it belongs to (-1 for none)."""

    log_ns: Int[np.ndarray, " N"]
    frame: Int[np.ndarray, " N"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One log: its clock in nanoseconds and its cameras, each with the topic of its depth."""

    log: RosLog
    clock_ns: Int[np.ndarray, " T"]
    topics: dict[str, TopicTimes]
    cameras: dict[str, str | None]


class RosSource:
    """The logs at `paths`; episodes are named by their paths below `root`, cameras by their topics.

    Among several logs, one that cannot be read is left out with a warning.

    Raises:
        InputError: no log can be read, or has pictures.
    """

    robot: str | None = None

    def __init__(self, paths: Sequence[Path], *, root: Path | None = None) -> None:
        self.name = root.resolve().name if root else paths[0].name
        self._recordings: dict[str, Recording] = {}
        problem: InputError | None = None
        for path in paths:
            key = path.relative_to(root).with_suffix("").as_posix() if root and root != path else path.stem
            try:
                self._recordings[key] = _record(open_log(path))
            except InputError as error:
                problem = error
                if len(paths) > 1:
                    _log.warning("left out: %s", error)
        if problem and not self._recordings:
            raise problem
        self.episodes: Sequence[Episode] = tuple(
            Episode(key=key, cameras=tuple(one.cameras), num_frames=len(one.clock_ns), fps=_fps(one.clock_ns))
            for key, one in self._recordings.items()
        )

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Decode frames of one topic; see `FrameSource.frames`."""
        recording = self._recordings.get(episode.key)
        if recording is None or camera not in recording.cameras:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        wanted = wanted_frames(len(recording.clock_ns), start, stop, stride)
        depth_topic = recording.cameras[camera]
        depths = _Following(_pictures(recording, depth_topic, wanted)) if depth_topic else None
        for number, picture in _pictures(recording, camera, wanted):
            where = f"frame {number} of {camera}: {recording.log.path}"
            image = Image(rgb_from(picture, where))
            depth = depths.of(number) if depths else None
            if depth is not None:
                depth_m = depth_m_from(depth, where)
                image = Image(image.pixels, depth_m=depth_m) if depth_m.shape == image.size_hw else image
            at_s = round(float(recording.clock_ns[number] - recording.clock_ns[0]) / 1e9, 6)
            ref = FrameRef(dataset=self.name, episode=episode.key, camera=camera, frame_index=number, timestamp_s=at_s)
            yield Frame(image=image, ref=ref)

    def captured_at(self, ref: FrameRef) -> datetime | None:
        """When a frame was taken, by the log's clock; None where that counts from the robot's start."""
        clock_ns = int(self._recordings[ref.episode].clock_ns[ref.frame_index])
        return datetime.fromtimestamp(clock_ns / 1e9, UTC) if clock_ns > _FIRST_CALENDAR_NS else None


def _record(log: RosLog) -> Recording:
    """Read the times of all pictures, and pair those of one moment."""
    parsers = log.topics()
    log_ns: dict[str, list[int]] = {topic: [] for topic in parsers}
    stamps: dict[str, list[int]] = {topic: [] for topic in parsers}
    depth: set[str] = set()
    for message in log.messages(list(parsers)):
        picture = _parse(parsers[message.topic], message, log.path)
        if not log_ns[message.topic] and picture is not None and is_depth(picture, message.topic):
            depth.add(message.topic)
        log_ns[message.topic].append(message.log_time_ns)
        stamps[message.topic].append(picture.stamp_ns if picture is not None else 0)
    topics = [topic for topic, times in log_ns.items() if times]
    colour = [topic for topic in topics if topic not in depth] or topics  # a log of depth alone is looked at as such
    if not topics:
        raise InputError(f"the log has no pictures (no topic of sensor_msgs or foxglove images): {log.path}")
    times = {topic: np.array(log_ns[topic], np.int64) for topic in topics}
    headers = {topic: np.array(stamps[topic], np.int64) for topic in topics}
    moments = headers if all(_agree(headers[one], times[one]) for one in topics) else times
    clock_ns = np.sort(moments[max(colour, key=lambda topic: len(times[topic]))])
    found = {one: TopicTimes(log_ns=times[one], frame=_nearest(clock_ns, moments[one])) for one in topics}
    pairs = {one: depth_key_for(one, depth - {one}, len(colour)) for one in colour}
    return Recording(log=log, clock_ns=clock_ns, topics=found, cameras=pairs)


def _agree(header_ns: Int[np.ndarray, " N"], log_ns: Int[np.ndarray, " N"]) -> bool:
    """Whether headers rise, and tell the time that the log does."""
    return bool(np.abs(header_ns - log_ns).max() < _MOST_SKEW_NS and (np.diff(header_ns) >= 0).all())


def _parse(parser: Parser, message: LogMessage, path: Path) -> RosPicture | None:
    try:
        return parser(message.content)
    except Exception as error:  # any field may be cut off or of another kind
        _log.debug("a message of %s cannot be read (%s): %s", message.topic, error, path)
        return None


def _nearest(clock_ns: Int[np.ndarray, " T"], moments_ns: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Give each picture the frame nearest in time, each frame the nearest of its pictures."""
    right = np.clip(np.searchsorted(clock_ns, moments_ns), 0, len(clock_ns) - 1)
    left = np.maximum(right - 1, 0)
    frame = np.where(moments_ns - clock_ns[left] <= clock_ns[right] - moments_ns, left, right)
    off_ns = np.abs(moments_ns - clock_ns[frame])
    half_ns = np.median(np.diff(clock_ns)) / 2 if len(clock_ns) > 1 else _MOST_SKEW_NS
    frame[off_ns > half_ns] = -1
    best: dict[int, int] = {}
    for number in np.argsort(off_ns, kind="stable").tolist():
        if frame[number] < 0 or best.setdefault(int(frame[number]), number) != number:
            frame[number] = -1
    return frame


def _pictures(recording: Recording, topic: str, wanted: range) -> Iterator[tuple[int, RosPicture]]:
    times = recording.topics[topic]
    parser = recording.log.topics()[topic]
    mine = np.flatnonzero([frame in wanted for frame in times.frame.tolist()])
    if not len(mine):
        return
    in_order = bool((np.diff(times.log_ns) >= 0).all())
    start_ns = int(times.log_ns[mine[0]]) if in_order else 0
    number = int(np.searchsorted(times.log_ns, start_ns)) if in_order else 0  # messages may share a log time
    last, keep = int(mine[-1]), set(mine.tolist())
    for message in recording.log.messages([topic], start_ns=start_ns):
        if number in keep:
            frame = int(times.frame[number])
            picture = _parse(parser, message, recording.log.path)
            if picture is None:
                raise ImageError(f"frame {frame} of {topic} is a damaged message: {recording.log.path}")
            yield frame, picture
        if number >= last:
            return
        number += 1


class _Following:
    """Pictures of another topic, asked for by rising frame numbers."""

    def __init__(self, pictures: Iterator[tuple[int, RosPicture]]) -> None:
        self._pictures = pictures
        self._next = next(pictures, None)

    def of(self, frame: int) -> RosPicture | None:
        """Give the picture of a frame, None where it has none."""
        while self._next is not None and self._next[0] < frame:
            self._next = next(self._pictures, None)
        return self._next[1] if self._next is not None and self._next[0] == frame else None


def _fps(clock_ns: Float[np.ndarray, " T"] | Int[np.ndarray, " T"]) -> float | None:
    steps = np.diff(clock_ns)
    steps = steps[steps > 0]
    return round(1e9 / float(np.median(steps)), 3) if len(steps) else None


__all__ = ["RosSource"]
