"""`FrameShelf`: the masks of frames that were looked at lately, kept as long as nobody changes them.

A question about one frame is the one that people and robots ask all day. Frames are read a block at a time, because the
next question is about a neighbour; a write, whoever's it is, takes off the shelf just the frames that it touched.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from maskwright.core import ResolvedRecord
from maskwright.store import ANY_STATUS, MaskStore, Query, matches
from maskwright.store.frame_log import FrameKey, key_of
from maskwright.store.pages import Pages, Touched, query_of

BLOCK = 32  # frames
_BYTES_PER_MASK = 2_000  # of Python objects, without the counts


class FrameShelf:
    """Masks by frame, at most about `max_bytes` of them. Threads may use it together."""

    def __init__(self, reader: MaskStore, pages: Pages, max_bytes: int) -> None:
        self._reader, self._pages, self._max_bytes = reader, pages, max_bytes
        self._frames: OrderedDict[FrameKey, tuple[ResolvedRecord, ...]] = OrderedDict()
        self._frame_of: dict[str, FrameKey] = {}
        self._num_bytes = 0
        self._moment = pages.head()
        self._lock = threading.Lock()

    def masks(self, key: FrameKey) -> tuple[tuple[ResolvedRecord, ...], bool]:
        """Give every mask of a frame as it is now, of any status, and whether they were on the shelf."""
        with self._lock:
            self._catch_up()
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
                return found, True
            moment = self._moment
        read = self._read(key)
        with self._lock:
            self._catch_up()
            self._keep(read, self._pages.touched(moment, self._moment))
        return read.get(key, ()), False

    def find(self, query: Query) -> list[ResolvedRecord] | None:
        """Answer a query about one frame; None where it is about more."""
        key = frame_of(query)
        return None if key is None else [mask for mask in self.masks(key)[0] if matches(query, mask)]

    def _read(self, key: FrameKey) -> Mapping[FrameKey, tuple[ResolvedRecord, ...]]:
        is_loose, dataset, episode, camera, index, _ = key
        if is_loose:
            return {key: tuple(self._reader.query(query_of(key)))}
        first = index // BLOCK * BLOCK
        block = Query(
            dataset=dataset,
            episode=episode,
            camera=camera,
            first_frame=first,
            last_frame=first + BLOCK - 1,
            status=ANY_STATUS,
        )
        found: dict[FrameKey, list[ResolvedRecord]] = {
            (False, dataset, episode, camera, number, ""): [] for number in range(first, first + BLOCK)
        }
        for mask in self._reader.query(block):
            found[key_of(mask.record.frame, mask.record.image_digest)].append(mask)
        return {frame: tuple(masks) for frame, masks in found.items()}

    def _keep(self, read: Mapping[FrameKey, tuple[ResolvedRecord, ...]], touched: Touched) -> None:
        """Put frames on the shelf but those that were touched while they were read."""
        for key, masks in read.items():
            if any(mask.record.id in touched.records for mask in masks) or _is_put_on(key, touched):
                continue
            self._drop(key)
            self._frames[key] = masks
            self._num_bytes += _size(masks)
            self._frame_of.update(dict.fromkeys((mask.record.id for mask in masks), key))
        while self._num_bytes > self._max_bytes and self._frames:
            self._drop(next(iter(self._frames)))

    def _catch_up(self) -> None:
        """Take off the shelf what was touched since the last look."""
        head = self._pages.head()
        if head == self._moment:
            return
        touched = self._pages.touched(self._moment, head)
        for record_id in touched.records:
            if record_id in self._frame_of:
                self._drop(self._frame_of[record_id])
        if touched.put:
            for key in [key for key in self._frames if _is_put_on(key, touched)]:
                self._drop(key)
        self._moment = head

    def _drop(self, key: FrameKey) -> None:
        masks = self._frames.pop(key, None)
        if masks is not None:
            self._num_bytes -= _size(masks)
            for mask in masks:
                self._frame_of.pop(mask.record.id, None)


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


def _size(masks: Sequence[ResolvedRecord]) -> int:
    return 200 + sum(_BYTES_PER_MASK + len(mask.record.rle.counts) for mask in masks)


__all__ = ["BLOCK", "FrameShelf", "frame_of"]
