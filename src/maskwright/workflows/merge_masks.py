"""What comes back from another tool, laid over what a store has: new masks, and events for those that are there.

A mask is known by its id, by the id it was derived from, or by its pixels on the same frame. What differs becomes a
review event (an edit, a new label or track, a decision), so that nothing is doubled and the store keeps who did what.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from maskwright.core.record import MaskRecord, new_id
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import Accept, Action, Comment, Edit, Reject, Relabel, Retrack, ReviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The records to put and the events to append; `num_known` masks were there already."""

    records: tuple[MaskRecord, ...] = ()
    events: tuple[ReviewEvent, ...] = ()
    num_known: int = 0


def merge_masks(
    incoming: Sequence[ResolvedRecord], here: Sequence[ResolvedRecord], *, actor: str, at: datetime
) -> Merged:
    """Lay the masks of one frame over those that the store has of it. `actor` did what nobody is named for, at `at`."""
    matches = _match(incoming, here)
    records: list[MaskRecord] = []
    events: list[ReviewEvent] = []
    for wanted, existing in zip(incoming, matches, strict=True):
        if existing is None:
            records.append(wanted.record)
            events += outcome_events(wanted, actor=actor, at=at)
        else:
            events += _events(wanted, existing.record.id, _steps(existing, wanted), actor=actor, at=at)
            events += _comments(wanted, existing)
    num_known = sum(existing is not None for existing in matches)
    return Merged(records=tuple(records), events=tuple(events), num_known=num_known)


def outcome_events(wanted: ResolvedRecord, *, actor: str, at: datetime) -> list[ReviewEvent]:
    """Say by events what had been decided about a mask that is put now, by whom and when where that is known."""
    actions: list[tuple[Action, str | None]] = []
    if wanted.edited_by is not None:
        actions.append((Edit(wanted.record.rle), wanted.edited_by))
    return _events(wanted, wanted.record.id, actions + _decision(wanted), actor=actor, at=at) + _comments(wanted)


def _events(
    wanted: ResolvedRecord, record_id: str, actions: Sequence[tuple[Action, str | None]], *, actor: str, at: datetime
) -> list[ReviewEvent]:
    moment = wanted.verified_at or wanted.as_of or at
    return [
        ReviewEvent(id=new_id(), record_id=record_id, actor=who or actor, at=moment, action=action)
        for action, who in actions
    ]


def _comments(wanted: ResolvedRecord, existing: ResolvedRecord | None = None) -> list[ReviewEvent]:
    """Say again what was said elsewhere, by whom and when, unless it was said here."""
    said, record_id = ((), wanted.record.id) if existing is None else (existing.comments, existing.record.id)
    return [
        ReviewEvent(id=new_id(), record_id=record_id, actor=one.actor, at=one.at, action=Comment(one.text))
        for one in wanted.comments
        if one not in said
    ]


def _match(incoming: Sequence[ResolvedRecord], here: Sequence[ResolvedRecord]) -> list[ResolvedRecord | None]:
    """Find for each mask the one it is: by id, by ancestor, by pixels and label, by pixels. Each is found once."""
    found: list[ResolvedRecord | None] = [None] * len(incoming)
    free = {one.record.id: one for one in here}
    for is_same in (_by_id, _by_ancestor, _by_pixels_and_label, _by_pixels):
        for at, wanted in enumerate(incoming):
            if found[at] is None:
                match = next((one for one in free.values() if is_same(wanted.record, one.record)), None)
                if match is not None:
                    found[at] = free.pop(match.record.id)
    return found


def _by_id(wanted: MaskRecord, existing: MaskRecord) -> bool:
    return wanted.id == existing.id


def _by_ancestor(wanted: MaskRecord, existing: MaskRecord) -> bool:
    return wanted.provenance.method == "imported" and existing.id in wanted.provenance.derived_from


def _by_pixels_and_label(wanted: MaskRecord, existing: MaskRecord) -> bool:
    return wanted.rle == existing.rle and wanted.label == existing.label


def _by_pixels(wanted: MaskRecord, existing: MaskRecord) -> bool:
    return wanted.rle == existing.rle


def _steps(existing: ResolvedRecord, wanted: ResolvedRecord) -> list[tuple[Action, str | None]]:
    """List what leads from what is there to what is wanted; a label, track or decision that is not told stays."""
    steps: list[tuple[Action, str | None]] = []
    before = existing
    if wanted.record.rle != existing.record.rle or _lost_its_events(existing, wanted):
        steps.append((Edit(wanted.record.rle), wanted.edited_by))
        before = replace(existing, status="proposed")  # as an edit leaves it
    if wanted.record.label not in (None, existing.record.label):
        steps.append((Relabel(wanted.record.label), None))
    if wanted.record.track not in (None, existing.record.track):
        steps.append((Retrack(wanted.record.track), None))
    return steps + [step for step in _decision(wanted) if wanted.status != before.status]


def _lost_its_events(existing: ResolvedRecord, wanted: ResolvedRecord) -> bool:
    """Whether a mask was put with pixels that somebody drew, and a kill took the event that says who."""
    is_same = wanted.record.id == existing.record.id
    return is_same and existing.num_events == 0 and wanted.edited_by is not None


def _decision(wanted: ResolvedRecord) -> list[tuple[Action, str | None]]:
    if wanted.status == "accepted":
        return [(Accept(), wanted.verified_by)]
    return [(Reject(), None)] if wanted.status == "rejected" else []


__all__ = ["Merged", "merge_masks", "outcome_events"]
