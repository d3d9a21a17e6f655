"""Masks of one frame beside each other: candidates that compete, and models or annotators that see it differently."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from maskwright.core.rle import RLE
from maskwright.masks import areas, iou_matrix

_SAME, _APART = 0.9, 0.05  # IoU: above, two masks are one; below, they have nothing to do with each other
_NESTED = 0.9  # share of the smaller that lies within the larger: a part of it, no rival


def rivalry(rles: Sequence[RLE]) -> list[float]:
    """For each mask of a frame, how much the worst other contradicts it: they overlap, neither is part of the other.

    Prompts beside each other give candidates for one thing, and what suppression left standing between "same" and
    "apart" are these. It is 1 where IoU is a half, 0 at both ends.

    Source: as `signals.ambiguity`, over the prompts of a grid.
    """
    if len(rles) < 2:
        return [0.0] * len(rles)
    ious, sizes = iou_matrix(rles, rles), areas(rles).astype(np.float64)
    shared = ious / (1 + ious) * (sizes[:, None] + sizes[None, :])
    within = shared / np.maximum(1, np.minimum(sizes[:, None], sizes[None, :]))
    competes = (ious > _APART) & (ious < _SAME) & (within < _NESTED)
    np.fill_diagonal(competes, val=False)
    return np.where(competes, 1 - np.abs(2 * ious - 1), 0).max(axis=1).tolist()


def match(
    rles: Sequence[RLE], others: Sequence[RLE], *, least_iou: float = 0.0
) -> tuple[Float[np.ndarray, " N"], list[int | None]]:
    """Pair masks of two sets, the most alike first, each at most once: the IoU of each of the first, and its partner.

    Greedy on IoU, which differs from the best assignment only where several masks overlap by nearly the same.
    """
    found = np.zeros(len(rles))
    partners: list[int | None] = [None] * len(rles)
    if not rles or not others:
        return found, partners
    ious = iou_matrix(rles, others)
    order = np.argsort(-ious, axis=None, kind="stable")
    taken: set[int] = set()
    for at in order.tolist():
        i, j = divmod(at, len(others))
        if ious[i, j] <= least_iou:
            break
        if partners[i] is None and j not in taken:
            found[i], partners[i] = ious[i, j], j
            taken.add(j)
    return found, partners


def disagreement(rles: Sequence[RLE], sets: Sequence[Sequence[RLE]], *, covers_all: bool = True) -> list[float | None]:
    """For each mask, how differently other models or people see it: 1 minus its IoU with the partner that each has.

    The mean over the sets of the others that say something. A set without masks says nothing; one that need not cover
    everything, as what a person drew by hand (`covers_all` False), says nothing of masks that it does not touch.

    Source: Seung et al., "Query by Committee" (1992), with IoU matching as in instance segmentation.
    """
    said: list[list[float]] = [[] for _ in rles]
    for others in sets:
        if not others:
            continue
        found, _ = match(rles, others)
        for heard, share in zip(said, found.tolist(), strict=True):
            if covers_all or share > _APART:
                heard.append(1 - share)
    return [sum(heard) / len(heard) if heard else None for heard in said]


__all__ = ["disagreement", "match", "rivalry"]
