"""`FrameShelf`: the masks of frames that were looked at lately, so that the next question about them is quick.

A question about one frame is the one that people and robots ask all day. Records as they were put never change; they
are fetched a block of frames at a time, because the next question is about a neighbour, and read when their frame is
asked for. What events make of them is kept until an event touches the frame; whoever wrote it, the log says so.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskwright.core import MaskRecord, ResolvedRecord
from maskwright.store import ANY_STATUS, Query, matches
from maskwright.store.frame_log import FrameKey
from maskwright.store.pages import Pages, Touched, query_of
from maskwright.store.scan import records_of_rows

MOST_FRAMES, MASKS_PER_BLOCK = 128, 1_500
_BYTES_PER_MASK = 3_000  # of Python objects, without the counts
_STRIPES = 64


@dataclass(slots=True)
class _Shelved:
    """A frame: rows until it is asked for, then records; `masks` is what events made of them, None once one came."""

    rows: Sequence[tuple[Any, ...]]
    records: tuple[MaskRecord, ...] | None = None
    masks: tuple[ResolvedRecord, ...] | None = None

    @property
    def ids(self) -> list[str]:
        return [row[1] for row in self.rows] if self.records is None else [one.id for one in self.records]

    @property
    def num_bytes(self) -> int:
        num_masks = len(self.rows) if self.records is None else len(self.records)
        counts = sum(len(row[-1]) for row in self.rows) if self.records is None else 0
        counts += sum(len(record.rle.counts) for record in self.records or ())
        return 300 + num_masks * _BYTES_PER_MASK + counts


class FrameShelf:
    """Masks by frame, at most about `max_bytes` of them. Threads may use it together.

    `scanner` fetches records, `quick` looks at the log.
    """

    def __init__(self, scanner: Pages, quick: Pages, max_bytes: int) -> None:
        self._scanner, self._quick, self._max_bytes = scanner, quick, max_bytes
        self._frames: OrderedDict[FrameKey, _Shelved] = OrderedDict()
        self._frame_of: dict[str, FrameKey] = {}
        self._num_bytes = 0
        self._width = 16
        self._moment = quick.head()
        self._lock = threading.Lock()
        self._fetching = [threading.Lock() for _ in range(_STRIPES)]  # so that a block is fetched once

    def masks(self, key: FrameKey) -> tuple[ResolvedRecord, ...]:
        """Give every mask of a frame as it is now, of any status."""
        shelved, moment = self._find(key)
        if shelved is None:
            shelved, moment = self._fetch(key)
        if shelved.masks is not None:
            return shelved.masks
        records = records_of_rows(shelved.rows) if shelved.records is None else shelved.records
        masks = self._quick.resolved(records)
        with self._lock:
            self._catch_up()
            if self._frames.get(key) is shelved:
                if shelved.records is None:
                    shelved.records, shelved.rows = records, ()
                if not self._quick.touched(moment, self._moment).records & {record.id for record in records}:
                    shelved.masks = masks
        return masks

    def find(self, query: Query) -> list[ResolvedRecord] | None:
        """Answer a query about one frame; None where it is about more."""
        key = frame_of(query)
        return None if key is None else [mask for mask in self.masks(key) if matches(query, mask)]

    def _find(self, key: FrameKey) -> tuple[_Shelved | None, int]:
        """Look on the shelf, and give the moment up to which it knows of writes."""
        with self._lock:
            self._catch_up()
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
            return found, self._moment

    def _fetch(self, key: FrameKey) -> tuple[_Shelved, int]:
        width = self._width
        block = (*key[:4], key[4] // width, key[5])
        with self._fetching[hash(block) % _STRIPES]:
            found, moment = self._find(key)
            if found is not None:
                return found, moment
            read = self._read(key, width)
            with self._lock:
                self._catch_up()
                self._keep(read, self._quick.touched(moment, self._moment))
                return read[key], moment

    def _read(self, key: FrameKey, width: int) -> Mapping[FrameKey, _Shelved]:
        is_loose, dataset, episode, camera, index, _ = key
        if is_loose:
            return {key: _Shelved(self._scanner.as_put(query_of(key)).get(key, ()))}
        first = index // width * width
        query = Query(
            dataset=dataset,
            episode=episode,
            camera=camera,
            first_frame=first,
            last_frame=first + width - 1,
            status=ANY_STATUS,
        )
        rows = self._scanner.as_put(query)
        num_masks = sum(map(len, rows.values()))
        fit = MASKS_PER_BLOCK * len(rows) // max(num_masks, 1) if rows else MOST_FRAMES
        self._width = 1 << max(0, min(MOST_FRAMES, fit).bit_length() - 1)  # a power of two, so that blocks nest
        numbers = range(first, first + width)
        return {one: _Shelved(rows.get(one, ())) for one in ((False, dataset, episode, camera, i, "") for i in numbers)}

    def _keep(self, read: Mapping[FrameKey, _Shelved], touched: Touched) -> None:
        """Put frames on the shelf that are not there yet, but those on which masks were put while they were read."""
        for key, shelved in read.items():
            if key in self._frames or _is_put_on(key, touched):
                continue
            self._frames[key] = shelved
            self._num_bytes += shelved.num_bytes
            self._frame_of.update(dict.fromkeys(shelved.ids, key))
        while self._num_bytes > self._max_bytes and self._frames:
            self._drop(next(iter(self._frames)))

    def _catch_up(self) -> None:
        """Forget what writes changed since the last look."""
        head = self._quick.head()
        if head == self._moment:
            return
        touched = self._quick.touched(self._moment, head)
        for record_id in touched.records:
            if record_id in self._frame_of:
                self._frames[self._frame_of[record_id]].masks = None
        if touched.put:
            for key in [key for key in self._frames if _is_put_on(key, touched)]:
                self._drop(key)
        self._moment = head

    def _drop(self, key: FrameKey) -> None:
        shelved = self._frames.pop(key)
        self._num_bytes -= shelved.num_bytes
        for record_id in shelved.ids:
            self._frame_of.pop(record_id, None)


def frame_of(query: Query) -> FrameKey | None:
    """The one frame that a query is about; None if it may be about more."""
    if query.where is not None or query.first_frame is None or query.first_frame != query.last_frame:
        return None
    names = [one[0] for one in (query.dataset, query.episode, query.camera) if one is not None and len(one) == 1]
    if len(names) < 3:
        return None
    dataset, episode, camera = names
    return False, dataset, episode, camera, query.first_frame, ""


def _is_put_on(key: FrameKey, touched: Touched) -> bool:
    """Whether records may have been put on a frame."""
    return any(_is_within(key, bounds) for bounds in touched.put)


def _is_within(key: FrameKey, bounds: Mapping[str, Sequence[str | int] | None]) -> bool:
    if key[0]:
        return any(one is None for one in bounds.values())  # loose pictures have no place
    for name, value in zip(("dataset", "episode", "camera", "frame_index"), key[1:5], strict=True):
        ends = bounds.get(name)
        if ends is not None and not ends[0] <= value <= ends[1]:  # pyright: ignore[reportOperatorIssue]
            return False
    return True


__all__ = ["MASKS_PER_BLOCK", "MOST_FRAMES", "FrameShelf", "frame_of"]
