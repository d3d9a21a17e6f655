"""`evaluate_tracking`: show video to trackers, and keep how well each object was followed.

The protocol is DAVIS's semi-supervised one: a tracker is given each object once, on the first frame that shows 100
pixels of it (as in YouTube-VOS, where objects may come later), and follows it to the end without help. The frame of
the prompt and the last frame of the video are left out of every score, as there; `keep_ends` counts them too.

Each tracker sees each video by itself, so that times are its own. One frame is in memory at a time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from maskwright.core import RLE, BoxPrompt, MaskPrompt, PointPrompt, Prompt
from maskwright.core.errors import InputError, SettingError
from maskwright.evaluate.clicks import middle_click
from maskwright.evaluate.identities import IdentityBook
from maskwright.evaluate.sequences import LabelledSequence, MissedFrame, SequenceFrame
from maskwright.evaluate.stretches import Stretch, StretchBook, StretchFrame
from maskwright.evaluate.track_meter import TrackMeter, TrackScores
from maskwright.masks import area, box_xyxy, decode, empty_mask
from maskwright.predict.tracking import Tracker

Start = Literal["mask", "box", "click"]
STARTS: tuple[Start, ...] = get_args(Start)
# A tracker is given an object once so many pixels of it are seen: of a sliver at the picture's rim nobody could tell
# what it is.
LEAST_START = 100
# Told with the number of frames done and their total, over all trackers and videos.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A tracker by the name that it has in tables; `make` gives a new one for each video."""

    name: str
    make: Callable[[], Tracker]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedObject:
    """One object of one video: the frame of its prompt, and the frames that its scores are of."""

    key: str
    label: str | None
    start: int
    frames: tuple[int, ...]
    scores: TrackScores


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceScores:
    """How one tracker did on one video. `step_s` are the seconds of each frame but the first, in order."""

    tracker: str
    sequence: str
    objects: tuple[FollowedObject, ...]
    num_switches: int
    step_s: tuple[float, ...]
    worst: Stretch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEvaluation:
    """All trackers on all videos, and what was left out and why."""

    dataset: str
    start: Start
    keep_ends: bool
    trackers: tuple[str, ...]
    sequences: tuple[str, ...]
    num_frames: int
    scores: tuple[SequenceScores, ...]
    notes: tuple[str, ...]

    def of(self, tracker: str) -> list[SequenceScores]:
        """The scores of one tracker, video by video."""
        return [one for one in self.scores if one.tracker == tracker]


