"""`ResolvedRecord`: a record as it is now, after everything that people decided and said about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from maskwright.core.errors import RecordError
from maskwright.core.record import MaskRecord

# proposed: nobody has decided; merged and split: other records stand in its place.
Status = Literal["proposed", "accepted", "rejected", "merged", "split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedComment:
    """What somebody said about a mask, and when (timezone-aware)."""

    actor: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRecord:
    """A fold of review events over a record; never stored, always computed (`maskwright.store.resolve`).

    `record` has the newest pixels and label; its id and provenance are those of the record that was put.
    `edited_by` drew the newest pixels, `verified_by` accepted them as they are: an edit after an acceptance takes it
    back. `as_of` is the time of the last event that counts, None where there is none. `comments` are the oldest first.
    """

    record: MaskRecord
    status: Status = "proposed"
    verified_by: str | None = None
    verified_at: datetime | None = None
    edited_by: str | None = None
    num_events: int = 0
    as_of: datetime | None = None
    comments: tuple[SignedComment, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise RecordError(f"a record's status is one of {', '.join(get_args(Status))}; got {self.status!r}")

    @property
    def is_listed(self) -> bool:
        """Whether the mask takes part in exports and training unless one asks otherwise."""
        return self.status in ("proposed", "accepted")

    @property
    def is_keyframe(self) -> bool:
        """Whether a tracker starts from this mask and never replaces it: all of a track but what a tracker made there.

        What a tracker made becomes a keyframe once somebody has edited or accepted it.
        """
        if self.record.track is None or not self.is_listed:
            return False
        point = self.record.track_point
        is_touched = self.edited_by is not None or self.verified_by is not None
        return is_touched or point is None or point.source == "keyframe"


__all__ = ["ResolvedRecord", "SignedComment", "Status"]
