"""Tracks of a store as they are, and what people do to whole ones: rename, merge, split, cut, delete; and undo.

Each edit is one write of review events, so the moment that it gives is all that undoing it takes. Nothing is lost: a
deleted track is rejected masks, a merged one masks of another name. Where a track begins or ends for good, an empty
keyframe says so, and no tracker goes past it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from maskwright.core import (
    Accept,
    Action,
    MaskRecord,
    Merge,
    ProcessingStep,
    Provenance,
    Reject,
    Relabel,
    ResolvedRecord,
    Retrack,
    Revert,
    ReviewEvent,
    TrackPoint,
    new_id,
)
from maskwright.core.errors import SettingError
from maskwright.masks import empty_mask
from maskwright.predict.records import utc_now
from maskwright.store import LISTED, MaskStore, Query, SeenFrame
from maskwright.workflows.store_facts import LISTED as LISTED_SQL
from maskwright.workflows.track_writer import absorptions

END = "end_track"  # the step of an empty keyframe beyond which there is no track
_KNOWN = (*LISTED, "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which recordings are meant; None is any."""

    dataset: str | None = None
    episode: str | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """A track on one camera: its frames, how many by state, how many are keyframes, how sure the tracker was."""

    dataset: str | None
    episode: str | None
    camera: str | None
    track: str
    label: str | None
    first_frame: int | None
    last_frame: int | None
    num_masks: int
    num_visible: int
    num_occluded: int
    num_outside: int
    num_keyframes: int
    mean_confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEdit:
    """What an edit did, at the moment by which it is undone."""

    moment: int
    num_masks: int
    says: str


def tracks_of(store: MaskStore, where: Where | None = None) -> list[TrackSummary]:
    """Describe every track, in the order of recordings and names."""
    conditions, values = ["track IS NOT NULL"], []
    for column, value in asdict(where or Where()).items():
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    with store.sql() as views:
        rows = views.execute(f"{_SUMMARY} WHERE {LISTED_SQL} AND {' AND '.join(conditions)} {_GROUPS}", values)
        return [TrackSummary(**dict(zip(_FIELDS, row, strict=True))) for row in rows.fetchall()]


