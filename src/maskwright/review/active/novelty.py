"""How new a picture or object is, by its embedding: distance to what is known, and farthest-first choice.

Vectors are rows of an array; where they come from is for the caller. They are scaled to length 1 first, so distances
lie between 0 and 2, and differences of brightness that only scale an embedding count for nothing.
"""

import numpy as np
from jaxtyping import Float

_AT_ONCE = 2048


def unit(vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """Scale rows to length 1; what is not finite, and a row of zeros, becomes zeros."""
    rows = np.nan_to_num(np.asarray(vectors, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def novelty(vectors: Float[np.ndarray, "N D"], known: Float[np.ndarray, "K D"]) -> Float[np.ndarray, " N"]:
    """Distance of each vector to the nearest that is known, 0 to 2; nan where nothing is known.

    Source: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach" (2018).
    """
    if not len(known):
        return np.full(len(vectors), np.nan, np.float32)
    rows, known = unit(vectors), unit(known)
    nearest = [
        (rows[at : at + _AT_ONCE] @ known.T).max(axis=1) for at in range(0, len(rows), _AT_ONCE)
    ]  # of unit vectors, the nearest is the one of the largest product
    return np.sqrt(np.maximum(0, 2 - 2 * np.concatenate(nearest or [np.zeros(0, np.float32)])))


def farthest_first(
    vectors: Float[np.ndarray, "N D"], num: int, *, known: Float[np.ndarray, "K D"] | None = None
) -> tuple[list[int], list[float]]:
    """Choose rows, each the farthest from all chosen and known before it; give them and how far each was.

    Without anything known it begins with the row farthest from the mean. It is the greedy k-center algorithm: the
    radius that it leaves uncovered is at most twice the least possible.

    Source: Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance" (1985); Sener and Savarese (2018).
    """
    rows = unit(vectors)
    has_known = known is not None and len(known) > 0
    if known is not None and has_known:
        distance = novelty(rows, known)
    else:
        distance = np.linalg.norm(rows - rows.mean(axis=0, keepdims=True), axis=1)
    chosen: list[int] = []
    radii: list[float] = []
    for _ in range(min(num, len(rows))):
        best = int(np.argmax(distance))
        chosen.append(best)
        radii.append(float(distance[best]))
        new = np.sqrt(np.maximum(0, 2 - 2 * rows @ rows[best]))
        distance = new if len(chosen) == 1 and not has_known else np.minimum(distance, new)
        distance[chosen] = -1
    return chosen, radii


__all__ = ["farthest_first", "novelty", "unit"]
