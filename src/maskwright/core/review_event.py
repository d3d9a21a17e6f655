"""`ReviewEvent`: one thing a person (or program) decided about a record. The log of events only grows."""

from dataclasses import dataclass
from datetime import datetime

from maskwright.core.errors import RecordError
from maskwright.core.rle import RLE

MOST_COMMENT = 2000  # characters


@dataclass(frozen=True, slots=True)
class Accept:
    """The mask is right as it is."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The mask must not be used."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """The mask's pixels are replaced."""

    rle: RLE


@dataclass(frozen=True, slots=True)
class Relabel:
    """The mask's label is replaced; None removes it."""

    label: str | None


@dataclass(frozen=True, slots=True)
class Retrack:
    """The mask becomes one of another track; None takes it out of its track."""

    track: str | None


@dataclass(frozen=True, slots=True)
class Reparent:
    """The mask becomes a part of another record's; None makes it one of its own again."""

    parent: str | None


@dataclass(frozen=True, slots=True)
class Merge:
    """The record takes in other records, which stop being listed on their own."""

    absorbed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The record is replaced by the records named."""

    into: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revert:
    """An earlier event is undone; reverting a revert redoes it."""

    event_id: str


@dataclass(frozen=True, slots=True)
class Comment:
    """Something is said about the mask, which stays as it is: plain text of at most `MOST_COMMENT` characters."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > MOST_COMMENT:
            raise RecordError(f"a comment has 1 to {MOST_COMMENT} characters, got {len(self.text.strip())}")


Action = Accept | Reject | Edit | Relabel | Retrack | Reparent | Merge | Split | Revert | Comment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEvent:
    """`actor` did `action` to the record at `at` (timezone-aware)."""

    id: str
    record_id: str
    actor: str
    at: datetime
    action: Action

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise RecordError(f"the time of a review event must have a time zone, got {self.at.isoformat()}")


__all__ = [
    "MOST_COMMENT",
    "Accept",
    "Action",
    "Comment",
    "Edit",
    "Merge",
    "Reject",
    "Relabel",
    "Reparent",
    "Retrack",
    "Revert",
    "ReviewEvent",
    "Split",
]
