"""`find_objects`: the frames of a store on which an object is that looks like a given one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.core.errors import InputError, StoreMissing, UnknownRecord
from maskwright.core.image import Image
from maskwright.core.prompt import BoxPrompt
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.shapes import BoxXYXY
from maskwright.robot.object_features import best_matches, object_vectors
from maskwright.store import MaskStore, Query, open_store
from maskwright.workflows.object_vectors import ObjectVectors, current_masks, vectors_of_objects

if TYPE_CHECKING:
    from maskwright.models import Model

_MASKS_A_FRAME = 8  # looked at for each frame that is wanted: a frame counts once


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeRecord:
    """An object like that of a mask of the store."""

    record_id: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LikeBox:
    """An object like the one in a box of a picture."""

    image: Image
    box_xyxy: BoxXYXY


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFrame:
    """A frame, by its best mask: how like it is, from -1 to 1."""

    score: float
    mask: ResolvedRecord

    @property
    def name(self) -> str:
        """Where the frame stands, or the digest of a loose picture."""
        ref = self.mask.record.frame
        if ref is None:
            return self.mask.record.image_digest[:16]
        return f"{ref.dataset}/{ref.episode}/{ref.camera}/{ref.frame_index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObjects:
    """Frames, the likest first; how many masks were compared, and how many pictures were encoded for it."""

    frames: tuple[FoundFrame, ...]
    num_compared: int
    num_encoded: int
    num_unreadable: int

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON types."""
        return {
            "num_compared": self.num_compared,
            "num_encoded": self.num_encoded,
            "num_unreadable": self.num_unreadable,
            "frames": [
                {
                    "score": round(one.score, 4),
                    "frame": one.name,
                    "record": one.mask.record.id,
                    "label": one.mask.record.label,
                    "box_xyxy": list(one.mask.record.box_xyxy),
                }
                for one in self.frames
            ],
        }

    def lines(self) -> Iterator[str]:
        """Tell people."""
        for one in self.frames:
            record = one.mask.record
            yield f"{one.score:.3f}  {one.name}  {record.id}  {record.label or '-'}"


def find_objects(
    path: Path,
    like: LikeRecord | LikeBox,
    model: "Model",
    *,
    limit: int = 20,
    query: Query | None = None,
    images: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> FoundObjects:
    """Find the frames with the objects that look most like one; `query` chooses among which masks.

    Vectors of masks are made where they are missing, and kept beside the store.

    Raises:
        UnknownRecord: there is no such mask, or it is empty.
        InputError: the box holds nothing that the model sees, or no picture can be read.
        StoreError: there is no store, or it cannot be read or written.
    """
    if not (path / "store.json").is_file():
        raise StoreMissing(f"a search compares masks, and there is no mask store; annotate first, or name it: {path}")
    query = query or Query()
    made = vectors_of_objects(path, model, query=query, images=images, progress=progress)
    with open_store(path, read_only=True) as store:
        current = current_masks(store, query)
        wanted, own = _wanted(store, like, model, made.vectors, images)
        batches = made.vectors.batches(current)
        mean = made.vectors.mean(current)
        matches = best_matches(batches, wanted, count=limit * _MASKS_A_FRAME, mean=mean, leave_out=own)
        frames: dict[object, FoundFrame] = {}
        for match in matches:
            mask = store.record(match.record_id)
            place = mask.record.frame or mask.record.image_digest
            frames.setdefault(place, FoundFrame(score=match.score, mask=mask))
            if len(frames) == limit:
                break
    return FoundObjects(
        frames=tuple(frames.values()),
        num_compared=len(_compared(current, made.vectors)),
        num_encoded=made.num_encoded,
        num_unreadable=made.num_unreadable,
    )


def _compared(current: Mapping[str, str], vectors: ObjectVectors) -> list[str]:
    return [one for one, mask in current.items() if vectors.made.get(one) == mask]


def _wanted(
    store: MaskStore, like: LikeRecord | LikeBox, model: "Model", vectors: ObjectVectors, images: Path | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The vector that is looked for, and the masks that are no answer."""
    if isinstance(like, LikeBox):
        return _of_box(like, model), ()
    record = store.record(like.record_id).record
    if not record.area:
        raise UnknownRecord(f"the mask {like.record_id} is empty, so nothing looks like it")
    quoted = record.id.replace("'", "''")
    only = Query(status=None, where=f"id = '{quoted}'")
    here = current_masks(store, only)
    found = vectors.of(record.id, here)
    if found is None:  # left out by the query, or rejected
        found = vectors_of_objects(store.path, model, query=only, images=images).vectors.of(record.id, here)
    if found is None:
        raise InputError(
            f"the picture of {like.record_id} cannot be read. Say where it is: --images PATH: {store.path}"
        )
    return found, (record.id,)


def _of_box(like: LikeBox, model: "Model") -> np.ndarray:
    from maskwright.predict import embed, predict, to_records

    embedding = embed(model, like.image)
    prompt = BoxPrompt(like.box_xyxy)
    batch = predict(model, embedding, [prompt])
    (record,) = to_records(batch)
    if not record.area:
        raise InputError(f"the model sees nothing in the box {like.box_xyxy}; draw it around an object")
    return object_vectors(embedding, [record.rle])[0]


__all__ = ["FoundFrame", "FoundObjects", "LikeBox", "LikeRecord", "find_objects"]
