"""`FrameShelf`: the masks of frames that were looked at lately, so that the next question about them is quick.

A question about one frame is the one that people and robots ask all day. Records as they were put never change; they
are fetched a block of frames at a time, because the next question is about a neighbour, and read when their frame is
asked for. What events make of them is kept until an event touches the frame; whoever wrote it, the log says so.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from maskwright.core import MaskRecord, ResolvedRecord
from maskwright.store import ANY_STATUS, Query, matches
from maskwright.store.columns import records_of
from maskwright.store.frame_log import FrameKey
from maskwright.store.pages import Pages, Touched, query_of

K = TypeVar("K")
V = TypeVar("V")

MOST_FRAMES, MASKS_PER_BLOCK = 128, 1_500
_BYTES_PER_MASK = 4_000  # of Python objects, without the counts
_STRIPES = 64

BlockKey = tuple[bool, str, str, str, int, str]


@dataclass(frozen=True, slots=True)
class _Block:
    """Records as they were put on a few frames that follow each other, in frame order."""

    table: pa.Table
    numbers: np.ndarray
    bounds: FrameKey
    width: int

    def records(self, key: FrameKey) -> tuple[MaskRecord, ...]:
        if key[0]:
            return tuple(records_of(self.table))
        first, last = np.searchsorted(self.numbers, [key[4], key[4] + 1])
        return tuple(records_of(self.table.slice(first, last - first)))


class FrameShelf:
    """Masks of frames: at most about `max_bytes` as tables, and as much again read. Threads may use it together.

    `scanner` fetches records, `quick` looks at the log.
    """

    def __init__(self, scanner: Pages, quick: Pages, max_bytes: int) -> None:
        self._scanner, self._quick = scanner, quick
        self._blocks: _Kept[BlockKey, _Block] = _Kept(max_bytes)
        self._frames: _Kept[FrameKey, tuple[ResolvedRecord, ...]] = _Kept(max_bytes)
        self._frame_of: dict[str, FrameKey] = {}
        self._widths: dict[tuple[object, ...], int] = {}
        self._moment = quick.head()
        self._lock = threading.Lock()
        self._fetching = [threading.Lock() for _ in range(_STRIPES)]  # so that a block is fetched once

    def masks(self, key: FrameKey) -> tuple[ResolvedRecord, ...]:
        """Give every mask of a frame as it is now, of any status."""
        with self._lock:
            self._catch_up()
            if (found := self._frames.get(key)) is not None:
                return found
            moment = self._moment
        masks = self._quick.resolved(self._block(key).records(key))
        with self._lock:
            self._catch_up()
            touched = self._quick.touched(moment, self._moment)
            ids = [mask.record.id for mask in masks]
            if not touched.records.intersection(ids) and not _is_put_on(key, 1, touched):
                self._frame_of.update(dict.fromkeys(ids, key))
                for masks_gone in self._frames.put(key, masks, _size(masks)):
                    self._forget(masks_gone)
        return masks

    def find(self, query: Query) -> list[ResolvedRecord] | None:
        """Answer a query about one frame; None where it is about more."""
        key = frame_of(query)
        return None if key is None else [mask for mask in self.masks(key) if matches(query, mask)]

    def _block(self, key: FrameKey) -> _Block:
        """Find the block of a frame, or fetch it."""
        recording = key[:4]
        width = self._widths.get(recording, MOST_FRAMES // 4)
        first = 0 if key[0] else key[4] // width * width
        block_key = (*recording, first, key[5])
        with self._fetching[hash(block_key) % _STRIPES]:
            with self._lock:
                self._catch_up()
                moment, found = self._moment, self._blocks.get(block_key)
            if found is not None and found.width == width:
                return found
            block = self._fetch(key, first, width)
            with self._lock:
                self._catch_up()
                if not _is_put_on(block.bounds, width, self._quick.touched(moment, self._moment)):
                    self._blocks.put(block_key, block, 1000 + block.table.nbytes)
                if recording not in self._widths:
                    self._widths[recording] = _fitting(len(block.table), width)
            return block

    def _fetch(self, key: FrameKey, first: int, width: int) -> _Block:
        is_loose, dataset, episode, camera, _, _ = key
        if is_loose:
            return _Block(self._scanner.as_put(query_of(key)), np.empty(0), key, width)
        query = Query(
            dataset=dataset,
            episode=episode,
            camera=camera,
            first_frame=first,
            last_frame=first + width - 1,
            status=ANY_STATUS,
        )
        table = self._scanner.as_put(query)
        numbers = table.column("frame_index").to_numpy()
        return _Block(table, numbers, (False, dataset, episode, camera, first, ""), width)

    def _catch_up(self) -> None:
        """Forget what writes changed since the last look."""
        head = self._quick.head()
        if head == self._moment:
            return
        touched = self._quick.touched(self._moment, head)
        for record_id in touched.records:
            if record_id in self._frame_of:
                self._forget(self._frames.pop(self._frame_of[record_id]))
        if touched.put:
            for key, _ in self._frames.items():
                if _is_put_on(key, 1, touched):
                    self._forget(self._frames.pop(key))
            for key, block in self._blocks.items():
                if _is_put_on(block.bounds, block.width, touched):
                    self._blocks.pop(key)
        self._moment = head

    def _forget(self, masks: Sequence[ResolvedRecord]) -> None:
        for mask in masks:
            self._frame_of.pop(mask.record.id, None)


class _Kept(Generic[K, V]):
    """What was asked for last, as much as fits."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: K, value: V, num_bytes: int) -> list[V]:
        """Keep a value, and give those that have to go for it."""
        if key in self._values:
            self.pop(key)
        self._values[key] = value, num_bytes
        self._num_bytes += num_bytes
        gone = []
        while self._num_bytes > self._max_bytes:
            gone.append(self.pop(next(iter(self._values))))
        return gone

    def pop(self, key: K) -> V:
        value, num_bytes = self._values.pop(key)
        self._num_bytes -= num_bytes
        return value

    def items(self) -> list[tuple[K, V]]:
        return [(key, value) for key, (value, _) in self._values.items()]


