"""From a stream of any length to a pool that fits memory: spooled to disk, ranked, the best of each stretch kept.

The stream is measured once, since measuring costs most. It goes to a temporary file in blocks; a sample drawn by a
seeded hash makes the scale, and a second pass over the file keeps the best. Equal input and seed give an equal pool.
"""

import hashlib
import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from jaxtyping import Float

from maskwright.review.active.measure import Item, Recording
from maskwright.review.active.ranking import Scale, scale_of

SAMPLED = 20_000  # items that the scale is made of, and decisions that calibrate it
_BLOCK = 2_000
_STRETCH = 16  # frames within which pool members count as neighbours
_OF_STRETCH = 4  # of a stretch that come before the second best of others


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """An item with its ranks and score."""

    item: Item
    ranks: Float[np.ndarray, " S"]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The best of a stream, the scale that ranked them, how many there were, and how many decisions calibrated it."""

    members: tuple[Pooled, ...]
    scale: Scale
    num_items: int
    num_decided: int


def pool_of(items: Iterable[Item], weights: list[float], *, capacity: int, seed: int, of_status: set[str]) -> Pool:
    """Rank a stream and keep about `capacity` of it.

    Beyond that, the best few of each stretch of a recording stay before the rest of any, so that no bad second of video
    fills the pool.
    """
    sample, decisions = _Sample(seed), _Sample(seed)
    with tempfile.TemporaryFile() as file:
        num_items = 0
        for block in _blocks(items):
            free = [one for one in block if set(one.statuses) <= of_status]
            sample.add(free)
            decisions.add([one for one in block if one.was_wrong is not None])
            num_items += len(free)
            pickle.dump(free, file, pickle.HIGHEST_PROTOCOL)
        scale = _scale(sample.items(), decisions.items(), weights)
        members = _best(_read(file), scale, capacity, seed)
    return Pool(members=tuple(members), scale=scale, num_items=num_items, num_decided=decisions.num_seen)


def hash_of(item: Item, seed: int) -> int:
    """A number by which items are in random order, the same for the same seed on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed} {item.record_ids[0]}".encode()).digest()[:8], "big")


def values_of(items: list[Item], width: int) -> Float[np.ndarray, "N S"]:
    """The signals of items as one array."""
    return np.array([one.values for one in items], np.float64).reshape(len(items), width)


class _Sample:
    """The items of the smallest hashes: a fair sample of a stream of unknown length."""

    def __init__(self, seed: int) -> None:
        self._seed, self._heap, self.num_seen = seed, [], 0

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            entry = (-hash_of(item, self._seed), self.num_seen, item)
            self.num_seen += 1
            if len(self._heap) < SAMPLED:
                heapq.heappush(self._heap, entry)
            elif entry[0] > self._heap[0][0]:
                heapq.heapreplace(self._heap, entry)

    def items(self) -> list[Item]:
        return [item for *_, item in self._heap]


def _scale(sample: list[Item], decisions: list[Item], weights: list[float]) -> Scale:
    width = len(weights)
    was_wrong = np.array([bool(one.was_wrong) for one in decisions], bool)
    return scale_of(values_of(sample, width), weights, decided=values_of(decisions, width), was_wrong=was_wrong)


def _best(blocks: Iterable[list[Item]], scale: Scale, capacity: int, seed: int) -> list[Pooled]:
    kept: list[Pooled] = []
    for block in blocks:
        if not block:
            continue
        ranks = scale.ranks(values_of(block, len(scale.weights)))
        scores = scale.scores(ranks)
        kept += [Pooled(item=a, ranks=b, score=float(c)) for a, b, c in zip(block, ranks, scores, strict=True)]
        if len(kept) > 2 * capacity:
            kept = _pruned(kept, capacity, seed)
    return _pruned(kept, capacity, seed)


def _pruned(kept: list[Pooled], capacity: int, seed: int) -> list[Pooled]:
    kept = sorted(kept, key=lambda one: (-one.score, hash_of(one.item, seed)))
    if len(kept) <= capacity:
        return kept
    in_stretch: dict[tuple[Recording, int], int] = {}
    first: list[Pooled] = []
    rest: list[Pooled] = []
    for one in kept:
        stretch = one.item.recording, one.item.frame_index // _STRETCH
        in_stretch[stretch] = in_stretch.get(stretch, 0) + 1
        (first if in_stretch[stretch] <= _OF_STRETCH else rest).append(one)
    return (first + rest)[:capacity]


def _blocks(items: Iterable[Item]) -> Iterator[list[Item]]:
    block: list[Item] = []
    for item in items:
        block.append(item)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _read(file: IO[bytes]) -> Iterator[list[Item]]:
    file.seek(0)
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


__all__ = ["SAMPLED", "Pool", "Pooled", "hash_of", "pool_of", "values_of"]
