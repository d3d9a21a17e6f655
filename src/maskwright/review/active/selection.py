"""A budget spent on a pool: greedily, each time the best of score and distance to all that was chosen, within limits.

Score alone takes two hundred neighbours of one bad second of video. So what is near in time to something chosen waits,
no episode gets more than its part, and what is like something chosen, by embedding or by time, counts for less. Limits
are loosened step by step when the budget cannot be spent otherwise.

Two decisions come from `benchmarks/active.py`. Scores count by how rare they are (the logarithm of how many lie above,
as in Savage's scores), since the best of thousands lie close together by rank and distance would decide among them.
And likeness repels but strangeness does not attract: the farthest from everything are mostly outliers.

Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds" (2020), for the balance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from maskwright.core.errors import SettingError
from maskwright.review.active.measure import Item
from maskwright.review.active.novelty import unit
from maskwright.review.active.pool import Pooled, hash_of

_TIES = 1e-6  # what decides between equals
_SPREAD_OF = 256  # vectors whose distances say what counts as far
_NEAR = 25  # percent of distances that are shorter than what counts as far
_HORIZON = 4  # gaps after which a frame of the same recording counts as far


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How alike what is chosen may be. `per_episode` None: three times an even share of the budget, at least 4.

    `min_gap` frames lie between choices of one track, or of one camera where there are no tracks; masks of the same
    frame are no neighbours in time, and `per_frame` limits them. `diversity`, 0 to 1, is the weight of distance.
    """

    per_episode: int | None = None
    per_frame: int = 4
    min_gap: int = 15
    diversity: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.diversity <= 1:
            raise SettingError(f"diversity lies between 0 and 1, got {self.diversity:g}")
        if (self.per_episode is not None and self.per_episode < 1) or self.per_frame < 1 or self.min_gap < 0:
            raise SettingError(
                "an episode and a frame may give at least one, and the gap is no negative number; got "
                f"{self.per_episode}, {self.per_frame} and {self.min_gap}"
            )

    def looser(self) -> "Limits":
        """Twice as many, half as far apart."""
        several = None if self.per_episode is None else 2 * self.per_episode
        return replace(self, per_episode=several, per_frame=2 * self.per_frame, min_gap=self.min_gap // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Something chosen: how much it needs a person (0 to 1), and how far it was from all chosen before it (0 to 1)."""

    pooled: Pooled
    distance: float

    @property
    def item(self) -> Item:
        """What was chosen."""
        return self.pooled.item


def select(
    pool: Sequence[Pooled],
    budget: int,
    *,
    limits: Limits | None = None,
    seed: int = 0,
    vectors: Float[np.ndarray, "N D"] | None = None,
) -> list[Chosen]:
    """Choose at most `budget` of a pool, in the order in which they were chosen.

    `vectors` are embeddings of the pool's members. Without them distance is in time.

    Raises:
        SettingError: the budget is below 1.
    """
    if budget < 1:
        raise SettingError(f"the budget must be at least 1, got {budget}")
    if not pool:
        return []
    limits = _with_share(limits or Limits(), pool, budget)
    state = _State(pool, limits, seed, vectors)
    while len(state.chosen) < min(budget, len(pool)):
        at = state.best(limits)
        if at is None:
            limits = limits.looser()
            continue
        state.take(at)
    return [Chosen(pooled=pool[at], distance=far) for at, far in zip(state.chosen, state.distances, strict=True)]


def _with_share(limits: Limits, pool: Sequence[Pooled], budget: int) -> Limits:
    if limits.per_episode is not None:
        return limits
    num_episodes = len({one.item.recording[:2] for one in pool})
    return replace(limits, per_episode=max(4, -(-3 * budget // num_episodes)))


class _State:
    """What is chosen so far, and what that means for each of the pool."""

    def __init__(
        self, pool: Sequence[Pooled], limits: Limits, seed: int, vectors: Float[np.ndarray, "N D"] | None
    ) -> None:
        items = [one.item for one in pool]
        self.chosen: list[int] = []
        self.distances: list[float] = []
        self._horizon = max(1, _HORIZON * limits.min_gap)
        self._frames = np.array([one.frame_index for one in items], np.int64)
        self._cameras = _codes([one.recording for one in items])
        self._episodes = _codes([one.recording[:2] for one in items])
        self._tracks = _codes([one.track for one in items])
        self._has_track = np.array([one.track is not None for one in items], bool)
        ties = np.array([hash_of(one, seed) / 2**64 for one in items])
        self._needs = _rarity(np.array([one.score for one in pool])) + _TIES * ties
        self._vectors = None if vectors is None else unit(vectors)
        self._far = np.ones(len(pool))
        self._scale = 1.0 if self._vectors is None else _scale(self._vectors)
        self._gaps = np.full(len(pool), np.iinfo(np.int64).max)  # frames to the nearest choice beside which it waits
        self._of_episode = np.zeros(int(self._episodes.max()) + 1, np.int64)
        self._of_frame = np.zeros(len(pool), np.int64)
        self._is_free = np.ones(len(pool), bool)

    def best(self, limits: Limits) -> int | None:
        """The best that the limits allow; None where they allow none."""
        assert limits.per_episode is not None
        allowed: Bool[np.ndarray, " N"] = (
            self._is_free
            & (self._gaps >= limits.min_gap)
            & (self._of_episode[self._episodes] < limits.per_episode)
            & (self._of_frame < limits.per_frame)
        )
        if not allowed.any():
            return None
        gains = (1 - limits.diversity) * self._needs + limits.diversity * self._far
        return int(np.argmax(np.where(allowed, gains, -np.inf)))

    def take(self, at: int) -> None:
        """Choose one, and move what is like it further back."""
        self.chosen.append(at)
        self.distances.append(float(self._far[at]))
        self._is_free[at] = False
        self._of_episode[self._episodes[at]] += 1
        here = self._cameras == self._cameras[at]
        apart = np.abs(self._frames - self._frames[at])
        self._of_frame += here & (apart == 0)
        is_other_track = self._has_track & self._has_track[at] & (self._tracks != self._tracks[at])
        waits = here & (apart > 0) & ~is_other_track
        self._gaps = np.where(waits, np.minimum(self._gaps, apart), self._gaps)
        self._far = np.minimum(self._far, self._distance(at, here, apart))

    def _distance(self, at: int, here: Bool[np.ndarray, " N"], apart: Int[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        if self._vectors is None:
            return np.where(here, np.minimum(1, apart / self._horizon), 1.0)
        lengths = np.sqrt(np.maximum(0, 2 - 2 * self._vectors @ self._vectors[at]))
        return np.minimum(1, lengths / self._scale)


def _rarity(scores: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """How rare it is to score as high, 0 to 1: 1 for the best, a half where as many score higher as the root of all."""
    above = len(scores) - np.searchsorted(np.sort(scores), scores, "left")  # with itself and its equals
    return 1 - np.log(above) / max(1e-9, np.log(len(scores)))


def _scale(vectors: Float[np.ndarray, "N D"]) -> float:
    """What counts as far: a quarter of the distances between a few hundred vectors, evenly taken, are shorter."""
    some = vectors[:: max(1, len(vectors) // _SPREAD_OF)]
    products = some @ some.T
    lengths = np.sqrt(np.maximum(0, 2 - 2 * products[np.triu_indices(len(some), 1)]))
    far = float(np.percentile(lengths, _NEAR)) if len(lengths) else 0.0
    return far if far > 0 else 1.0


def _codes(names: Sequence[object]) -> Int[np.ndarray, " N"]:
    known: dict[object, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


__all__ = ["Chosen", "Limits", "select"]
