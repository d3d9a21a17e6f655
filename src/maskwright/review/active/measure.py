"""`measure`: a stream of frames with their masks becomes a stream of items with their signals.

Frames come in frame order, as a store gives them. What is kept between frames is the last mask of each track of one
recording, so memory does not grow with the store.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core.resolved import ResolvedRecord, Status
from maskwright.core.rle import RLE
from maskwright.masks import decode
from maskwright.review.active import geometry, rivals, signals
from maskwright.review.active.kinds import Signal
from maskwright.review.active.novelty import novelty
from maskwright.review.engine import is_person
from maskwright.store import SeenFrame, StoredFrame

Recording = tuple[str, ...]
VectorsOf = Callable[[Sequence[str]], Float[np.ndarray, "N D"]]
PixelsOf = Callable[[SeenFrame], UInt8[np.ndarray, "H W 3"] | None]
_MODELS = ("sam_raw", "sam_refined")
_CONTEXT: tuple[Status, ...] = ("proposed", "accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something to choose: a mask, or all masks of a frame that may be chosen, with its signals.

    `values` are in the order of the signals that were asked for, nan where unknown. `recording` and `frame_index` say
    what lies near it in time; a loose picture is a recording of its own. `was_wrong`: people rejected or corrected the
    mask of a model, False where they accepted it as it came, None where nobody has decided.
    """

    record_ids: tuple[str, ...]
    statuses: tuple[Status, ...]
    recording: Recording
    frame_index: int
    track: str | None
    image_digest: str
    values: tuple[float, ...]
    was_wrong: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is at hand beside the masks: vectors by name, those that are known already, and pixels.

    A vector's name is the digest of its picture, or the id of its mask where `is_by_mask`. Zeros stand for none.
    """

    vectors_of: VectorsOf | None = None
    known: Float[np.ndarray, "K D"] | None = None
    pixels_of: PixelsOf | None = None
    is_by_mask: bool = False


def measure(
    frames: Iterable[StoredFrame],
    kinds: Sequence[Signal],
    *,
    of_status: Collection[str] = ("proposed",),
    sources: Sources | None = None,
) -> Iterator[Item]:
    """Give every mask that may be chosen, or that people decided about, with its signals."""
    meter = _Meter([one.name for one in kinds], sources or Sources())
    for frame in frames:
        listed = [mask for mask in frame.masks if mask.status in _CONTEXT]
        columns = meter.columns(frame.frame, listed)
        rejected = [mask for mask in frame.masks if mask.status == "rejected"]
        alone = meter.columns_of_each(frame.frame, rejected)
        for mask, values in (*zip(listed, columns, strict=True), *zip(rejected, alone, strict=True)):
            was_wrong = _was_wrong(mask)
            if mask.status in of_status or was_wrong is not None:
                yield _item(mask, frame.frame, values, was_wrong)


def by_frame(items: Iterable[Item], *, of_status: Collection[str] = ("proposed",)) -> Iterator[Item]:
    """Join the items of each frame into one, which has the largest of their signals.

    What people decided about comes as it is, for calibration.
    """
    here: list[Item] = []
    for item in items:
        if here and (item.recording, item.frame_index, item.image_digest) != _place(here[0]):
            yield _joined(here)
            here = []
        if not set(item.statuses) <= set(of_status):
            yield item
        else:
            here.append(item)
    if here:
        yield _joined(here)


def _place(item: Item) -> tuple[Recording, int, str]:
    return item.recording, item.frame_index, item.image_digest


def _joined(items: Sequence[Item]) -> Item:
    first, values = items[0], np.array([one.values for one in items])
    with np.errstate(invalid="ignore"):
        largest = np.where(np.isnan(values).all(axis=0), np.nan, np.nanmax(np.nan_to_num(values, nan=-1.0), axis=0))
    return Item(
        record_ids=tuple(one for item in items for one in item.record_ids),
        statuses=tuple(one for item in items for one in item.statuses),
        recording=first.recording,
        frame_index=first.frame_index,
        track=None,
        image_digest=first.image_digest,
        values=tuple(largest.tolist()),
    )


def _item(mask: ResolvedRecord, frame: SeenFrame, values: Sequence[float | None], was_wrong: bool | None) -> Item:
    record, ref = mask.record, frame.ref
    return Item(
        record_ids=(record.id,),
        statuses=(mask.status,),
        recording=(record.image_digest,) if ref is None else (ref.dataset, ref.episode, ref.camera),
        frame_index=0 if ref is None else ref.frame_index,
        track=record.track,
        image_digest=record.image_digest,
        values=tuple(np.nan if value is None else float(value) for value in values),
        was_wrong=was_wrong,
    )


def _was_wrong(mask: ResolvedRecord) -> bool | None:
    if mask.record.provenance.method not in _MODELS or mask.status not in ("accepted", "rejected"):
        return None
    if mask.verified_by is not None and not is_person(mask.verified_by):
        return None
    return mask.status == "rejected" or mask.edited_by is not None


class _Meter:
    """Computes the signals that are asked for, and nothing else."""

    def __init__(self, names: Sequence[str], sources: Sources) -> None:
        self._names, self._sources = names, sources
        self._recording: Recording | None = None
        self._before: dict[str, ResolvedRecord] = {}

    def columns(self, frame: SeenFrame, masks: Sequence[ResolvedRecord]) -> list[list[float | None]]:
        """The signals of the masks of a frame, which are remembered for the next."""
        rows = self.columns_of_each(frame, masks)
        together = self._together(masks)
        for row, i in zip(rows, range(len(masks)), strict=True):
            for name, values in together.items():
                row[self._names.index(name)] = values[i]
        self._remember(frame, masks)
        return rows

    def columns_of_each(self, frame: SeenFrame, masks: Sequence[ResolvedRecord]) -> list[list[float | None]]:
        """The signals that need no other mask of the frame."""
        if not masks:
            return []
        picture: dict[str, list[float | None]] = {}
        if "novelty" in self._names:
            picture["novelty"] = self._novelty(masks)
        if self._sources.pixels_of is not None and {"darkness", "see_through"} & set(self._names):
            picture |= _looks(self._sources.pixels_of(frame), masks)
        before = self._before if self._recording == _recording(frame) else {}
        rows: list[list[float | None]] = []
        for i, mask in enumerate(masks):
            found = before.get(mask.record.track or "")
            rows.append([picture[name][i] if name in picture else _alone(name, mask, found) for name in self._names])
        return rows

    def _together(self, masks: Sequence[ResolvedRecord]) -> dict[str, list[float | None]]:
        wanted = {"rivalry", "models", "people"} & set(self._names)
        if not wanted:
            return {}
        found: dict[str, list[float | None]] = {name: [None] * len(masks) for name in wanted}
        authors: dict[tuple[str, str], list[int]] = {}
        for i, mask in enumerate(masks):
            authors.setdefault(_author(mask), []).append(i)
        for author, indices in authors.items():
            rles = [masks[i].record.rle for i in indices]
            others = {kind: [_rles(masks, at) for who, at in authors.items() if who != author and who[0] == kind]
                      for kind in ("model", "person")}  # fmt: skip
            columns = {
                "rivalry": lambda rles=rles: rivals.rivalry(rles),
                "models": lambda rles=rles, sets=others["model"]: rivals.disagreement(rles, sets),
                "people": lambda rles=rles, sets=others["person"]: rivals.disagreement(rles, sets, covers_all=False),
            }
            for name in wanted:
                for i, value in zip(indices, columns[name](), strict=True):
                    found[name][i] = value
        return found

    def _novelty(self, masks: Sequence[ResolvedRecord]) -> list[float | None]:
        known, vectors_of = self._sources.known, self._sources.vectors_of
        if known is None or vectors_of is None or not len(known):
            return [None] * len(masks)
        if self._sources.is_by_mask:
            vectors = vectors_of([mask.record.id for mask in masks])
        else:
            vectors = np.repeat(vectors_of([masks[0].record.image_digest]), len(masks), axis=0)
        return [float(a) if b.any() else None for a, b in zip(novelty(vectors, known), vectors, strict=True)]

    def _remember(self, frame: SeenFrame, masks: Sequence[ResolvedRecord]) -> None:
        recording = _recording(frame)
        if recording != self._recording:
            self._recording, self._before = recording, {}
        if recording is not None:
            self._before.update({mask.record.track: mask for mask in masks if mask.record.track is not None})


def _alone(name: str, mask: ResolvedRecord, before: ResolvedRecord | None) -> float | None:
    """One signal of one mask, beside the mask of its track before it."""
    record, scores, point = mask.record, mask.record.scores, mask.record.track_point
    old = before.record if before is not None else None
    old_point = old.track_point if old is not None else None
    is_seen = record.area > 0 and old is not None and old.area > 0
    match name:
        case "doubt":
            return signals.doubt(scores.predicted_iou)
        case "instability":
            return signals.instability(scores.stability)
        case "ambiguity":
            return signals.ambiguity(scores.agreement)
        case "mismatch":
            return signals.mismatch(scores.predicted_iou, scores.stability)
        case "confidence_fall":
            return signals.confidence_fall(
                point.confidence if point else None, old_point.confidence if old_point else None
            )
        case "size_jump":
            return signals.size_jump(record.area, None if old is None else old.area)
        case "shape_jump":
            return signals.shape_jump(record.rle, old.rle, record.box_xyxy, old.box_xyxy) if is_seen and old else None
        case "moved":
            return signals.moved(record.box_xyxy, old.box_xyxy) if is_seen and old else None
        case "flow_against_model":
            return signals.flow_against_model(point.source if point else None, old_point.source if old_point else None)
        case "thinness":
            return geometry.thinness(record.rle, record.box_xyxy)
        case _:
            return None


def _looks(pixels: UInt8[np.ndarray, "H W 3"] | None, masks: Sequence[ResolvedRecord]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {"darkness": [], "see_through": []}
    for mask in masks:
        fits = pixels is not None and pixels.shape[:2] == mask.record.rle.size_hw
        dense = decode(mask.record.rle) if fits else None
        for name, function in (("darkness", geometry.darkness), ("see_through", geometry.see_through)):
            found[name].append(None if dense is None or pixels is None else function(pixels, dense))
    return found


def _author(mask: ResolvedRecord) -> tuple[str, str]:
    """Who drew the pixels: a person, a model, or a file that came from elsewhere, which nobody is compared with."""
    provenance = mask.record.provenance
    if mask.edited_by is not None:
        return "person", mask.edited_by
    if provenance.method == "human_drawn":
        return "person", provenance.actor or ""
    if provenance.model is None:
        return "file", provenance.source or provenance.method
    return "model", f"{provenance.model.name} {provenance.model.checkpoint_sha256}"


def _rles(masks: Sequence[ResolvedRecord], indices: Sequence[int]) -> list[RLE]:
    return [masks[i].record.rle for i in indices]


def _recording(frame: SeenFrame) -> Recording | None:
    return None if frame.ref is None else (frame.ref.dataset, frame.ref.episode, frame.ref.camera)


__all__ = ["Item", "Recording", "Sources", "by_frame", "measure"]
