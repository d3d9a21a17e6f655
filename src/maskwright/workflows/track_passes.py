"""Passes over a recording that fill the gaps of a plan: forwards from the keyframes before, backwards from those after.

Gaps of several tracks that share frames are filled together, so that they share the decoding and the embeddings. Where
a gap has keyframes on both sides, what came forwards waits in a file on the disk until the way back meets it, and each
frame takes the better of the two. Memory holds a few frames, however long the recording is.
"""

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Protocol, Self

from maskwright.core import RLE, Image, MaskPrompt, Prompt
from maskwright.core.errors import MaskwrightError, ServeError
from maskwright.datasets.backwards import backwards
from maskwright.datasets.frame_source import Episode
from maskwright.masks import empty_mask
from maskwright.predict.tracking import TrackedFrame, TrackedMask, Tracker, better_of
from maskwright.workflows.annotate_plan import Footage, Stretch
from maskwright.workflows.channel import ahead
from maskwright.workflows.stages import DecodedFrame, SkippedFrames, decode_frames
from maskwright.workflows.track_plan import Gap, Seed

_QUEUED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledFrame:
    """A frame and the masks that gaps get there, and the first masks of objects that were found.

    Of a found object, the gap is what follows, and its keyframe before is to be made of the mask. `is_cut` says that
    the picture changed as a whole before this frame.
    """

    frame: DecodedFrame
    masks: tuple[tuple[Gap, TrackedMask], ...]
    found: tuple[tuple[Gap, TrackedMask], ...] = ()
    is_cut: bool = False


class Finder(Protocol):
    """Decides about objects that a tracker found: makes the gap of one that is new, None for one that is known."""

    def __call__(self, mask: TrackedMask, item: DecodedFrame) -> Gap | None:
        """Look at the first mask of an object."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The frames of one camera, and where masks to start from are read."""

    footage: Footage
    episode: Episode
    camera: str
    mask_of: Callable[[str], RLE]

    def decode(self, numbers: Sequence[int], *, is_backwards: bool) -> Iterator[DecodedFrame | SkippedFrames]:
        """Decode rising numbers, in their order or in reverse."""
        runs = _runs(numbers)
        if not is_backwards:
            stretches = [Stretch(episode=self.episode, camera=self.camera, numbers=run) for run in runs]
            yield from decode_frames(self.footage, stretches)
            return
        for run in reversed(runs):
            yield from backwards(self._read, run, size_of=_bytes_of)

    def _read(self, numbers: Sequence[int]) -> Iterable[DecodedFrame | SkippedFrames]:
        return decode_frames(self.footage, [Stretch(episode=self.episode, camera=self.camera, numbers=numbers)])


