"""The pictures that quantisation looks at: half to find ranges on, half to measure masks on, from whatever a user has.

Labelled pictures bring true masks along; any other source of frames brings pictures alone. The halves are cut within
each episode, the first half of its frames and the second, so that no frame is measured on whose neighbour the ranges
were found on, and each half has seen every episode.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwright.core.errors import ImageError, InputError, MaskwrightError, SettingError
from maskwright.datasets.frame_source import FrameSource
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource
from maskwright.train.tune.examples import spread

LEAST_FRAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeFrames:
    """Sources of pictures for either half; `has_truth` says whether they come with true masks."""

    calibration: tuple[PictureSource, ...]
    gate: tuple[PictureSource, ...]
    has_truth: bool


def find_frames(data: str, num_frames: int, statuses: Sequence[str] | None = None) -> QuantizeFrames:
    """List at most `num_frames` pictures of `data`, evenly over it, in two halves. Nothing is decoded yet.

    `statuses` says which masks of a store are taken for true; accepted ones unless named.

    Raises:
        InputError: there is nothing to read, or too little.
        ImageError: there is no such folder.
        SettingError: statuses are named, and there is no store.
    """
    labelled = _labelled(data, statuses)
    sources = list(_unlabelled(Path(data)) if labelled is None else labelled.sources)
    if len(sources) < LEAST_FRAMES:
        raise InputError(
            f"quantisation needs at least {LEAST_FRAMES} frames, half for ranges and half to measure masks on; got "
            f"{len(sources)}. Give 50 or more from your robot: {data}"
        )
    sources = spread(sources, num_frames)
    episodes: dict[str, list[PictureSource]] = {}
    for one in sources:
        episodes.setdefault(one.episode or "", []).append(one)
    calibration, gate = list[PictureSource](), list[PictureSource]()
    for each in episodes.values():
        middle = (len(each) + (len(calibration) <= len(gate))) // 2
        calibration += each[:middle]
        gate += each[middle:]
    return QuantizeFrames(calibration=tuple(calibration), gate=tuple(gate), has_truth=labelled is not None)


def read_all(sources: Sequence[PictureSource], say: Callable[[str], None]) -> list[LabelledPicture]:
    """Read pictures and leave out those that cannot be read, which is told.

    Raises:
        InputError: too few can be read.
    """
    found, problems = list[LabelledPicture](), list[MaskwrightError]()
    for source in sources:
        try:
            found.append(source.read())
        except InputError as error:
            problems.append(error)
            say(f"left out: {error}")
    if len(found) < LEAST_FRAMES // 2:
        raise InputError(f"only {len(found)} of {len(sources)} frames can be read; the first problem: {problems[0]}")
    return found


def _labelled(data: str, statuses: Sequence[str] | None) -> Dataset | None:
    """Open labelled pictures or a store's accepted masks; None where pictures have no masks."""
    from maskwright.workflows.labelled import open_labelled
    from maskwright.workflows.training_data import read_training_data

    if (Path(data) / "store.json").is_file():
        return read_training_data(data, statuses=statuses).dataset()
    if statuses is not None:
        raise SettingError(f"--status says which masks of a store are true; leave it out, this is no store: {data}")
    if data.startswith("example:") or Path(data).suffix.lower() == ".json":
        return open_labelled(data)
    try:
        return open_labelled(data)
    except InputError:
        return None


def _unlabelled(path: Path) -> list[PictureSource]:
    from maskwright.datasets.sources import open_source

    source = open_source(path)
    return [
        PictureSource(
            name=f"{episode.key} {camera} {index}",
            read=_reader(source, episode.key, camera, index),
            episode=f"{episode.key} {camera}" if episode.num_frames > 1 else "",
        )
        for episode in source.episodes
        for camera in episode.cameras
        for index in range(episode.num_frames)
    ]


def _reader(source: FrameSource, key: str, camera: str, index: int) -> Callable[[], LabelledPicture]:
    def read() -> LabelledPicture:
        episode = next(one for one in source.episodes if one.key == key)
        frame = next(iter(source.frames(episode, camera, start=index, stop=index + 1)), None)
        if frame is None:
            raise ImageError(f"frame {index} of {camera} is missing: {key}")
        return LabelledPicture(name=f"{key} {camera} {index}", image=frame.image, objects=())

    return read


__all__ = ["LEAST_FRAMES", "QuantizeFrames", "find_frames", "read_all"]
