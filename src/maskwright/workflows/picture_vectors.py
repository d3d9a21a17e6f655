"""Vectors of pictures by digest: from a .npz or Parquet file, or computed by a model through the embedding cache.

The file has `image_digest`, N texts, and `vector`, N rows of numbers. A picture that it lacks has zeros, for
"not known".
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import InputError
from maskwright.core.image import Image
from maskwright.store.folder import told_plainly, write_whole

if TYPE_CHECKING:
    from maskwright.models import Model
    from maskwright.predict import EmbeddingCache


@dataclass(frozen=True, slots=True, eq=False)
class PictureVectors:
    """Vectors, and the row of each picture."""

    rows: dict[str, int]
    vectors: Float[np.ndarray, "N D"]

    @classmethod
    def read(cls, path: Path | str) -> "PictureVectors":
        """Read a file of vectors.

        Raises:
            InputError: there is none, or it holds something else.
        """
        path = Path(path)
        try:
            digests, vectors = _read_parquet(path) if path.suffix == ".parquet" else _read_npz(path)
        except (OSError, KeyError, ValueError, TypeError, BadZipFile) as error:
            raise InputError(
                f"vectors are a .npz or .parquet with image_digest and vector; this cannot be read ({error}): {path}"
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(digests):
            raise InputError(
                f"expected one row of numbers for each of {len(digests)} pictures, got {vectors.shape}: {path}"
            )
        return cls({digest: row for row, digest in enumerate(digests)}, vectors)

    def of(self, digests: Sequence[str]) -> Float[np.ndarray, "N D"]:
        """The vectors of some pictures; zeros for those that are not known."""
        found = np.zeros((len(digests), self.vectors.shape[1]), np.float32)
        for at, digest in enumerate(digests):
            row = self.rows.get(digest)
            if row is not None:
                found[at] = self.vectors[row]
        return found

    def write(self, path: Path | str) -> None:
        """Write a .npz, whole or not at all."""
        path = Path(path)
        content = io.BytesIO()
        np.savez(content, image_digest=np.array(list(self.rows)), vector=self.vectors)
        with told_plainly(path):
            write_whole(path, content.getvalue())


def vectors_of_pictures(
    model: "Model",
    images: Iterable[Image],
    *,
    cache: "EmbeddingCache | None" = None,
    progress: Callable[[int], None] | None = None,
) -> PictureVectors:
    """Embed pictures and take the mean and the spread of each channel; those in the cache are not encoded again."""
    from maskwright.predict import embed

    rows: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    for done, image in enumerate(images, 1):
        if image.digest not in rows:
            features = embed(model, image, cache=cache).features.image_embedding[0].float()
            vector = np.concatenate(
                [features.mean(dim=(1, 2)).numpy(force=True), features.std(dim=(1, 2)).numpy(force=True)]
            )
            rows[image.digest] = len(vectors)
            vectors.append(vector)
        if progress is not None:
            progress(done)
    return PictureVectors(rows, np.stack(vectors) if vectors else np.zeros((0, 1), np.float32))


def _read_npz(path: Path) -> tuple[list[str], np.ndarray]:
    # Opened here: np.load leaves a file open that turns out to be no archive.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        return [str(one) for one in content["image_digest"]], np.asarray(content["vector"], np.float32)


def _read_parquet(path: Path) -> tuple[list[str], np.ndarray]:
    import pyarrow.parquet as pq

    table: Any = pq.read_table(path, columns=["image_digest", "vector"])
    rows = [np.asarray(row, np.float32) for row in table.column("vector").to_pylist()]
    return table.column("image_digest").to_pylist(), np.stack(rows) if rows else np.zeros((0, 1), np.float32)


__all__ = ["PictureVectors", "vectors_of_pictures"]
