"""`TrackWriter`: masks of tracks into a store in bounded pieces, and the events that take stale ones away.

New masks are on the disk before the old ones go, so a kill in between leaves a frame with two: the next plan sees the
one that is up to date, and has the other go.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from maskwright.core import Merge, ReviewEvent, Split, new_id
from maskwright.core.errors import StoreError
from maskwright.store import MaskStore, SeenFrame
from maskwright.workflows.stages import DecodedFrame
from maskwright.workflows.track_passes import FilledFrame
from maskwright.workflows.track_records import Credits, found_record, propagated_record

ACTOR = "maskwright track"  # of events, where nobody is named

_ROWS, _BYTES = 2_000, 4 << 20
# Whoever waits sees the first masks at once; later ones come in larger pieces, since each piece is a file.
_FIRST_S, _LONGEST_S = 0.5, 20.0
_MOST_ABSORBED = 100


class TrackWriter:
    """Use it in a `with`: leaving it writes what was gathered, an error too."""

    def __init__(self, store: MaskStore, credits: Credits) -> None:
        self._store, self._credits = store, credits
        self._events: list[ReviewEvent] = []
        self._bytes = self._rows = self._num_gone = 0
        self._since_s, self._patience_s = time.monotonic(), _FIRST_S
        self.num_replaced = 0

    def __enter__(self) -> Self:
        self._writer = self._store.bulk_writer(rows_per_segment=1 << 30, flush_s=float("inf"))
        return self

    def add(self, item: FilledFrame) -> None:
        """Gather the masks of a frame."""
        index = item.frame.frame.ref.frame_index
        records = []
        for gap, mask in item.masks:
            stale = gap.stale.get(index, ())
            record = propagated_record(mask, gap, item.frame, self._credits, replaces=stale)
            self._events += [replacement(old, record.id, self._credits) for old in stale]
            self._num_gone += len(stale)
            records.append(record)
        records += [found_record(mask, gap, item.frame, self._credits) for gap, mask in item.found]
        if records:
            self._writer.add(seen_frame(item.frame), records)
        self._rows += len(records)
        self._bytes += sum(len(record.rle.counts) for record in records)
        if self._rows >= _ROWS or self._bytes >= _BYTES or time.monotonic() - self._since_s > self._patience_s:
            self.flush()
            self._patience_s = min(2 * self._patience_s, _LONGEST_S)

    def absorb(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Have masks go into others that are there already."""
        by_new: dict[str, list[str]] = {}
        for old, new in pairs:
            by_new.setdefault(new, []).append(old)
            self._num_gone += 1
        actor = self._credits.actor or ACTOR
        self._events += [
            ReviewEvent(id=new_id(), record_id=new, actor=actor, at=self._credits.clock(), action=action)
            for new, olds in by_new.items()
            for action in absorptions(olds)
        ]

    def flush(self) -> None:
        """Write what was gathered: the masks, then the events."""
        self._writer.flush()
        events, self._events = self._events, []
        self._store.append(events)
        self.num_replaced += self._num_gone
        self._num_gone = 0
        self._rows = self._bytes = 0
        self._since_s = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
            else:
                with contextlib.suppress(StoreError):  # the first error is the one to tell
                    self.flush()
        finally:
            self._writer.close()


def absorptions(olds: Sequence[str]) -> list[Merge]:
    """Say that one mask takes in others, in events of a bounded size: each of these is read with each event."""
    return [Merge(tuple(olds[at : at + _MOST_ABSORBED])) for at in range(0, len(olds), _MOST_ABSORBED)]


def replacement(old: str, new: str, credits: Credits) -> ReviewEvent:
    """Say that a mask stands in the place of another."""
    actor = credits.actor or ACTOR
    return ReviewEvent(id=new_id(), record_id=old, actor=actor, at=credits.clock(), action=Split((new,)))


def seen_frame(item: DecodedFrame) -> SeenFrame:
    """A frame as the store knows it."""
    image = item.frame.image
    return SeenFrame(name=item.name, size_hw=image.size_hw, ref=item.frame.ref, image_digest=image.digest)


__all__ = ["ACTOR", "TrackWriter", "absorptions", "replacement", "seen_frame"]
