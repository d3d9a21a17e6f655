"""Video with true masks by what a user types: a folder, or a mask store whose records have tracks.

Of a store, masks that a person drew or accepted, a simulator made or another format brought are the truth; what a model
proposed and nobody looked at is not. A frame without any true mask is one that nobody labelled. Frames come from where
the runs of the store found them, or from `images`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from maskwright.core import RLE
from maskwright.core.errors import InputError
from maskwright.core.resolved import ResolvedRecord
from maskwright.evaluate.sequences import LabelledSequence, MissedFrame, SequenceFrame, open_sequences
from maskwright.masks import union
from maskwright.store import MaskStore, Query, SeenFrame, open_store
from maskwright.store.folder import StoreFolder
from maskwright.workflows.store_pictures import StorePictures

_TRUE_METHODS = frozenset(("human_drawn", "simulator", "imported"))


def open_tracked(path: Path, *, images: Path | None = None) -> list[LabelledSequence]:
    """Open the sequences of a folder of pictures and masks, or of a store.

    Raises:
        InputError: there is none, or the frames of the store are not at hand.
        StoreError: the store cannot be read.
    """
    if not StoreFolder(path).about.is_file():
        if images is not None:
            raise InputError(f"--images is for mask stores, but this is none; its frames lie beside its masks: {path}")
        return open_sequences(path)
    with open_store(path, read_only=True) as store:
        return _of_store(store, images)


@dataclass(slots=True)
class _Recording:
    """What a store knows of one camera of one episode."""

    dataset: str
    episode: str
    camera: str
    first: SeenFrame
    num_frames: int = 0
    tracks: dict[str, str | None] = field(default_factory=dict)


def _of_store(store: MaskStore, images: Path | None) -> list[LabelledSequence]:
    found: dict[tuple[str, str, str], _Recording] = {}
    for stored in store.frames():
        ref = stored.frame.ref
        if ref is None:
            continue
        key = ref.dataset, ref.episode, ref.camera
        if key not in found:
            found[key] = _Recording(*key, first=stored.frame)
        found[key].num_frames += 1
        found[key].tracks |= {m.record.track: m.record.label for m in stored.masks if m.record.track and _is_true(m)}
    tracked = [one for one in found.values() if one.tracks]
    if not tracked:
        raise InputError(
            "no mask of this store is the truth of a track: expected records with tracks that were drawn, accepted, "
            f"imported or made by a simulator. Review some, or give another store: {store.path}"
        )
    pictures = StorePictures(store, images)
    missing = next((one.first for one in tracked if pictures.opener(one.first) is None), None)
    if missing is not None:
        raise InputError(
            f"the pictures of {missing.name} are not at hand. Say where they are with --images: {store.path}"
        )
    return [_sequence(store.path, pictures, one) for one in tracked]


def _sequence(store_path: Path, pictures: StorePictures, one: _Recording) -> LabelledSequence:
    """A recording as a sequence; frames are counted from 0 as the store has them, in order."""

    def read(start: int, stop: int | None) -> Iterator[SequenceFrame | MissedFrame]:
        query = Query(dataset=one.dataset, episode=one.episode, camera=one.camera)
        with open_store(store_path, read_only=True) as store:
            for index, stored in enumerate(islice(store.frames(query), stop)):
                if index >= start:
                    yield _frame(index, stored.frame, stored.masks, pictures)

    name = "/".join((one.episode, one.camera))
    labels = {track: label for track, label in one.tracks.items() if label}
    return LabelledSequence(name=name, num_frames=one.num_frames, read=read, labels=labels)


def _frame(
    index: int, seen: SeenFrame, masks: tuple[ResolvedRecord, ...], pictures: StorePictures
) -> SequenceFrame | MissedFrame:
    try:
        open_image = pictures.opener(seen)
        if open_image is None:
            raise InputError(f"the picture of {seen.name} is not at hand")
        image = open_image()
    except InputError as error:
        return MissedFrame(index=index, error=error)
    if image.size_hw != seen.size_hw:
        raise InputError(f"the masks of {seen.name} are {seen.size_hw} (height, width), its picture {image.size_hw}")
    truth: dict[str, RLE] = {}
    for mask in masks:
        track, rle = mask.record.track, mask.record.rle
        if track and _is_true(mask):
            truth[track] = union([truth[track], rle]) if track in truth else rle
    return SequenceFrame(index=index, image=image, truth=truth or None)


def _is_true(mask: ResolvedRecord) -> bool:
    return mask.status == "accepted" or mask.record.provenance.method in _TRUE_METHODS


__all__ = ["open_tracked"]
