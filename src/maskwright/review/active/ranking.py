"""Numbers of unlike kinds made comparable: each becomes its rank among its like, and ranks are weighed.

Weights are those of `kinds` until people have decided about enough masks; then each signal counts by how well it told
beforehand which masks people would reject or correct.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

LEAST_DECIDED = 30  # of either kind, right and wrong, before decisions change a weight
_PRIOR = 200  # decisions after which they weigh as much as what was assumed
_UNKNOWN = 0.5  # the rank of a mask that nothing is known of: neither first nor last


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """For each signal the numbers that were seen, sorted, and its weight."""

    seen: tuple[Float[np.ndarray, " K"], ...]
    weights: Float[np.ndarray, " S"]

    def ranks(self, values: Float[np.ndarray, "N S"]) -> Float[np.ndarray, "N S"]:
        """Give each number its rank, 0 to 1, ties the middle of theirs; nan stays nan.

        Half of a signal that is 0 for most masks ties at the bottom: those get 0, since nothing speaks for them.
        """
        columns = [_ranks(values[:, at], seen) for at, seen in enumerate(self.seen)]
        return np.stack(columns, axis=1) if columns else np.zeros((len(values), 0))

    def scores(self, ranks: Float[np.ndarray, "N S"]) -> Float[np.ndarray, " N"]:
        """Weigh ranks into one number, 0 to 1: the mean over signals that are known and say something, and the largest.

        The mean alone would bury a mask that one signal cries out for; the largest alone would not tell two from one.
        """
        known = ~np.isnan(ranks) & (self.weights > 0)
        weights = np.where(known, self.weights, 0.0)
        total = weights.sum(axis=1)
        filled = np.nan_to_num(ranks, nan=0.0)
        mean = (filled * weights).sum(axis=1) / np.maximum(total, 1e-12)
        most = self.weights.max(initial=0.0) or 1.0
        largest = (filled * weights / most).max(axis=1, initial=0.0)
        return np.where(total > 0, 0.5 * mean + 0.5 * largest, _UNKNOWN)


def scale_of(
    values: Float[np.ndarray, "N S"],
    weights: Sequence[float],
    *,
    decided: Float[np.ndarray, "K S"] | None = None,
    was_wrong: Bool[np.ndarray, " K"] | None = None,
) -> Scale:
    """Make the scale of a sample; with what people decided, the weights are calibrated by it."""
    columns = tuple(np.sort(values[~np.isnan(values[:, at]), at]) for at in range(values.shape[1]))
    assumed = np.asarray(weights, np.float64)
    if decided is not None and was_wrong is not None:
        assumed = calibrated(assumed, decided, was_wrong)
    # What says the same of every mask decides nothing.
    varied = np.array([len(one) > 0 and one[0] < one[-1] for one in columns], bool)
    return Scale(seen=columns, weights=np.where(varied, assumed, 0.0))


def auc(values: Float[np.ndarray, " K"], was_wrong: Bool[np.ndarray, " K"]) -> float:
    """The chance that a signal is larger for a mask that was wrong than for one that was right; ties count half.

    Source: the Mann-Whitney statistic.
    """
    right, wrong = np.sort(values[~was_wrong]), values[was_wrong]
    if not len(right) or not len(wrong):
        return 0.5
    below, upto = np.searchsorted(right, wrong, "left"), np.searchsorted(right, wrong, "right")
    return float((below + upto).mean() / 2 / len(right))


def calibrated(
    weights: Float[np.ndarray, " S"], decided: Float[np.ndarray, "K S"], was_wrong: Bool[np.ndarray, " K"]
) -> Float[np.ndarray, " S"]:
    """Move weights towards what each signal told of people's decisions: 0 for a coin, 2 for one that is always right.

    The more decisions, the further; where too few are known of a signal its weight stays.
    """
    found = weights.astype(np.float64).copy()
    for at in range(len(weights)):
        known = ~np.isnan(decided[:, at])
        wrong = was_wrong[known]
        if min(wrong.sum(), (~wrong).sum()) < LEAST_DECIDED:
            continue
        told = 2 * max(0.0, 2 * auc(decided[known, at], wrong) - 1)
        share = known.sum() / (known.sum() + _PRIOR)
        found[at] = (1 - share) * weights[at] + share * told
    return found


def _ranks(values: Float[np.ndarray, " N"], seen: Float[np.ndarray, " K"]) -> Float[np.ndarray, " N"]:
    if not len(seen):
        return np.full(len(values), np.nan)
    below, upto = np.searchsorted(seen, values, "left"), np.searchsorted(seen, values, "right")
    ranks = np.where(below == 0, 0.0, (below + upto) / 2 / len(seen))
    return np.where(np.isnan(values), np.nan, ranks)


__all__ = ["LEAST_DECIDED", "Scale", "auc", "calibrated", "scale_of"]