class TrackEditor:
    """Edits of the tracks of some recordings of a store, by `actor`."""

    def __init__(
        self, store: MaskStore, *, actor: str, where: Where | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._store, self._actor, self._clock = store, actor, clock
        self._where = where or Where()

    def rename(self, track: str, new: str) -> TrackEdit:
        """Give a track another name.

        Raises:
            SettingError: there is no such track, or one of the new name in the same recording.
        """
        _check_name(new)
        masks = self._masks(track)
        taken = set(map(_recording, self._found(new)))
        if taken & set(map(_recording, masks)):
            raise SettingError(f"there is a track {new!r} already. Merge the two instead: --merge {new},{track}")
        moment = self._append((mask, Retrack(new)) for mask in masks)
        return TrackEdit(moment=moment, num_masks=len(masks), says=f"{track} is called {new} now")

    def merge(self, track: str, other: str) -> TrackEdit:
        """Make `other` part of `track`: where both have a mask, the keyframe, the visible one, the surer one stays.

        Raises:
            SettingError: one of them is not there.
        """
        if track == other:
            raise SettingError(f"a merge needs two tracks, got {track!r} twice")
        stay, come = self._masks(track), self._masks(other)
        label = next((mask.record.label for mask in stay if mask.record.label), None)
        here = {_place(mask): mask for mask in stay if mask.is_listed}
        steps: list[tuple[ResolvedRecord, Action]] = []
        num_both = 0
        for mask in come:
            rival = here.get(_place(mask)) if mask.is_listed else None
            if rival is not None:
                num_both += 1
                winner, loser = sorted((rival, mask), key=_rank, reverse=True)
                steps.append((winner, Merge((loser.record.id,))))
            steps.append((mask, Retrack(track)))
            if label is not None and mask.record.label != label:
                steps.append((mask, Relabel(label)))
        both = f"; on {num_both} frames both had a mask, and the surer one stays" if num_both else ""
        return TrackEdit(moment=self._append(steps), num_masks=len(come), says=f"{other} is part of {track} now{both}")

    def split(self, track: str, at: int, new: str | None = None) -> TrackEdit:
        """Make a track of its own of what comes from frame `at` on; each ends where the other begins.

        Raises:
            SettingError: there is no such track, it is in several recordings, or does not go over that frame.
        """
        masks = self._one_recording(track)
        before, after = _parted(masks, track, at)
        name = new or self._free_name(track)
        _check_name(name)
        if self._found(name):
            raise SettingError(f"there is a track {name!r} already. Give the new one another name: {track}@{at}=NAME")
        last, first = before[-1], next((mask for mask in after if mask.is_listed), after[0])
        ends = [self._end(last, at, track), self._end(last, at - 1, name)]
        self._store.put(ends)
        steps: list[tuple[ResolvedRecord, Action]] = [(mask, Retrack(name)) for mask in after]
        if not any(mask.is_keyframe for mask in after):
            steps.append((first, Accept()))  # something has to be what the others are propagated from
        steps += [(ResolvedRecord(record=end), Accept()) for end in ends]
        return TrackEdit(
            moment=self._append(steps), num_masks=len(after), says=f"{track} from frame {at} on is called {name} now"
        )

    def cut(self, track: str, at: int) -> TrackEdit:
        """End a track before frame `at`: its masks from there on go.

        Raises:
            SettingError: there is no such track, it is in several recordings, or does not go over that frame.
        """
        before, after = _parted(self._one_recording(track), track, at)
        end = self._end(before[-1], at, track)
        self._store.put([end])
        gone = [mask.record.id for mask in after if mask.is_listed]
        actions: list[Action] = [*absorptions(gone), Accept()]
        moment = self._append((ResolvedRecord(record=end), action) for action in actions)
        return TrackEdit(moment=moment, num_masks=len(gone), says=f"{track} ends before frame {at}")

    def delete(self, track: str) -> TrackEdit:
        """Reject every mask of a track.

        Raises:
            SettingError: there is no such track.
        """
        masks = [mask for mask in self._masks(track) if mask.is_listed]
        moment = self._append((mask, Reject("its track was deleted")) for mask in masks)
        return TrackEdit(moment=moment, num_masks=len(masks), says=f"{track} is deleted")

    def undo(self, moment: int) -> TrackEdit:
        """Take back all that was decided at a moment; the moment that this gives redoes it.

        Raises:
            SettingError: nothing was decided then.
        """
        with self._store.sql() as views:
            rows = views.execute(
                "SELECT id, record_id, kind FROM events WHERE moment = ? ORDER BY position", [moment]
            ).fetchall()
        if not rows:
            raise SettingError(f"nothing was decided at moment {moment}: {self._store.path}")
        events = [
            self._event(record_id, Reject("undone") if kind == "accept" and self._is_end(record_id) else Revert(id_))
            for id_, record_id, kind in reversed(rows)
        ]
        num_masks = len({record_id for _, record_id, _ in rows})
        return TrackEdit(moment=self._store.append(events), num_masks=num_masks, says=f"moment {moment} is undone")

    def _is_end(self, record_id: str) -> bool:
        steps = self._store.record(record_id).record.provenance.steps
        return any(step.name == END for step in steps)

    def _found(self, track: str) -> list[ResolvedRecord]:
        query = Query(track=track, status=_KNOWN, **asdict(self._where))
        return list(self._store.query(query))

    def _masks(self, track: str) -> list[ResolvedRecord]:
        """The masks of a track in frame order, rejected ones too, since they say that nothing belongs there."""
        masks = self._found(track)
        if not any(mask.is_listed for mask in masks):
            raise SettingError(f"no track is called {track!r}. List them with: maskwright tracks {self._store.path}")
        return masks

    def _one_recording(self, track: str) -> list[ResolvedRecord]:
        masks = [mask for mask in self._masks(track) if mask.record.frame is not None]
        places = list(dict.fromkeys(map(_recording, masks)))
        if len(places) != 1:
            told = ", ".join("/".join(map(str, place)) for place in places[:3]) or "loose pictures"
            raise SettingError(
                f"the track {track!r} is in {len(places)} recordings ({told}); say which with --episode and --camera"
            )
        return masks

    def _free_name(self, track: str) -> str:
        number = 2
        while self._found(f"{track} {number}"):
            number += 1
        return f"{track} {number}"

    def _end(self, like: ResolvedRecord, index: int, track: str) -> MaskRecord:
        """Make the empty keyframe that keeps a track from a frame on, on the recording of another mask."""
        frame = self._frame(like.record, index)
        assert frame.ref is not None
        step = ProcessingStep(name=END, parameters={"frame": index})
        return MaskRecord(
            id=new_id(),
            image_digest=frame.image_digest or "",
            rle=empty_mask(frame.size_hw),
            box_xyxy=(0, 0, 0, 0),
            area=0,
            provenance=Provenance(
                method="human_drawn", created_at=self._clock(), actor=self._actor, steps=(step,), source="tracks"
            ),
            frame=frame.ref,
            label=like.record.label,
            track=track,
            track_point=TrackPoint(source="keyframe", state="outside"),
        )

    def _frame(self, record: MaskRecord, index: int) -> SeenFrame:
        ref = record.frame
        assert ref is not None
        query = Query(dataset=ref.dataset, episode=ref.episode, camera=ref.camera, first_frame=index, last_frame=index)
        found = next(self._store.frames(query), None)
        if found is not None:
            return found.frame
        place = replace(ref, frame_index=index, timestamp_s=None)
        return SeenFrame(name=f"{ref.episode}/{ref.camera}/{index:06d}", size_hw=record.rle.size_hw, ref=place)

    def _append(self, steps: Iterable[tuple[ResolvedRecord, Action]]) -> int:
        return self._store.append([self._event(mask.record.id, action) for mask, action in steps])

    def _event(self, record_id: str, action: Action) -> ReviewEvent:
        return ReviewEvent(id=new_id(), record_id=record_id, actor=self._actor, at=self._clock(), action=action)


def _check_name(name: str) -> None:
    if not name.strip():
        raise SettingError("a track needs a name, got an empty one")


def _recording(mask: ResolvedRecord) -> tuple[str | None, ...]:
    ref = mask.record.frame
    return (None, None, None) if ref is None else (ref.dataset, ref.episode, ref.camera)


def _place(mask: ResolvedRecord) -> tuple[Any, ...]:
    ref = mask.record.frame
    return (mask.record.image_digest,) if ref is None else (*_recording(mask), ref.frame_index)


def _rank(mask: ResolvedRecord) -> tuple[bool, bool, float]:
    point = mask.record.track_point
    return mask.is_keyframe, mask.record.area > 0, point.confidence if point else 1.0


def _parted(masks: Sequence[ResolvedRecord], track: str, at: int) -> tuple[list[ResolvedRecord], list[ResolvedRecord]]:
    indexed = [(mask.record.frame.frame_index, mask) for mask in masks if mask.record.frame is not None]
    before = [mask for index, mask in indexed if index < at]
    after = [mask for index, mask in indexed if index >= at]
    if not before or not after:
        first, last = indexed[0][0], indexed[-1][0]
        raise SettingError(
            f"the track {track!r} has frames {first} to {last}; it can be parted at {first + 1} to {last}, got {at}"
        )
    return before, after


def _summaries() -> Iterator[tuple[str, str]]:
    """What each field of a summary is in SQL."""
    state = "CASE WHEN edited_by IS NOT NULL THEN if(area > 0, 'visible', 'outside') ELSE track_state END"
    for column in ("dataset", "episode", "camera", "track"):
        yield column, column
    yield "label", "mode(label)"
    yield "first_frame", "min(frame_index)"
    yield "last_frame", "max(frame_index)"
    yield "num_masks", "count(*)"
    for name in ("visible", "occluded", "outside"):
        yield f"num_{name}", f"count(*) FILTER (coalesce({state}, 'visible') = '{name}')"
    yield (
        "num_keyframes",
        "count(*) FILTER (coalesce(track_source, 'keyframe') = 'keyframe' OR edited_by IS NOT NULL "
        "OR verified_by IS NOT NULL)",
    )
    yield "mean_confidence", "avg(track_confidence)"


_FIELDS = tuple(name for name, _ in _summaries())
_SUMMARY = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in _summaries())} FROM masks"
_GROUPS = "GROUP BY ALL ORDER BY ALL"

__all__ = ["END", "TrackEdit", "TrackEditor", "TrackSummary", "Where", "tracks_of"]
