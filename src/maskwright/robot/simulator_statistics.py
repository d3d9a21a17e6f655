"""How far apart two samples are, and how sure that is, when the masks of one frame are not independent.

The distance is Kolmogorov and Smirnov's: the largest gap between the two cumulative distributions, 0 to 1. Two samples
of one distribution have a gap too, the larger the fewer they are; so the gap that groups shuffled between both sides
have by chance is taken off. Groups (frames, or episodes) are what is shuffled and drawn again, never single masks.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_MOST = 4000  # values a side; more say the same and cost more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Values with the number of the group that each belongs to, 0 to `num_groups` - 1."""

    values: Float[np.ndarray, " N"]
    groups: Int[np.ndarray, " N"]
    num_groups: int

    def known(self, rng: np.random.Generator) -> "Sample":
        """Leave out what is nan, and all but 4,000 values."""
        kept = np.flatnonzero(~np.isnan(self.values))
        if len(kept) > _MOST:
            kept = rng.choice(kept, _MOST, replace=False)
        return Sample(values=self.values[kept], groups=self.groups[kept], num_groups=self.num_groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The gap between two samples beyond what chance makes, 0 to 1, where it lies in 9 of 10 draws, and how likely
    a gap as large as this is if both are of one distribution.
    """

    value: float
    low: float
    high: float
    chance: float


def distance_between(a: Sample, b: Sample, rng: np.random.Generator, *, rounds: int = 300) -> Distance:
    """Compare two samples that have a known value each."""
    a, b = a.known(rng), b.known(rng)
    values = np.concatenate([a.values, b.values])
    groups = np.concatenate([a.groups, b.groups + a.num_groups])
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) > 0, True))
    sides = np.repeat([True, False], [a.num_groups, b.num_groups])

    def gaps(of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
        """One gap for each row of weights of groups."""
        shares = [_cumulated(weights[:, groups[order]], ends) for weights in (of_a, of_b)]
        return np.abs(shares[0] - shares[1]).max(1)

    seen = float(gaps(sides[None].astype(float), (~sides)[None].astype(float))[0])
    shuffled = np.stack([rng.permutation(sides) for _ in range(rounds)])
    by_chance = gaps(shuffled.astype(float), (~shuffled).astype(float))
    drawn = gaps(
        np.pad(_drawn(a.num_groups, rounds, rng), ((0, 0), (0, b.num_groups))),
        np.pad(_drawn(b.num_groups, rounds, rng), ((0, 0), (a.num_groups, 0))),
    )
    usual = float(np.nanmean(by_chance))
    # What is drawn again is further apart than what it was drawn from; the spread counts, not the place.
    low, high = np.nanquantile(drawn, [0.05, 0.95]) - np.nanmean(drawn) + seen
    return Distance(
        value=_beyond(seen, usual),
        low=_beyond(float(low), usual),
        high=_beyond(float(high), usual),
        chance=float((1 + np.sum(by_chance >= seen - 1e-9)) / (1 + rounds)),
    )


def tails(values: Float[np.ndarray, " N"], of: Float[np.ndarray, " M"]) -> Float[np.ndarray, " N"]:
    """How far out each value lies among some others: 1 in their middle, towards 0 beyond their ends, nan unknown."""
    known = np.sort(of[~np.isnan(of)])
    if not len(known):
        return np.full(len(values), np.nan)
    at_most = np.searchsorted(known, values, side="right")
    less = np.searchsorted(known, values, side="left")
    # Many equal values, as of masks without holes, are the middle themselves.
    smaller = np.minimum(at_most, len(known) - less) + 0.5
    return np.where(np.isnan(values), np.nan, np.minimum(1.0, 2 * smaller / (len(known) + 1)))


def _cumulated(weights: Float[np.ndarray, "R N"], ends: Int[np.ndarray, " E"]) -> Float[np.ndarray, "R E"]:
    total = np.cumsum(weights, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total[:, ends] / total[:, -1:]


def _drawn(num_groups: int, rounds: int, rng: np.random.Generator) -> Float[np.ndarray, "R G"]:
    """How often each group comes, when as many as there are are drawn with repetition."""
    return rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=rounds).astype(float)


def _beyond(gap: float, usual: float) -> float:
    return float(np.clip((gap - usual) / max(1e-9, 1 - usual), 0, 1))


__all__ = ["Distance", "Sample", "distance_between", "tails"]