def clusters(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Group gaps that share frames, in the order of their first frames."""
    found: list[list[Gap]] = []
    last = -1
    for gap in sorted(gaps, key=lambda one: (one.first, one.last)):
        if gap.first > last:
            found.append([])
        found[-1].append(gap)
        last = max(last, gap.last)
    return found


def num_steps(gaps: Iterable[Gap]) -> int:
    """Count the frames that passes will show to trackers."""
    return sum(
        len(_numbers(legs, is_backwards=is_backwards))
        for cluster in clusters(gaps)
        for is_backwards in (False, True)
        if (legs := _legs(cluster, is_backwards=is_backwards))
    )


def fill(
    recording: Recording,
    cluster: Sequence[Gap],
    make_tracker: Callable[[], Tracker],
    step: Callable[[], None],
    *,
    finder: Finder | None = None,
) -> Iterator[FilledFrame | SkippedFrames]:
    """Fill gaps that share frames; `step` is called for each frame that a tracker was shown.

    With a `finder`, what the tracker finds by itself on the way forwards is followed too.
    """
    with _Spool() as spool:
        for is_backwards in (False, True):
            legs = _legs(cluster, is_backwards=is_backwards)
            one = _Pass(recording, legs, make_tracker(), is_backwards=is_backwards, finder=finder)
            for item in one.run(_numbers(legs, is_backwards=is_backwards)):
                step()
                if isinstance(item, FilledFrame):
                    item = _settle(item, spool, is_backwards=is_backwards)
                if item is not None:
                    yield item


def search(
    recording: Recording, numbers: range, tracker: Tracker, step: Callable[[], None], finder: Finder
) -> Iterator[FilledFrame | SkippedFrames]:
    """Follow what a tracker finds by itself on frames on which nothing is tracked yet."""
    for item in _Pass(recording, (), tracker, is_backwards=False, finder=finder).run(numbers):
        step()
        yield item


@dataclass(frozen=True, slots=True)
class _Leg:
    """The way of one gap in one direction."""

    gap: Gap
    seeds: tuple[Seed, ...]


def _legs(cluster: Sequence[Gap], *, is_backwards: bool) -> list[_Leg]:
    """List what a direction has to do; a gap between two keyframes without pixels needs frames, and no tracker."""
    if is_backwards:
        return [_Leg(gap, gap.seeds_after) for gap in cluster if gap.seeds_after]
    return [_Leg(gap, gap.seeds_before) for gap in cluster if gap.seeds_before or not gap.seeds_after]


def _numbers(legs: Sequence[_Leg], *, is_backwards: bool) -> list[int]:
    """List the frames that a direction needs: those of the gaps, of the seeds, and from the last seed on."""
    wanted: set[int] = set()
    for leg in legs:
        wanted.update(seed.index for seed in leg.seeds)
        near = leg.seeds[-1].index if leg.seeds else None
        first, last = leg.gap.first, leg.gap.last
        if is_backwards:
            wanted.update(range(first, last + 1 if near is None else near))
        else:
            wanted.update(range(first if near is None else near + 1, last + 1))
    return sorted(wanted)


class _Pass:
    """One direction through the frames of some legs."""

    def __init__(
        self,
        recording: Recording,
        legs: Sequence[_Leg],
        tracker: Tracker,
        *,
        is_backwards: bool,
        finder: Finder | None = None,
    ) -> None:
        self._recording, self._legs, self._is_backwards = recording, legs, is_backwards
        self._tracker, self._finder = tracker, None if is_backwards else finder
        self._pending: dict[str, Prompt] = {}
        self._found: dict[str, Gap] = {}
        waiting = [(seed, leg) for leg in legs for seed in leg.seeds]
        # what comes next is at the end
        self._waiting = sorted(waiting, key=lambda one: one[0].index, reverse=not is_backwards)
        self._started: list[_Leg] = []

    def run(self, numbers: Sequence[int]) -> Iterator[FilledFrame | SkippedFrames]:
        decoded = self._recording.decode(numbers, is_backwards=self._is_backwards)
        with closing(ahead(decoded, size=_QUEUED, name="decode")) as frames:
            for item in frames:
                yield item if isinstance(item, SkippedFrames) else self._step(item)

    def _step(self, item: DecodedFrame) -> FilledFrame | SkippedFrames:
        index = item.frame.ref.frame_index
        self._start_until(index)
        here = [leg.gap for leg in self._legs if leg.gap.first <= index <= leg.gap.last]
        tracked: TrackedFrame | None = None
        if self._pending or self._tracker.tracks or self._finder is not None:
            try:
                tracked = self._tracker.step(item.frame.image, self._pending)
            except ServeError:
                raise  # the job was stopped, or the server: no fault of the frame's
            except MaskwrightError as error:
                return SkippedFrames(name=item.name, reason=str(error))
        prompts, self._pending = self._pending, {}
        masks = [(gap, _mask_of(tracked, gap.track, item.frame.image)) for gap in here]
        masks += [(gap, _mask_of(tracked, name, item.frame.image)) for name, gap in self._found.items()]
        found = tuple(self._look_at_new(tracked, item)) if tracked is not None and self._finder is not None else ()
        self._forget_until(index)
        is_cut = tracked is not None and tracked.is_cut and not prompts
        return FilledFrame(frame=item, masks=tuple(masks), found=found, is_cut=is_cut)

    def _look_at_new(self, tracked: TrackedFrame, item: DecodedFrame) -> Iterator[tuple[Gap, TrackedMask]]:
        known = {leg.gap.track for leg in self._legs} | self._found.keys()
        for mask in tracked.masks:
            if mask.track not in known and self._finder is not None:
                gap = self._finder(mask, item)
                if gap is None:
                    self._tracker.forget(mask.track)
                else:
                    self._found[mask.track] = gap
                    yield gap, mask

    def _start_until(self, index: int) -> None:
        """Take the seeds of this frame, and of frames before it that could not be decoded or used."""
        while self._waiting and not self._is_ahead(self._waiting[-1][0].index, index):
            seed, leg = self._waiting.pop()
            self._started.append(leg)
            self._pending[leg.gap.track] = MaskPrompt(self._recording.mask_of(seed.record_id))

    def _forget_until(self, index: int) -> None:
        """Let the tracker forget what has no frames left."""
        ends = ((leg, leg.gap.first if self._is_backwards else leg.gap.last) for leg in self._started)
        self._started = [leg for leg, end in ends if self._is_ahead(end, index)]
        live = {leg.gap.track for leg in self._started} | self._found.keys()
        for track in self._tracker.tracks:
            if track not in live:
                self._tracker.forget(track)

    def _is_ahead(self, other: int, index: int) -> bool:
        return other < index if self._is_backwards else other > index


def _mask_of(tracked: TrackedFrame | None, track: str, image: Image) -> TrackedMask:
    """What a tracker says of a track; one that it gave up, or that has no pixels to start from, is outside."""
    for mask in tracked.masks if tracked is not None else ():
        if mask.track == track:
            return mask
    return TrackedMask(track=track, rle=empty_mask(image.size_hw), source="carried", state="outside", confidence=0.0)


def _settle(item: FilledFrame, spool: "_Spool", *, is_backwards: bool) -> FilledFrame | None:
    """Lay aside what waits for the other direction, and choose where both have come; None where nothing is left."""
    index = item.frame.frame.ref.frame_index
    ready: list[tuple[Gap, TrackedMask]] = []
    for gap, mask in item.masks:
        has_both = bool(gap.seeds_before and gap.seeds_after)
        if not has_both:
            ready.append((gap, mask))
        elif not is_backwards:
            spool.put(gap.track, index, mask)
        else:
            forward = spool.take(gap.track, index)
            ready.append((gap, mask if forward is None else better_of(forward, mask, share=_share(gap, index))))
    is_cut = item.is_cut and not is_backwards
    if not (ready or item.found or is_cut):
        return None
    return FilledFrame(frame=item.frame, masks=tuple(ready), found=item.found, is_cut=is_cut)


def _share(gap: Gap, index: int) -> float:
    """How far along the way from its keyframe before to the one after a frame lies, 0 to 1."""
    assert gap.before is not None
    assert gap.after is not None
    return (index - gap.before.index) / (gap.after.index - gap.before.index)


class _Spool:
    """Masks on the disk, by track and frame."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="maskwright-tracks-")  # noqa: SIM115 (closed with this)
        self._places: dict[tuple[str, int], int] = {}

    def put(self, track: str, index: int, mask: TrackedMask) -> None:
        self._file.seek(0, 2)
        self._places[track, index] = self._file.tell()
        pickle.dump(mask, self._file)

    def take(self, track: str, index: int) -> TrackedMask | None:
        place = self._places.pop((track, index), None)
        if place is None:
            return None
        self._file.seek(place)
        return pickle.load(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _runs(numbers: Sequence[int]) -> list[range]:
    """Cut rising numbers into stretches without holes."""
    if not numbers:
        return []
    edges = [0, *(at for at, (a, b) in enumerate(pairwise(numbers), 1) if b != a + 1), len(numbers)]
    return [range(numbers[a], numbers[b - 1] + 1) for a, b in pairwise(edges)]


def _bytes_of(item: DecodedFrame | SkippedFrames) -> int:
    return item.frame.image.pixels.nbytes if isinstance(item, DecodedFrame) else 0


__all__ = ["FilledFrame", "Finder", "Recording", "clusters", "fill", "num_steps", "search"]
