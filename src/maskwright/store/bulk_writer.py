"""`BulkWriter`: many masks, frame by frame, into segments, each on the disk before it counts.

A frame goes in whole, with its masks or without; it is in the store when the segment that holds it is. Segments are
made in a thread while the next is gathered, so memory holds two. What was not flushed when the process dies is as if
it had never been added.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from maskwright.core.errors import RecordError
from maskwright.core.record import MaskRecord
from maskwright.store.frame_log import SeenFrame

ROWS_PER_SEGMENT = 40_000
FLUSH_S = 30.0

Batch = list[tuple[SeenFrame, Sequence[MaskRecord]]]


class BulkWriter:
    """Use it in a `with`; leaving it in order flushes, leaving it by an error drops what was not flushed.

    A segment is written when `rows_per_segment` masks are there, or `flush_s` seconds after the first of them (looked
    at when a frame is added).
    """

    def __init__(
        self, save: Callable[[Batch], None], *, rows_per_segment: int = ROWS_PER_SEGMENT, flush_s: float = FLUSH_S
    ) -> None:
        self._save = save
        self._rows_per_segment = rows_per_segment
        self._flush_s = flush_s
        self._batch: Batch = []
        self._num_rows = 0
        self._since = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="maskwright-store")
        self._saving: Future[None] | None = None

    def add(self, frame: SeenFrame, records: Sequence[MaskRecord] = ()) -> None:
        """Add a frame with all its masks.

        Raises:
            RecordError: a mask is of another frame, image or size.
            StoreError: an earlier segment could not be written.
        """
        for record in records:
            _check(frame, record)
        if not self._batch:
            self._since = time.monotonic()
        self._batch.append((frame, tuple(records)))
        self._num_rows += len(records)
        is_old = time.monotonic() - self._since > self._flush_s
        if self._num_rows >= self._rows_per_segment or is_old:
            self._hand_over()

    def flush(self) -> None:
        """Return when everything added so far is on the disk and counts.

        Raises:
            StoreError: it could not be written; what was not is dropped.
        """
        self._hand_over()
        self._wait()

    def close(self) -> None:
        """Flush, and end."""
        try:
            self.flush()
        finally:
            self._thread.shutdown()

    def __enter__(self) -> "BulkWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._thread.shutdown()

    def _hand_over(self) -> None:
        self._wait()
        if self._batch:
            batch, self._batch, self._num_rows = self._batch, [], 0
            batch.sort(key=lambda one: (one[0].key, one[0].name))
            self._saving = self._thread.submit(self._save, batch)

    def _wait(self) -> None:
        if self._saving is not None:
            saving, self._saving = self._saving, None
            saving.result()


def _check(frame: SeenFrame, record: MaskRecord) -> None:
    if record.rle.size_hw != frame.size_hw:
        raise RecordError(
            f"mask {record.id} has size {record.rle.size_hw} (h, w), its frame {frame.size_hw}: {frame.name}"
        )
    if record.frame != frame.ref:
        raise RecordError(f"mask {record.id} is of {record.frame}, and was added to {frame.ref}: {frame.name}")
    if frame.image_digest is not None and record.image_digest != frame.image_digest:
        raise RecordError(f"mask {record.id} is of image {record.image_digest}, not {frame.image_digest}: {frame.name}")


__all__ = ["FLUSH_S", "ROWS_PER_SEGMENT", "BulkWriter"]
