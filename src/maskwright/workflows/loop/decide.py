"""What a rule decides, as review events: with names that follow from the round and the mask, and never over people.

An event that is sent again after a kill is the same one, so the store keeps it once. Whether somebody has touched a
mask meanwhile is looked up within the write.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maskwright.core.review_event import ReviewEvent
from maskwright.review.engine import RULE, is_person
from maskwright.store import MaskStore
from maskwright.store.together import LogView

ACTOR = f"{RULE}loop"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class UnlessTouched:
    """Events about one mask, which are added only while no person has done anything about it."""

    record_id: str
    given: tuple[ReviewEvent, ...]
    otherwise: tuple[ReviewEvent, ...] = ()

    def events(self, log: LogView) -> Sequence[ReviewEvent]:
        """Give the events, or what is to be done where somebody was quicker."""
        if all(log.event(one.id) is not None for one in self.given):
            return ()
        touching = log.events_of(self.record_id)
        return self.otherwise if any(is_person(one.actor) for one in touching) else self.given

    def added(self, log: LogView) -> None:
        """Nothing is left to look at."""


def append_all(store: MaskStore, proposals: Iterable[UnlessTouched]) -> None:
    """Add what each gives, some hundreds in a write.

    Raises:
        StoreError: it cannot be written; some may be there already, and are not added twice.
    """
    waiting = list(proposals)
    for first in range(0, len(waiting), _AT_ONCE):
        for refused in store.append_each(waiting[first : first + _AT_ONCE]):
            if refused is not None:
                raise refused


def event_id(what: str, round_number: int, record_id: str) -> str:
    """Name an event by what it is for, so that it is the same one when it is made again."""
    return hashlib.sha256(f"loop {round_number} {what} {record_id}".encode()).hexdigest()[:32]


def rule_actor(mode: str) -> str:
    """Who a rule of a mode is in the log."""
    return f"{RULE}{mode}"


__all__ = ["ACTOR", "UnlessTouched", "append_all", "event_id", "rule_actor"]
