"""What a store answers with, beside resolved records: a mask's life, a change, a frame with its masks."""

from dataclasses import dataclass, replace
from datetime import datetime

from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.store.frame_log import SeenFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One mask's life: as it was put and when, every event that touched it, and what they came to."""

    record: MaskRecord
    put_at: datetime
    put_moment: int
    events: tuple[ReviewEvent, ...]
    resolved: ResolvedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One mask that differs between two moments; `before` is None where it was not there yet."""

    before: ResolvedRecord | None
    after: ResolvedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """A frame with the masks that a query found on it, which may be none."""

    frame: SeenFrame
    masks: tuple[ResolvedRecord, ...] = ()


def is_changed(before: ResolvedRecord, after: ResolvedRecord) -> bool:
    """Whether a mask is another than it was; what was undone, and what was only said, does not count."""
    return _silent(before) != _silent(after)


def _silent(mask: ResolvedRecord) -> ResolvedRecord:
    return replace(mask, num_events=0, as_of=None, comments=())


__all__ = ["Change", "History", "StoredFrame", "is_changed"]
