"""Vectors of a store's objects: made by a model once and kept beside the masks, as those of pictures are.

STORE/vectors/ENCODER.objects/ holds Parquet files with `record_id`, `mask` (the SHA-256 of its counts) and `vector`, a
row a mask. Files are added as masks are; a mask that was edited since gets a new row, and its old one counts no more.
The folder can be deleted at any time.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from maskwright.core.errors import InputError
from maskwright.core.image import Image
from maskwright.core.resolved import ResolvedRecord
from maskwright.robot.object_features import VectorBatch, object_vectors
from maskwright.store import MaskStore, Query, StoredFrame, open_store
from maskwright.store.folder import told_plainly, write_whole
from maskwright.store.query import sql_of
from maskwright.workflows.store_pictures import StorePictures
from maskwright.workflows.store_vectors import FOLDER, encoder_name

if TYPE_CHECKING:
    from maskwright.models import Model

_log = logging.getLogger(__name__)
_AT_ONCE = 50  # pictures between two files
_ROWS = 20_000  # of a batch that is searched: 20 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeObjectVectors:
    """The vectors of a store, how many pictures were encoded for them now, and how many cannot be read."""

    vectors: "ObjectVectors"
    num_encoded: int
    num_unreadable: int


class ObjectVectors:
    """The files of one encoder beside one store."""

    def __init__(self, store: Path, model: "Model") -> None:
        self.folder = store / FOLDER / f"{encoder_name(model)}.objects"
        self.made: dict[str, str] = {}  # the newest mask of each record that has a vector
        for _, ids, masks, _ in self._parts(with_vectors=False):
            self.made.update(zip(ids, masks, strict=True))

    def add(self, rows: list[tuple[str, str, Float32[np.ndarray, " D"]]]) -> None:
        """Keep vectors as a file, whole or not at all.

        Raises:
            StoreError: they cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        vectors = np.stack([vector for _, _, vector in rows])
        flat = pa.array(vectors.ravel(), pa.float32())
        columns = {
            "record_id": pa.array([record_id for record_id, _, _ in rows]),
            "mask": pa.array([mask for _, mask, _ in rows]),
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
        content = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), content)
        number = 1 + max((int(path.stem) for path in self.folder.glob("*.parquet") if path.stem.isdecimal()), default=0)
        with told_plainly(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / f"{number:06d}.parquet", content.getvalue().to_pybytes())
        self.made.update({record_id: mask for record_id, mask, _ in rows})

    def batches(self, current: Mapping[str, str]) -> Iterator[VectorBatch]:
        """Give the vectors of masks as they are, of those named in `current` with the digest of their pixels."""
        for _, ids, masks, vectors in self._parts(with_vectors=True):
            kept = [at for at, (one, mask) in enumerate(zip(ids, masks, strict=True)) if current.get(one) == mask]
            if kept:
                yield VectorBatch(record_ids=[ids[at] for at in kept], vectors=vectors[kept])

    def of(self, record_id: str, current: Mapping[str, str]) -> Float32[np.ndarray, " D"] | None:
        """The vector of one mask, if it has one."""
        found = None
        for batch in self.batches({record_id: current[record_id]} if record_id in current else {}):
            found = batch.vectors[-1]
        return found

    def mean(self, current: Mapping[str, str]) -> Float32[np.ndarray, " D"] | None:
        """The mean of all vectors; None where there is none."""
        total, count = None, 0
        for batch in self.batches(current):
            part = batch.vectors.sum(axis=0, dtype=np.float64)
            total = part if total is None else total + part
            count += len(batch.record_ids)
        return None if total is None else (total / count).astype(np.float32)

    def _parts(self, *, with_vectors: bool) -> Iterator[tuple[Path, list[str], list[str], np.ndarray]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = ["record_id", "mask"] + (["vector"] if with_vectors else [])
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(_ROWS, columns=names):
                        vectors = _dense(batch.column("vector")) if with_vectors else np.zeros((0, 0), np.float32)
                        ids, masks = (batch.column(name).to_pylist() for name in ("record_id", "mask"))
                        yield path, ids, masks, vectors
            except (pa.ArrowException, OSError, KeyError, ValueError) as error:
                _log.warning("vectors that cannot be read are made anew (%s): %s", error, path)


def current_masks(store: MaskStore, query: Query) -> dict[str, str]:
    """List the masks that meet a query, with the digests of their pixels."""
    condition, values = sql_of(query)
    sql = f"SELECT id, sha256(rle) FROM masks WHERE {condition} AND area > 0"
    with store.sql() as connection:
        return dict(connection.execute(sql, values).fetchall())


def vectors_of_objects(
    path: Path,
    model: "Model",
    *,
    query: Query | None = None,
    images: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> MadeObjectVectors:
    """Make the vectors of a store's masks; those that were made before, and whose masks are the same, are not again.

    `images` is where the pictures are, if they were moved.

    Raises:
        InputError: not one picture can be read.
        StoreError: the store cannot be read, or the vectors not be written.
    """
    query = query or Query()
    kept = ObjectVectors(path, model)
    num_encoded, unreadable = 0, list[str]()
    with open_store(path, read_only=True) as store:
        current = current_masks(store, query)
        missing = {one for one, mask in current.items() if kept.made.get(one) != mask}
        pictures = StorePictures(store, images)
        rows: list[tuple[str, str, np.ndarray]] = []
        for found in store.frames(query) if missing else ():
            masks = [one for one in found.masks if one.record.id in missing]
            if not masks:
                continue
            image = _image(pictures, found)
            if image is None:
                unreadable.append(found.frame.name)
                continue
            rows += _vectors(model, image, masks)
            num_encoded += 1
            if num_encoded % _AT_ONCE == 0:
                kept.add(rows)
                rows = []
            if progress is not None:
                progress(num_encoded, None)
        if rows:
            kept.add(rows)
    if unreadable and not kept.made:
        raise InputError(f"no picture of the store can be read. Say where they are: --images PATH: {path}")
    if unreadable:
        told = "%d pictures cannot be read and their objects have no vector; the first: %s. Name them: --images PATH"
        _log.warning(told, len(unreadable), unreadable[0])
    return MadeObjectVectors(vectors=kept, num_encoded=num_encoded, num_unreadable=len(unreadable))


def _vectors(model: "Model", image: Image, masks: list[ResolvedRecord]) -> list[tuple[str, str, np.ndarray]]:
    from maskwright.predict import embed

    vectors = object_vectors(embed(model, image), [one.record.rle for one in masks])
    digests = [hashlib.sha256(one.record.rle.counts).hexdigest() for one in masks]
    return [(one.record.id, digest, vector) for one, digest, vector in zip(masks, digests, vectors, strict=True)]


def _image(pictures: StorePictures, found: StoredFrame) -> Image | None:
    try:
        opener = pictures.opener(found.frame)
        return None if opener is None else opener()
    except InputError:
        return None


def _dense(column: Any) -> Float32[np.ndarray, "N D"]:
    return np.asarray(column.values, np.float32).reshape(len(column), -1)


__all__ = ["MadeObjectVectors", "ObjectVectors", "current_masks", "vectors_of_objects"]
