"""Review events of several parties in one write: each party's all or none, and one wait for the disk serves all.

A `Proposal` sees the log as it is within the transaction, other parties' events before it included, so what it checks
there still holds when its events are added.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from maskwright.core.errors import MaskwrightError, StoreBusy, StoreDamaged, StoreFull, StoreReadOnly
from maskwright.core.review_event import ReviewEvent
from maskwright.core.shapes import SizeHW
from maskwright.store import event_log
from maskwright.store.event_log import LoggedEvent
from maskwright.store.ledger import Ledger

_OF_THE_DISK = (StoreFull, StoreBusy, StoreReadOnly, StoreDamaged)  # which hit every party alike


@dataclass(frozen=True, slots=True)
class LogView:
    """The log as it is now, for whoever decides within a write."""

    ledger: Ledger
    moment: int
    ordinals_of: Callable[[Sequence[str]], Mapping[str, int]]

    def check_there(self, record_ids: Sequence[str]) -> None:
        """Refuse ids of records that are not there.

        Raises:
            UnknownRecord: one is not.
        """
        self.ordinals_of(record_ids)

    def event(self, event_id: str) -> LoggedEvent | None:
        """An event by its id; None where there is none."""
        return event_log.logged(self.ledger, event_id)

    def events_of(self, record_id: str, *, until: int | None = None) -> tuple[ReviewEvent, ...]:
        """List the events that touch a record, oldest first, to a position included if one is given."""
        return event_log.events_of(self.ledger, record_id, self.moment, until=until)

    def touched(self, positions: Sequence[int]) -> tuple[str, ...]:
        """List the records that events touch."""
        return event_log.touched_at(self.ledger, positions)


class Proposal(Protocol):
    """One party's events. What either method raises refuses them, and leaves the others' alone."""

    def events(self, log: LogView) -> Sequence[ReviewEvent]:
        """Give the events to add to the log as it is; none, if there is nothing to add."""
        ...

    def added(self, log: LogView) -> None:
        """Look at the log with the events added. They count once the whole write has returned."""
        ...


class NothingAdded(Exception):
    """All were refused or had nothing to add, so there is no moment to write. Never leaves the store."""

    def __init__(self, refusals: Sequence[MaskwrightError | None]) -> None:
        super().__init__()
        self.refusals = refusals


def append_each(
    ledger: Ledger,
    proposals: Sequence[Proposal],
    seq: int,
    ordinals_of: Callable[[Sequence[str]], Mapping[str, int]],
    size_of: Callable[[str], SizeHW],
) -> list[MaskwrightError | None]:
    """Add what each proposal gives, within a transaction, and list why those that were refused were.

    Raises:
        NothingAdded: no event was added.
        StoreError: the disk refused; nothing of any party is in the store.
    """
    view = LogView(ledger, seq, ordinals_of)
    refusals: list[MaskwrightError | None] = []
    num_added = 0
    for proposal in proposals:
        ledger.rows("SAVEPOINT proposal")
        try:
            events = proposal.events(view)
            for event in events:
                event_log.check(event, size_of)
            event_log.append(ledger, events, seq, ordinals_of)
            proposal.added(view)
        except _OF_THE_DISK:
            raise
        except MaskwrightError as error:
            ledger.rows("ROLLBACK TO proposal")
            refusals.append(error)
        else:
            num_added += len(events)
            refusals.append(None)
        ledger.rows("RELEASE proposal")
    if not num_added:
        raise NothingAdded(refusals)
    return refusals


__all__ = ["LogView", "LoggedEvent", "NothingAdded", "Proposal", "append_each"]
