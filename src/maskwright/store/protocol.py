"""`Store`: what every store of masks can do. `StoreContract` in `maskwright.testing` checks it.

`MaskStore` is the one to use; `Hdf5Store` keeps a small data set in one file. Only `MaskStore` speaks SQL and compacts.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.store.bulk_writer import BulkWriter
from maskwright.store.frame_log import SeenFrame
from maskwright.store.moments import Moment, Tag, Write
from maskwright.store.query import Query
from maskwright.store.values import Change, History, StoredFrame


class Store(Protocol):
    """Masks with their frames, review events and moments. `MaskStore` says what each method does and raises."""

    name: str
    is_read_only: bool

    def put(self, records: Iterable[MaskRecord], *, frames: Iterable[SeenFrame] = (), run: str | None = None) -> int:
        """Add records, and frames that may have none of them, as one write, and give its moment."""
        ...

    def bulk_writer(self, *, run: str | None = None) -> BulkWriter:
        """Write many masks, frame by frame."""
        ...

    def append(self, events: Sequence[ReviewEvent]) -> int:
        """Add review events, all or none, and give their moment."""
        ...

    def record(self, record_id: str, *, as_of: Moment = None) -> ResolvedRecord:
        """Read one mask as it is, or was."""
        ...

    def history(self, record_id: str, *, as_of: Moment = None) -> History:
        """Read one mask's life."""
        ...

    def query(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[ResolvedRecord]:
        """Give the masks that meet a query, in frame order, from one snapshot of the store."""
        ...

    def count(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the masks that meet a query."""
        ...

    def count_frames(self, query: Query | None = None, *, as_of: Moment = None) -> int:
        """Count the frames that have a mask which meets the query."""
        ...

    def frames(self, query: Query | None = None, *, as_of: Moment = None) -> Iterator[StoredFrame]:
        """Give every frame that was looked at, in frame order, with the masks that meet the query."""
        ...

    def seen_frames(self, *, as_of: Moment = None) -> Iterator[SeenFrame]:
        """Give every frame that was looked at, in frame order, without its masks."""
        ...

    def done_frames(
        self, run: str, *, dataset: str | None = None, episode: str | None = None, camera: str | None = None
    ) -> set[int]:
        """List the indices of the frames that a run has written."""
        ...

    def done_names(self, run: str) -> set[str]:
        """List the names of the frames that a run has written."""
        ...

    def runs(self) -> dict[str, int]:
        """List runs with the number of frames that each has written, oldest first."""
        ...

    def events(self, *, as_of: Moment = None) -> Iterator[ReviewEvent]:
        """Give every review event, in the order in which they were added."""
        ...

    def diff(self, before: Moment, after: Moment = None) -> Iterator[Change]:
        """Give the masks that differ between two moments."""
        ...

    def tag(self, name: str, *, moment: Moment = None) -> Tag:
        """Name a moment, now if none is given."""
        ...

    def tags(self) -> tuple[Tag, ...]:
        """List tags in the order of their moments."""
        ...

    def moment(self, moment: Moment = None) -> int:
        """The number of a moment; of now if none is given."""
        ...

    def writes(self) -> tuple[Write, ...]:
        """List every write, oldest first."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


__all__ = ["Store"]
