"""Frames and masks side by side: two streams in frame order become frames that have their masks."""

from collections.abc import Iterable, Iterator
from typing import Any

from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.store.bulk_writer import Batch
from maskwright.store.frame_log import FrameKey, SeenFrame, key_of
from maskwright.store.query import Query
from maskwright.store.values import StoredFrame


def with_masks(frames: Iterator[SeenFrame], masks: Iterator[ResolvedRecord]) -> Iterator[StoredFrame]:
    """Lay two streams in frame order beside each other; pictures of the same pixels share their masks."""
    pending = next(masks, None)
    here: list[ResolvedRecord] = []
    key: FrameKey | None = None
    for frame in frames:
        if frame.key != key:
            key, here = frame.key, []
            while pending is not None and key_of_mask(pending) <= key:
                if key_of_mask(pending) == key:
                    here.append(pending)
                pending = next(masks, None)
        yield StoredFrame(frame=frame, masks=tuple(here))


def key_of_mask(resolved: ResolvedRecord) -> FrameKey:
    """The place of a mask's frame in frame order."""
    return key_of(resolved.record.frame, resolved.record.image_digest)


def by_frame(records: Iterable[MaskRecord], frames: Iterable[SeenFrame]) -> tuple[Batch, frozenset[object]]:
    """Group records by their frames, in frame order, and give the keys of the frames that somebody named.

    Other frames get a name. Of loose pictures with the same pixels the first gets the masks.
    """
    named = list(frames)
    grouped: dict[FrameKey, list[MaskRecord]] = {}
    for record in records:
        grouped.setdefault(key_of(record.frame, record.image_digest), []).append(record)
    keys = frozenset(frame.key for frame in named)
    made_up_frames = [made_up(masks[0]) for key, masks in grouped.items() if key not in keys]
    batch: Batch = [(frame, grouped.pop(frame.key, ())) for frame in (*named, *made_up_frames)]
    return sorted(batch, key=lambda one: (one[0].key, one[0].name)), keys


def is_chosen(query: Query, frame: SeenFrame) -> bool:
    """Whether a query's conditions on frames leave this one."""
    ref = frame.ref
    conditions: tuple[tuple[Any, str | None], ...] = (
        (query.dataset, ref.dataset if ref else None),
        (query.episode, ref.episode if ref else None),
        (query.camera, ref.camera if ref else None),
        (query.image_digest, frame.image_digest),
    )
    if any(names is not None and value not in tuple(names) for names, value in conditions):
        return False
    if query.first_frame is None and query.last_frame is None:
        return True
    index = ref.frame_index if ref else None
    low, high = query.first_frame, query.last_frame
    return index is not None and (low is None or index >= low) and (high is None or index <= high)


def made_up(record: MaskRecord) -> SeenFrame:
    """Name the frame of a record that came without one."""
    ref = record.frame
    name = f"{record.image_digest}" if ref is None else f"{ref.episode}/{ref.camera}/{ref.frame_index:06d}"
    return SeenFrame(name=name, size_hw=record.rle.size_hw, ref=ref, image_digest=record.image_digest)


__all__ = ["by_frame", "is_chosen", "key_of_mask", "made_up", "with_masks"]
