"""The fold of review events over a record: `resolve`. Pure, so that the same events give the same record anywhere.

    Accept       the pixels are right as they are
    Reject       the mask must not be used
    Edit         new pixels; an earlier decision was about other pixels and is taken back
    Relabel      a new label; decisions stand
    Retrack      another track; decisions stand
    Reparent     a part of another record, or of none; decisions stand
    Merge        the absorbed records are "merged"; the record itself keeps its pixels until an Edit brings the union
    Split        the record is "split"; a split that is undone leaves its pieces "merged"
    Revert       the event named no longer counts; a revert that is itself reverted no longer counts either
    Comment      something is said; the mask stays as it is

Events count in the order in which they were appended, never by their clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord, SignedComment, Status
from maskwright.core.review_event import (
    Accept,
    Comment,
    Edit,
    Merge,
    Reject,
    Relabel,
    Reparent,
    Retrack,
    Revert,
    ReviewEvent,
    Split,
)
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import area, box_xyxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the events of one record come to, before they meet the record: None where they leave it as it was."""

    status: Status = "proposed"
    verified_by: str | None = None
    verified_at: datetime | None = None
    edited_by: str | None = None
    num_events: int = 0
    as_of: datetime | None = None
    rle: RLE | None = None
    box_xyxy: BoxXYXY | None = None
    area: int | None = None
    is_relabelled: bool = False
    label: str | None = None
    is_retracked: bool = False
    track: str | None = None
    is_reparented: bool = False
    parent: str | None = None
    comments: tuple[SignedComment, ...] = ()


@dataclass(slots=True)
class _Fold:
    """The state between two events. `decision` is what people said, `standing` what merges and splits did."""

    decision: Status = "proposed"
    standing: Status | None = None
    verified_by: str | None = None
    verified_at: datetime | None = None
    edited_by: str | None = None
    rle: RLE | None = None
    relabel: Relabel | None = None
    retrack: Retrack | None = None
    reparent: Reparent | None = None
    comments: list[SignedComment] = field(default_factory=list)

    def decide(self, status: Status, by: ReviewEvent | None = None) -> None:
        self.decision = status
        self.verified_by = by.actor if by else None
        self.verified_at = by.at if by else None


def resolve(record: MaskRecord, events: Sequence[ReviewEvent]) -> ResolvedRecord:
    """Fold the events that touch a record over it, oldest first.

    An event touches the record that it names, the records that it absorbs and the pieces it makes; a revert touches
    what its target touches. Others are ignored.
    """
    return apply(outcome_of(record.id, events), record)


def apply(outcome: Outcome, record: MaskRecord) -> ResolvedRecord:
    """Bring an outcome and its record together."""
    if outcome.rle is not None and outcome.box_xyxy is not None and outcome.area is not None:
        record = replace(record, rle=outcome.rle, box_xyxy=outcome.box_xyxy, area=outcome.area)
    if outcome.is_relabelled:
        record = replace(record, label=outcome.label)
    if outcome.is_retracked:
        record = replace(record, track=outcome.track)
    if outcome.is_reparented:
        record = replace(record, parent=outcome.parent)
    return ResolvedRecord(
        record=record,
        status=outcome.status,
        verified_by=outcome.verified_by,
        verified_at=outcome.verified_at,
        edited_by=outcome.edited_by,
        num_events=outcome.num_events,
        as_of=outcome.as_of,
        comments=outcome.comments,
    )


def outcome_of(record_id: str, events: Sequence[ReviewEvent]) -> Outcome:
    """Fold the events of one record without the record."""
    undone = undone_by(events)
    state = _Fold()
    counted: ReviewEvent | None = None
    num_events = 0
    for event in events:
        if not _touches(event, record_id, events):
            continue
        num_events += 1
        is_counted = event.id not in undone
        if is_counted and not isinstance(event.action, Revert):
            counted = event
        _step(state, event, record_id, is_counted=is_counted)
    rle = state.rle
    return Outcome(
        status=state.standing or state.decision,
        verified_by=state.verified_by,
        verified_at=state.verified_at,
        edited_by=state.edited_by,
        num_events=num_events,
        as_of=counted.at if counted else None,
        rle=rle,
        box_xyxy=None if rle is None else box_xyxy(rle),
        area=None if rle is None else area(rle),
        is_relabelled=state.relabel is not None,
        label=state.relabel.label if state.relabel else None,
        is_retracked=state.retrack is not None,
        track=state.retrack.track if state.retrack else None,
        is_reparented=state.reparent is not None,
        parent=state.reparent.parent if state.reparent else None,
        comments=tuple(state.comments),
    )


def touched_by(event: ReviewEvent) -> tuple[str, ...]:
    """List the records that an event touches, its own first. Of a revert only its own: it does not know its target."""
    match event.action:
        case Merge(others) | Split(others):
            return tuple(dict.fromkeys((event.record_id, *others)))
    return (event.record_id,)


def named_by(event: ReviewEvent) -> tuple[str, ...]:
    """List the records that must be there: those that an event touches, and one that it makes another a part of."""
    match event.action:
        case Reparent(str(parent)):
            return (*touched_by(event), parent)
    return touched_by(event)


def undone_by(events: Sequence[ReviewEvent]) -> set[str]:
    """Find the events that no longer count, by their ids.

    A revert comes after its target, so the newest is settled first.
    """
    undone: set[str] = set()
    for event in reversed(events):
        if isinstance(event.action, Revert) and event.id not in undone:
            undone.add(event.action.event_id)
    return undone


def _touches(event: ReviewEvent, record_id: str, events: Sequence[ReviewEvent]) -> bool:
    while isinstance(event.action, Revert) and event.record_id != record_id:
        target = next((other for other in events if other.id == event.action.event_id), None)
        if target is None:
            return False
        event = target
    return record_id in touched_by(event)


def _step(state: _Fold, event: ReviewEvent, record_id: str, *, is_counted: bool) -> None:
    is_own = event.record_id == record_id
    match event.action:
        case Split(into) if record_id in into and not is_own:
            state.standing = None if is_counted else "merged"
        case _ if not is_counted:
            pass
        case Merge(absorbed) if record_id in absorbed and not is_own:
            state.standing = "merged"
        case Split() if is_own:
            state.standing = "split"
        case Accept() if is_own:
            state.decide("accepted", event)
        case Reject() if is_own:
            state.decide("rejected")
        case Edit(rle) if is_own:
            state.decide("proposed")
            state.rle, state.edited_by = rle, event.actor
        case Relabel() if is_own:
            state.relabel = event.action
        case Retrack() if is_own:
            state.retrack = event.action
        case Reparent() if is_own:
            state.reparent = event.action
        case Comment(text) if is_own:
            state.comments.append(SignedComment(actor=event.actor, at=event.at, text=text))


__all__ = ["Outcome", "apply", "named_by", "outcome_of", "resolve", "touched_by", "undone_by"]
