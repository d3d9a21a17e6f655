"""Vectors of a store's pictures: read from a file, or made by a model once and kept beside the masks.

STORE/vectors/ENCODER.npz holds what an encoder made, a row a picture. It grows with the store, is written whole every
few dozen pictures, so that what was cut off goes on, and can be deleted at any time. Models that share an encoder, as
a fine-tuned one does with its base, share the file.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskwright.core.errors import InputError, StoreError
from maskwright.core.image import Image
from maskwright.store import ANY_STATUS, MaskStore, Query, SeenFrame, open_store
from maskwright.workflows.picture_vectors import PictureVectors, vectors_of_pictures
from maskwright.workflows.store_pictures import StorePictures

if TYPE_CHECKING:
    from maskwright.models import Model

_log = logging.getLogger(__name__)

FOLDER = "vectors"
_FILES = (".npz", ".parquet")
_AT_ONCE = 50  # pictures between two writes


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVectors:
    """Vectors of the pictures that have masks; how many were encoded now, and how many could not be read."""

    vectors: PictureVectors
    num_encoded: int
    num_unreadable: int


def is_file_of_vectors(text: str) -> bool:
    """Whether a user named a file of vectors, and not a model that makes them."""
    return Path(text).suffix in _FILES


def vectors_of_store(
    path: Path,
    model: "Model",
    *,
    query: Query | None = None,
    with_accepted: bool = False,
    images: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MadeVectors:
    """Make the vectors of the pictures of a store that have masks; those that were made before are not made again.

    `query` narrows them, whatever the status of a mask; `with_accepted` takes those with accepted masks in any case.
    `images` is where the pictures are, if they were moved. A disk that cannot be written is a warning: the vectors are
    made for this time.

    Raises:
        InputError: not one picture can be read.
        StoreError: the store cannot be read.
    """
    with open_store(path, read_only=True) as store:
        keeper = _Keeper(path / FOLDER / f"{encoder_name(model)}.npz")
        queries = [replace(query or Query(), status=ANY_STATUS)]
        queries += [Query(status="accepted")] if with_accepted and query else []
        missing = [one for one in _pictured(store, queries) if one.image_digest not in keeper.vectors.rows]
        pictures = StorePictures(store, images)
        unreadable: list[str] = []

        def read(frames: list[SeenFrame]) -> Iterator[Image]:
            for frame in frames:
                image = _image(pictures, frame)
                if image is None:
                    unreadable.append(frame.name)
                else:
                    yield image

        for start in range(0, len(missing), _AT_ONCE):

            def tell(done: int, start: int = start) -> None:
                if progress is not None:
                    progress(start + done, len(missing))

            keeper.add(vectors_of_pictures(model, read(missing[start : start + _AT_ONCE]), progress=tell))
    if not keeper.vectors.rows:
        raise InputError(f"no picture of the store can be read. Say where they are: --images PATH: {path}")
    if unreadable:
        told = "%d pictures cannot be read and have no vector; the first: %s. Say where they are: --images PATH"
        _log.warning(told, len(unreadable), unreadable[0])
    return MadeVectors(
        vectors=keeper.vectors, num_encoded=len(missing) - len(unreadable), num_unreadable=len(unreadable)
    )


class _Keeper:
    """The vectors so far, and their file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.vectors = PictureVectors({}, np.zeros((0, 1), np.float32))
        if path.is_file():
            try:
                self.vectors = PictureVectors.read(path)
            except InputError as error:
                _log.warning("%s; it is made anew", error)

    def add(self, new: PictureVectors) -> None:
        if not new.rows:
            return
        old = self.vectors
        rows = {**old.rows, **{digest: len(old.rows) + row for digest, row in new.rows.items()}}
        self.vectors = PictureVectors(rows, np.concatenate([old.vectors, new.vectors]) if old.rows else new.vectors)
        try:
            self.path.parent.mkdir(exist_ok=True)
            self.vectors.write(self.path)
        except (OSError, StoreError) as error:
            _log.warning("vectors are not kept for the next time: %s", error)


def encoder_name(model: "Model") -> str:
    """Name the encoder of a model, which models that were fine-tuned from one share."""
    encoder = getattr(model, "encoder_sha256", "") or model.checkpoint_sha256 or f"unsaved-{model.card.name}"
    return encoder[:16]


def _pictured(store: MaskStore, queries: Sequence[Query]) -> Iterator[SeenFrame]:
    """The frames that have masks, each picture once."""
    seen: set[str] = set()
    for found in (one for query in queries for one in store.frames(query)):
        for mask in found.masks[:1]:
            digest = mask.record.image_digest
            if digest and digest not in seen:
                seen.add(digest)
                yield replace(found.frame, image_digest=digest)


def _image(pictures: StorePictures, frame: SeenFrame) -> Image | None:
    try:
        opener = pictures.opener(frame)
        return None if opener is None else opener()
    except InputError:
        return None


__all__ = ["FOLDER", "MadeVectors", "encoder_name", "is_file_of_vectors", "vectors_of_store"]
