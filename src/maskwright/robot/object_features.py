"""What an object looks like as one vector: the mean of the image embedding under its mask, of length 1.

The vectors of all objects share much, which says "a picture" and nothing of the object; a search takes the mean of all
away first (`best_matches`). Knows embeddings and masks; files and stores are `workflows.object_vectors`.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from maskwright.core.errors import InputError, MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import decode

if TYPE_CHECKING:
    from maskwright.predict import ImageEmbedding


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A mask that looks like what was asked for: its id, and the cosine to it, from -1 to 1."""

    record_id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorBatch:
    """Some vectors of length 1, and the masks that they are of."""

    record_ids: Sequence[str]
    vectors: Float32[np.ndarray, "N D"]


def object_vectors(
    embedding: "ImageEmbedding", masks: Sequence[RLE | Bool[np.ndarray, "H W"]]
) -> Float32[np.ndarray, "N D"]:
    """Describe the objects under some masks of an embedded image; the vector of an empty mask is zeros.

    Raises:
        MaskError: a mask has another size than the image.
    """
    cells = embedding.features.image_embedding[0].float().numpy(force=True)  # D h w
    found = np.zeros((len(masks), cells.shape[0]), np.float32)
    for at, mask in enumerate(masks):
        dense = decode(mask) if isinstance(mask, RLE) else mask
        if dense.shape != embedding.size_hw:
            raise MaskError(f"a mask must have its image's size {embedding.size_hw} (h, w), got {dense.shape}")
        weights = cell_shares(dense, (cells.shape[1], cells.shape[2]))
        found[at] = _unit((cells * weights).sum(axis=(1, 2)))
    return found


def cell_shares(mask: Bool[np.ndarray, "H W"], cells_hw: SizeHW) -> Float32[np.ndarray, "h w"]:
    """Compute how much of each cell of an embedding a mask covers; the image lies in the upper left of a square."""
    side = max(mask.shape)
    below, right = side - mask.shape[0], side - mask.shape[1]
    square = cv2.copyMakeBorder(mask.view(np.uint8), 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)
    way = cv2.INTER_AREA if side > max(cells_hw) else cv2.INTER_LINEAR
    return cv2.resize(square.astype(np.float32), cells_hw[::-1], interpolation=way)


def best_matches(
    batches: Iterable[VectorBatch],
    like: Float[np.ndarray, " D"],
    *,
    count: int,
    mean: Float[np.ndarray, " D"] | None = None,
    leave_out: Sequence[str] = (),
) -> list[Match]:
    """Find the masks whose vectors are nearest to one, the best first; holds one batch and `count` answers.

    `mean` is that of all vectors, which is taken away from both sides.

    Raises:
        InputError: the vectors are of another length than the one that is asked for.
    """
    wanted = _unit(np.asarray(like, np.float32) - (0 if mean is None else np.asarray(mean, np.float32)))
    best: list[tuple[float, str]] = []
    for batch in batches:
        if batch.vectors.shape[1:] != wanted.shape:
            got = f"{batch.vectors.shape[1:]} numbers, the one asked for {wanted.shape}"
            raise InputError(f"vectors of one model are needed; those kept have {got}. Name the model they are of.")
        scores = _scores(batch.vectors, wanted, mean)
        taken = np.argpartition(-scores, count - 1)[:count] if len(scores) > count else range(len(scores))
        for at in taken:
            if batch.record_ids[at] not in leave_out:
                best.append((float(scores[at]), batch.record_ids[at]))
        best = heapq.nlargest(count, best)
    return [Match(record_id=record_id, score=score) for score, record_id in best]


def _scores(vectors: np.ndarray, wanted: np.ndarray, mean: np.ndarray | None) -> np.ndarray:
    if mean is None:
        return vectors @ wanted
    centred = vectors - np.asarray(mean, np.float32)
    return (centred @ wanted) / np.maximum(np.linalg.norm(centred, axis=1), 1e-12)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return (vector / length if length else vector).astype(np.float32)


__all__ = ["Match", "VectorBatch", "best_matches", "cell_shares", "object_vectors"]