def evaluate_tracking(
    contenders: Sequence[Contender],
    sequences: Sequence[LabelledSequence],
    *,
    dataset: str,
    start: Start = "mask",
    keep_ends: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrackEvaluation:
    """Let every tracker follow every object of every video.

    A frame that cannot be read is not shown and is told in a note. A video whose masks do not fit is left out with a
    note, unless all are.

    Raises:
        SettingError: two trackers have one name, there is none, or `start` is unknown.
        InputError: no video could be used; the first one's error.
        UnsupportedPrompt: a tracker cannot be started so.
    """
    check_start(start)
    names = [one.name for one in contenders]
    if not names or len(set(names)) < len(names):
        raise SettingError(f"expected trackers of different names, at least one; got {', '.join(names) or 'none'}")
    run = _Run(start=start, keep_ends=keep_ends, clock=clock, progress=progress)
    run.num_total = len(contenders) * sum(one.num_frames for one in sequences)
    for sequence in sequences:
        run.show(sequence, contenders)
    return run.finish(dataset, names)


def check_start(start: str) -> None:
    """Refuse a start that there is none of.

    Raises:
        SettingError: it is unknown.
    """
    if start not in STARTS:
        raise SettingError(f"tracks start from one of {', '.join(STARTS)}; got {start}")


@dataclass(slots=True, kw_only=True)
class _Run:
    """What has been gathered so far."""

    start: Start
    keep_ends: bool
    clock: Callable[[], float]
    progress: Progress | None
    num_total: int = 0
    num_done: int = 0
    num_frames: int = 0
    scores: list[SequenceScores] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unusable: list[InputError] = field(default_factory=list)

    def show(self, sequence: LabelledSequence, contenders: Sequence[Contender]) -> None:
        """Show one video to all, or to none."""
        before = self.num_done
        try:
            found = [self._follow(sequence, one, tell=one is contenders[0]) for one in contenders]
            if not any(one.objects for one in found):
                raise InputError(f"no object of {sequence.name} has {LEAST_START} pixels on any frame with masks")
        except InputError as error:
            self.unusable.append(error)
            self.notes.append(f"{sequence.name} could not be used: {error}")
        else:
            self.scores += found
            self.used.append(sequence.name)
            self.num_frames += sequence.num_frames
        self.num_done = before + len(contenders) * sequence.num_frames

    def _follow(self, sequence: LabelledSequence, contender: Contender, *, tell: bool) -> SequenceScores:
        follower = _Follower(self, sequence, contender.make())
        for frame in sequence.read(0, None):
            if isinstance(frame, MissedFrame):
                follower.miss()
                if tell:
                    self.notes.append(f"frame {frame.index} of {sequence.name} was skipped: {frame.error}")
            else:
                follower.see(frame)
            self.num_done += 1
            if self.progress is not None:
                self.progress(self.num_done, self.num_total)
        return follower.finish(contender.name)

    def finish(self, dataset: str, names: Sequence[str]) -> TrackEvaluation:
        """Close the run."""
        if not self.scores:
            raise self.unusable[0] if self.unusable else InputError("there is no video to follow anything in")
        return TrackEvaluation(
            dataset=dataset,
            start=self.start,
            keep_ends=self.keep_ends,
            trackers=tuple(names),
            sequences=tuple(self.used),
            num_frames=self.num_frames,
            scores=tuple(self.scores),
            notes=tuple(self.notes),
        )


@dataclass(slots=True)
class _Waiting:
    """A frame that will be scored once another follows: what was answered, what is true, what was asked."""

    index: int
    answers: dict[str, RLE]
    truth: dict[str, RLE]
    asked: frozenset[str]


class _Follower:
    """One tracker on one video."""

    def __init__(self, run: _Run, sequence: LabelledSequence, tracker: Tracker) -> None:
        self._run, self._sequence, self._tracker = run, sequence, tracker
        self._meters: dict[str, TrackMeter] = {}
        self._starts: dict[str, int] = {}
        self._frames: dict[str, list[int]] = {}
        self._identities = IdentityBook()
        self._stretches = StretchBook()
        self._waiting: _Waiting | None = None
        self._step_s: list[float] = []
        self._has_begun = False

    def see(self, frame: SequenceFrame) -> None:
        """Show the next frame; nothing is shown before the first object is seen."""
        truth = dict(frame.truth or {})
        new = {key: rle for key, rle in truth.items() if key not in self._starts and area(rle) >= LEAST_START}
        if not new and not self._starts:
            return
        prompts = {key: _prompt(rle, self._run.start) for key, rle in new.items()}
        started = self._run.clock()
        tracked = self._tracker.step(frame.image, prompts)
        seconds = self._run.clock() - started
        if self._has_begun:
            self._step_s.append(seconds)
        self._has_begun = True
        self._settle()
        for key in new:
            self._starts[key] = frame.index
        if frame.truth is None:
            self._skip()
        else:
            empty = empty_mask(frame.image.size_hw)
            known = {key: truth.get(key, empty) for key in self._starts}
            answers = {mask.track: mask.rle for mask in tracked.masks}
            self._waiting = _Waiting(frame.index, answers, known, frozenset(new))

    def miss(self) -> None:
        """Say that a frame could not be read."""
        self._settle()
        self._skip()

    def finish(self, tracker: str) -> SequenceScores:
        """Close the video."""
        if self._run.keep_ends:
            self._settle()
        elif self._waiting is not None:
            self._begin_meters(self._waiting)
        objects = tuple(
            FollowedObject(
                key=key,
                label=self._sequence.labels.get(key),
                start=self._starts[key],
                frames=tuple(self._frames[key]),
                scores=meter.scores(),
            )
            for key, meter in self._meters.items()
        )
        return SequenceScores(
            tracker=tracker,
            sequence=self._sequence.name,
            objects=objects,
            num_switches=self._identities.num_switches,
            step_s=tuple(self._step_s),
            worst=self._stretches.worst,
        )

    def _settle(self) -> None:
        """Score the frame that waits, because it is not the last."""
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        self._begin_meters(waiting)
        scored = [key for key in self._meters if self._run.keep_ends or key not in waiting.asked]
        if not scored:
            return
        overlaps = []
        for key in scored:
            answer = waiting.answers.get(key, empty_mask(waiting.truth[key].size_hw))
            overlaps.append(self._meters[key].add(answer, waiting.truth[key])[0])
            self._frames[key].append(waiting.index)
        self._identities.add(waiting.answers, {key: waiting.truth[key] for key in scored})
        self._stretches.add(
            StretchFrame(
                index=waiting.index,
                truth={key: waiting.truth[key] for key in scored},
                answers=waiting.answers,
                mean_j=float(np.mean(overlaps)),
            )
        )

    def _skip(self) -> None:
        for meter in self._meters.values():
            meter.skip()

    def _begin_meters(self, waiting: _Waiting) -> None:
        for key in self._starts:
            if key in waiting.asked and key not in self._meters:
                self._meters[key] = TrackMeter(start=waiting.truth[key])
                self._frames[key] = []
                self._identities.begin(key)


def _prompt(truth: RLE, start: Start) -> Prompt:
    """What the tracker is told of an object, from its true mask."""
    if start == "mask":
        return MaskPrompt(truth)
    if start == "box":
        return BoxPrompt(box_xyxy(truth))
    inside = decode(truth)
    return PointPrompt([middle_click(np.zeros_like(inside), inside).xy])


__all__ = [
    "LEAST_START",
    "STARTS",
    "Contender",
    "FollowedObject",
    "SequenceScores",
    "Start",
    "TrackEvaluation",
    "check_start",
    "evaluate_tracking",
]
