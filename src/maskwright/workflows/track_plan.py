"""What is left to do of tracks: read from the store, which frames have masks of the keyframes as they are now.

A track's keyframes are its masks that no tracker made, and those that somebody edited or accepted. Every other frame
wants a mask whose anchors name the keyframes around it. What has it is done; what was rejected with these anchors
stays away; anything else is a gap. So a run that was killed goes on, and a keyframe that changes redoes its
neighbourhood up to the next keyframes, and nothing more. A mask that was accepted as the tracker made it redoes
nothing: masks around it that come from the same keyframes are as good as before, and it stands between them and what
is corrected beyond it.

An empty keyframe that somebody drew ends a track, or interrupts it until the next keyframe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from maskwright.core import ResolvedRecord, anchor
from maskwright.store import MaskStore, Query

FOUND = "found"  # the step of a mask that was found, not named: its object is not looked for before


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """A mask that others of its track are propagated from.

    A confirmed one a tracker made, from the keyframes `came_from` before and after it, and a person accepted.
    """

    index: int
    record_id: str
    anchor: str
    is_empty: bool
    came_from: tuple[str | None, str | None] | None = None
    is_found: bool = False
    label: str | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether a tracker made it."""
        return self.came_from is not None


@dataclass(frozen=True, slots=True)
class Seed:
    """A mask to start from."""

    index: int
    record_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Frames `first` to `last` of a track that want masks propagated from `before`, from `after`, or from both.

    `seeds_before` and `seeds_after` are what to show a tracker first: the keyframe, for the looks of the object, and
    where to go on from; none where that side has no pixels to give. `stale` are the masks that go when a frame gets its
    new one.
    """

    track: str
    label: str | None
    first: int
    last: int
    before: Keyframe | None
    after: Keyframe | None
    seeds_before: tuple[Seed, ...]
    seeds_after: tuple[Seed, ...]
    stale: Mapping[int, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @property
    def anchors(self) -> tuple[str, ...]:
        """What the masks of this gap are propagated from."""
        return tuple(one.anchor for one in (self.before, self.after) if one is not None)

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The ids of its keyframes."""
        return tuple(one.record_id for one in (self.before, self.after) if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPlan:
    """What is to do of one camera's tracks. `absorbed` are pairs of a stale mask and the one that it goes into."""

    gaps: tuple[Gap, ...] = ()
    absorbed: tuple[tuple[str, str], ...] = ()
    tracks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_left(self) -> int:
        """Masks that are to be made."""
        return sum(gap.last - gap.first + 1 for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class _Made:
    """A mask that a tracker made."""

    record_id: str
    anchors: tuple[str, ...]
    is_listed: bool
    can_seed: bool

    def fits(self, index: int, left: set[str | None], right: set[str | None]) -> bool:
        """Whether its anchors are among those that masks of its frame may have."""
        before, after = _sides(self.anchors, index)
        return before in left and after in right


def _sides(anchors: Sequence[str], index: int) -> tuple[str | None, str | None]:
    """Tell anchors before a frame from those after it."""
    before = next((one for one in anchors if int(one.partition(":")[0]) < index), None)
    return before, next((one for one in anchors if int(one.partition(":")[0]) > index), None)


@dataclass(slots=True)
class _Line:
    """A track as the store has it."""

    is_tracked: bool = False
    keyframes: list[Keyframe] = field(default_factory=list)
    made: dict[int, list[_Made]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, mask: ResolvedRecord, index: int) -> None:
        record, point = mask.record, mask.record.track_point
        self.is_tracked |= point is not None
        if mask.is_keyframe:
            self._take_keyframe(mask, index)
        elif point is not None and point.source != "keyframe":  # a rejected keyframe says nothing
            can_seed = mask.is_listed and record.area > 0 and point.state == "visible"
            made = _Made(record.id, point.anchors, mask.is_listed, can_seed)
            self.made.setdefault(index, []).append(made)

    def _take_keyframe(self, mask: ResolvedRecord, index: int) -> None:
        record, point = mask.record, mask.record.track_point
        is_confirmed = point is not None and point.source != "keyframe" and mask.edited_by is None
        keyframe = Keyframe(
            index=index,
            record_id=record.id,
            anchor=anchor(index, record.rle),
            is_empty=record.area == 0,
            came_from=_sides(point.anchors, index) if is_confirmed and point is not None else None,
            is_found=any(step.name == FOUND for step in record.provenance.steps),
            label=record.label,
        )
        if self.keyframes and self.keyframes[-1].index == index:
            self.notes.append(f"{record.track}: frame {index} has two keyframes; the one that came last counts")
            self.keyframes.pop()
        self.keyframes.append(keyframe)


def plan_tracks(
    store: MaskStore, dataset: str, episode: str, camera: str, numbers: range, tracks: Iterable[str] | None = None
) -> TrackPlan:
    """Find what is to do on frames `numbers` of a camera, for these tracks, or all that a tracker or prompt began."""
    wanted = None if tracks is None else tuple(tracks)
    query = Query(
        dataset=dataset,
        episode=episode,
        camera=camera,
        track=wanted,
        status=("proposed", "accepted", "rejected"),
        where="track IS NOT NULL",
    )
    lines: dict[str, _Line] = {}
    for mask in store.query(query):
        frame, track = mask.record.frame, mask.record.track
        if frame is not None and track is not None:  # as the query asks
            lines.setdefault(track, _Line()).take(mask, frame.frame_index)
    live = {name: line for name, line in lines.items() if line.keyframes and (line.is_tracked or wanted)}
    gaps, absorbed = [], []
    for name, line in live.items():
        found = _Planner(name, line, numbers)
        gaps += found.gaps()
        absorbed += found.absorbed
    notes = tuple(note for line in live.values() for note in line.notes)
    return TrackPlan(gaps=tuple(gaps), absorbed=tuple(absorbed), tracks=tuple(live), notes=notes)


class _Planner:
    """Plans one track."""

    def __init__(self, name: str, line: _Line, numbers: range) -> None:
        self._name, self._numbers, self._made, self._keyframes = name, numbers, line.made, line.keyframes
        self._label = next((one.label for one in line.keyframes if one.label), None)
        self.absorbed: list[tuple[str, str]] = []

    def gaps(self) -> list[Gap]:
        """Go from keyframe to keyframe."""
        for keyframe in self._keyframes:
            self._clear(range(keyframe.index, keyframe.index + 1), keyframe)
        return [gap for after in range(len(self._keyframes) + 1) for gap in self._between(after - 1, after)]

    def _between(self, before: int, after: int) -> Iterator[Gap]:
        """Find the gaps between two neighbours among the keyframes, or an end and the frames beyond it."""
        left, right = self._keyframe(before), self._keyframe(after)
        first = self._numbers.start if left is None else max(left.index + 1, self._numbers.start)
        stop = self._numbers.stop if right is None else min(right.index, self._numbers.stop)
        origins = self._origin(before, -1), self._origin(after, 1)
        is_over = (right is None and origins[0] is None) or (left is None and origins[1] is None)
        is_too_early = left is None and right is not None and right.is_found
        by = right or left
        if (is_over or is_too_early) and by is not None:
            self._clear(range(first, stop), by)
            return
        fitting = self._reach(before, -1), self._reach(after, 1)
        start: int | None = None
        for index in range(first, stop + 1):
            is_open = index < stop and not self._is_settled(index, *fitting)
            if is_open and start is None:
                start = index
            elif not is_open and start is not None:
                seeds_before = self._seeds(origins[0], range(start - 1, first - 1, -1), *fitting)
                seeds_after = self._seeds(origins[1], range(index, stop), *fitting)
                yield self._gap(range(start, index), left, right, seeds_before, seeds_after)
                start = None

    def _keyframe(self, position: int) -> Keyframe | None:
        return self._keyframes[position] if 0 <= position < len(self._keyframes) else None

    def _origin(self, position: int, step: int) -> Keyframe | None:
        """Find the keyframe that pixels come from on a side; what a tracker found empty is looked through."""
        while (keyframe := self._keyframe(position)) is not None:
            if not keyframe.is_empty:
                return keyframe
            if not keyframe.is_confirmed:
                return None
            position += step
        return None

    def _reach(self, position: int, step: int) -> set[str | None]:
        """List the anchors that masks may have on a side: the keyframe's, and those seen through confirmed ones."""
        found: set[str | None] = set()
        while (keyframe := self._keyframe(position)) is not None:
            found.add(keyframe.anchor)
            if keyframe.came_from is None:
                return found
            found.add(keyframe.came_from[step > 0])
            position += step
        return found | {None}

    def _is_settled(self, index: int, left: set[str | None], right: set[str | None]) -> bool:
        """Whether a frame has its mask, or somebody rejected it; other masks there go at once."""
        here = self._made.get(index, ())
        settled = [one for one in here if one.fits(index, left, right)]
        if not settled:
            return False
        kept = next((one for one in reversed(settled) if one.is_listed), settled[-1])
        self.absorbed += [(one.record_id, kept.record_id) for one in here if one.is_listed and one is not kept]
        return True

    def _clear(self, numbers: range, by: Keyframe) -> None:
        """Take away what a tracker made where it has no place any more."""
        for index in numbers:
            self.absorbed += [(one.record_id, by.record_id) for one in self._made.get(index, ()) if one.is_listed]

    def _gap(
        self,
        numbers: range,
        before: Keyframe | None,
        after: Keyframe | None,
        seeds_before: tuple[Seed, ...],
        seeds_after: tuple[Seed, ...],
    ) -> Gap:
        here = ((index, [one.record_id for one in self._made.get(index, ()) if one.is_listed]) for index in numbers)
        return Gap(
            track=self._name,
            label=next((one.label for one in (before, after) if one is not None and one.label), self._label),
            first=numbers.start,
            last=numbers.stop - 1,
            before=before,
            after=after,
            seeds_before=seeds_before,
            seeds_after=seeds_after,
            stale={index: tuple(ids) for index, ids in here if ids},
        )

    def _seeds(
        self, origin: Keyframe | None, towards: Sequence[int], left: set[str | None], right: set[str | None]
    ) -> tuple[Seed, ...]:
        """Show the keyframe, then the nearest mask on the way to it that shows the object, if there is one."""
        if origin is None:
            return ()
        keyframe = Seed(origin.index, origin.record_id)
        for index in towards:
            good = [one for one in self._made.get(index, ()) if one.can_seed and one.fits(index, left, right)]
            if good:
                return keyframe, Seed(index, good[-1].record_id)
        return (keyframe,)


__all__ = ["FOUND", "Gap", "Keyframe", "Seed", "TrackPlan", "plan_tracks"]
