"""Compaction: small segments become large ones in frame order, and events are folded into a file.

The rows are the same rows with the moment at which each was put, so history and every earlier moment stay as they
were; the events stay in the ledger. What is replaced is retired, and deleted when its grace is over.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from maskwright.core.errors import StoreBusy
from maskwright.store.catalogue import Catalogue, Snapshot
from maskwright.store.columns import SCHEMA, completed, dated
from maskwright.store.folder import StoreFolder, publish_file, told_plainly
from maskwright.store.ledger import Ledger
from maskwright.store.overlay import OverlayCache
from maskwright.store.segment import SegmentRef, segment_path, write_segment, write_table
from maskwright.store.sweeping import Life, sweep

GRACE_S = 3600.0
ROWS_PER_MERGED = 200_000
_ORDER = [(name, "ascending") for name in ("dataset", "episode", "camera", "frame_index", "image_digest", "ordinal")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did."""

    num_segments_before: int
    num_segments_after: int
    num_records_folded: int


def compact(
    folder: StoreFolder, ledger: Ledger, catalogue: Catalogue, life: Life, *, grace_s: float = GRACE_S
) -> Compacted:
    """Merge segments that are small or in the ledger, and fold all events.

    Raises:
        StoreBusy: another process compacts.
    """
    with _alone(folder), life.writing():
        snapshot = catalogue.snapshot(ledger.head())
        for group in _groups(snapshot.segments):
            _merge(folder, ledger, catalogue, life, group, grace_s)
        num_folded = _fold(folder, ledger, life, snapshot, grace_s)
        sweep(folder, ledger)
        ledger.checkpoint()
        after = catalogue.segments(ledger.head())
    return Compacted(
        num_segments_before=len(snapshot.segments), num_segments_after=len(after), num_records_folded=num_folded
    )


def roll(folder: StoreFolder, ledger: Ledger, catalogue: Catalogue, life: Life) -> None:
    """Merge the segments in the ledger alone; whoever compacts meanwhile does it as well."""
    try:
        with _alone(folder), life.writing():
            group = [one for one in catalogue.segments(ledger.head()) if one.name is None]
            if len(group) > 1:
                _merge(folder, ledger, catalogue, life, group, GRACE_S)
    except StoreBusy:
        return


def _groups(segments: Sequence[SegmentRef]) -> list[list[SegmentRef]]:
    """Group neighbours in frame order until a group is large; what is large already, or alone in a file, stays."""
    small = [one for one in segments if one.name is None or one.num_rows < ROWS_PER_MERGED // 2]
    small.sort(key=_first_frame)
    groups: list[list[SegmentRef]] = [[]]
    num_rows = 0
    for one in small:
        if groups[-1] and num_rows + one.num_rows > ROWS_PER_MERGED:
            groups.append([])
            num_rows = 0
        groups[-1].append(one)
        num_rows += one.num_rows
    return [group for group in groups if len(group) > 1 or (group and group[0].name is None)]


def _first_frame(segment: SegmentRef) -> tuple[str, ...]:
    bounds = (segment.bounds.get(name) for name in ("dataset", "episode", "camera"))
    frame = segment.bounds.get("frame_index")
    return (*(pair[0] if pair else "" for pair in bounds), f"{frame[0] if frame else 0:020d}")


def _merge(
    folder: StoreFolder,
    ledger: Ledger,
    catalogue: Catalogue,
    life: Life,
    group: Sequence[SegmentRef],
    grace_s: float,
) -> None:
    tables = [dated(_read(folder, catalogue, one), one.seq) for one in group]
    table = pa.concat_tables(tables).combine_chunks().sort_by(_ORDER)
    number = ledger.next_number()
    name = life.name(number)
    write_segment(folder, name, table)
    with ledger.writing("compact"):
        until = time.time() + grace_s
        ledger.write("UPDATE segments SET retired_at = ? WHERE number = ?", [(until, one.number) for one in group])
        ledger.write("DELETE FROM segments WHERE number = ? AND name IS NULL", [(one.number,) for one in group])
        first, last = min(one.seq for one in group), max(one.last_seq for one in group)
        catalogue.insert(number, table, seq=first, last_seq=last, name=name)


def _fold(folder: StoreFolder, ledger: Ledger, life: Life, snapshot: Snapshot, grace_s: float) -> int:
    """Write what events came to; where none came since the last fold there is nothing to do."""
    seq = ledger.number("SELECT max(seq) FROM events WHERE seq <= ?", (snapshot.seq,))
    if seq == 0 or (snapshot.fold and snapshot.fold.seq >= seq):
        return snapshot.fold.num_rows if snapshot.fold else 0
    table = OverlayCache(folder, ledger).at(snapshot)
    name = life.name(ledger.next_number())
    part, path = folder.folds / f".{name}.parquet.part", folder.folds / f"{name}.parquet"
    with told_plainly(folder.path):
        write_table(part, table)
        publish_file(part, path)
    with ledger.writing("compact"):
        ledger.write("UPDATE folds SET retired_at = ? WHERE retired_at IS NULL", [(time.time() + grace_s,)])
        ledger.write("INSERT INTO folds(seq, name, num_rows) VALUES (?,?,?)", [(snapshot.seq, name, len(table))])
    return len(table)


def _read(folder: StoreFolder, catalogue: Catalogue, segment: SegmentRef) -> pa.Table:
    if segment.name is None:
        return catalogue.table(segment)
    path = segment_path(folder, segment.name)
    with told_plainly(path), pq.ParquetFile(path) as file:
        return completed(file.read()).cast(SCHEMA)


class _alone:  # noqa: N801
    """Hold the lock that only one compaction has."""

    def __init__(self, folder: StoreFolder) -> None:
        self._folder = folder
        self._lock = FileLock(folder.locks / "compaction.lock", thread_local=False)

    def __enter__(self) -> None:
        with told_plainly(self._folder.path):
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                path = self._folder.path
                raise StoreBusy(f"another process compacts this store. Try again when it is done: {path}") from None

    def __exit__(self, *error: object) -> None:
        self._lock.release()


__all__ = ["GRACE_S", "Compacted", "compact", "roll"]