def frame_of(query: Query) -> FrameKey | None:
    """The one frame that a query is about; None if it may be about more."""
    if query.where is not None or query.first_frame is None or query.first_frame != query.last_frame:
        return None
    names = [one[0] for one in (query.dataset, query.episode, query.camera) if one is not None and len(one) == 1]
    if len(names) < 3:
        return None
    dataset, episode, camera = names
    return False, dataset, episode, camera, query.first_frame, ""


def _is_put_on(key: FrameKey, width: int, touched: Touched) -> bool:
    """Whether records may have been put on any of `width` frames from one on."""
    return any(_is_within(key, width, bounds) for bounds in touched.put)


def _is_within(key: FrameKey, width: int, bounds: Mapping[str, Sequence[Any] | None]) -> bool:
    if key[0]:
        return any(one is None for one in bounds.values())  # loose pictures have no place
    for name, value in zip(("dataset", "episode", "camera"), key[1:4], strict=True):
        ends = bounds.get(name)
        if ends is not None and not ends[0] <= value <= ends[1]:
            return False
    ends = bounds.get("frame_index")
    return ends is None or (ends[0] < key[4] + width and key[4] <= ends[1])


def _fitting(num_masks: int, width: int) -> int:
    """How many frames to fetch at a time of a recording that has so many masks on so many frames."""
    fit = MASKS_PER_BLOCK * width // max(num_masks, 1)
    return max(1, min(MOST_FRAMES, fit))


def _size(masks: Sequence[ResolvedRecord]) -> int:
    return 300 + sum(_BYTES_PER_MASK + len(mask.record.rle.counts) for mask in masks)


__all__ = ["MASKS_PER_BLOCK", "MOST_FRAMES", "FrameShelf", "frame_of"]
