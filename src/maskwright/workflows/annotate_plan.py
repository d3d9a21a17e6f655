"""Which frames of a source are wanted, and in which stretches they are decoded. Nothing here decodes."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import gcd
from pathlib import Path

from maskwright.core.errors import SettingError
from maskwright.datasets import open_source
from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.workflows.annotate_recipe import PromptsTask, Task
from maskwright.workflows.frame_names import FrameNames

NEAR = 32  # frames that are cheaper to decode and drop than to seek over


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A source, the path it was opened at, and the names of its frames."""

    path: Path
    source: FrameSource
    names: FrameNames

    @classmethod
    def open(cls, path: Path | str) -> "Footage":
        """Open whatever frames can be read from.

        Raises:
            InputError: nothing can; the message says what was looked for.
        """
        source = open_source(path)
        return cls(path=Path(path), source=source, names=FrameNames(source, Path(path)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Frames `start`, `start + stride`, ... below `stop` of some episodes and cameras; None is all of them.

    Episodes are keys, their positions from 0, or ranges of positions ("2-5", both included).
    """

    episodes: tuple[str, ...] | None = None
    cameras: tuple[str, ...] | None = None
    start: int = 0
    stop: int | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise SettingError(f"--start and --stop need 0 <= start < stop, got {self.start} and {self.stop}")
        if self.stride < 1:
            raise SettingError(f"the stride must be at least 1, got {self.stride}")

    def recordings(self, source: FrameSource) -> list[tuple[Episode, str]]:
        """List the cameras of the episodes that are wanted.

        Raises:
            SettingError: an episode or camera is not there.
        """
        episodes = _episodes(source.episodes, self.episodes)
        known = list(dict.fromkeys(camera for episode in source.episodes for camera in episode.cameras))
        for name in self.cameras or ():
            if name not in known:
                raise SettingError(f"no camera is called {name!r}; {_nearest(name, known)}: {source.name}")
        return [
            (episode, camera)
            for episode in episodes
            for camera in episode.cameras
            if self.cameras is None or camera in self.cameras
        ]

    def numbers(self, episode: Episode) -> range:
        """List the frames wanted of an episode."""
        stop = episode.num_frames if self.stop is None else min(self.stop, episode.num_frames)
        return range(self.start, stop, self.stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some frames of one camera, in rising order, that are decoded in one go."""

    episode: Episode
    camera: str
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run has to do: `stretches` are what is left of `num_wanted` frames."""

    stretches: tuple[Stretch, ...]
    num_wanted: int

    @property
    def num_left(self) -> int:
        """Frames that are to be done."""
        return sum(len(stretch.numbers) for stretch in self.stretches)


Done = Callable[[Episode, str], Collection[int]]


def plan_frames(footage: Footage, selection: Selection, task: Task, done: Done) -> Plan:
    """List what is to be decoded: the frames selected, of a file of prompts only those that it names, less those done.

    Raises:
        SettingError: an episode or camera is not there, or no frame is wanted.
    """
    stretches: list[Stretch] = []
    num_wanted = 0
    for episode, camera in selection.recordings(footage.source):
        numbers: Sequence[int] = selection.numbers(episode)
        if isinstance(task, PromptsTask):
            numbers = [number for number in numbers if (episode.key, camera, number) in task.by_place]
        num_wanted += len(numbers)
        known = done(episode, camera)
        left = [number for number in numbers if number not in known] if known else numbers
        stretches += [Stretch(episode=episode, camera=camera, numbers=part) for part in _parts(left)]
    if not num_wanted:
        what = "in the file of prompts and the selection" if isinstance(task, PromptsTask) else "in the selection"
        raise SettingError(f"no frame is {what}; look at --episodes, --cameras, --start and --stop: {footage.path}")
    return Plan(stretches=tuple(stretches), num_wanted=num_wanted)


def stride_of(numbers: Sequence[int]) -> int:
    """The widest step that meets all of some rising numbers."""
    return gcd(*(number - numbers[0] for number in numbers)) or 1


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut rising numbers so that no part has wide gaps to decode over: even steps stay together, and what is near."""
    start = 0
    for at in range(1, len(numbers)):
        gap = numbers[at] - numbers[at - 1]
        other = numbers[at - 1] - numbers[at - 2] if at - start > 1 else _gap_after(numbers, at)
        if gap != other and max(gap, other if at - start > 1 else 0) > NEAR:
            yield numbers[start:at]
            start = at
    if numbers:
        yield numbers[start:]


def _gap_after(numbers: Sequence[int], at: int) -> int:
    return numbers[at + 1] - numbers[at] if at + 1 < len(numbers) else 0


def _episodes(episodes: Sequence[Episode], wanted: tuple[str, ...] | None) -> list[Episode]:
    if wanted is None:
        return list(episodes)
    by_key = {episode.key: at for at, episode in enumerate(episodes)}
    chosen: set[int] = set()
    for name in wanted:
        first, dash, last = name.partition("-")
        if name in by_key:
            chosen.add(by_key[name])
        elif name.isdecimal() and int(name) < len(episodes):
            chosen.add(int(name))
        elif dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last) < len(episodes):
            chosen.update(range(int(first), int(last) + 1))
        else:
            known = f"{_nearest(name, list(by_key))}, or a position from 0 to {len(episodes) - 1}"
            raise SettingError(f"there is no episode {name!r}; {known}")
    return [episodes[at] for at in sorted(chosen)]


def _nearest(name: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(name, known, n=3, cutoff=0.4) or list(known[:3])
    more = ", ..." if len(known) > len(nearest) else ""
    return f"there are {', '.join(nearest)}{more}"


def after(numbers: Sequence[int], number: int) -> int:
    """The position of the first of some rising numbers that is above one."""
    return bisect_left(numbers, number + 1)


__all__ = ["Done", "Footage", "Plan", "Selection", "Stretch", "after", "plan_frames", "stride_of"]
