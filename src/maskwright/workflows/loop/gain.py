"""How much better a model answers than another on the same objects, with the 95 % bounds that so few pictures allow.

An object's score is its mean IoU by a tight box and by one click. Pictures are drawn anew with all their objects
(a bootstrap over pictures), since objects of one picture fail together.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maskwright.core.errors import InputError

_ASKED = ("box", "click")
_DRAWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The mean change of an object's score, and its bounds."""

    mean: float
    low: float
    high: float
    num_pictures: int
    num_objects: int


def gain_of(rows: str, before: str, after: str, *, seed: int = 0) -> Gain:
    """Compare two models of an evaluation's rows (`evaluate.to_csv`).

    Raises:
        InputError: there is no object that both were asked about.
    """
    scores: dict[str, dict[tuple[str, str], list[float]]] = {before: defaultdict(list), after: defaultdict(list)}
    for row in csv.DictReader(io.StringIO(rows)):
        if row["segmenter"] in scores and row["kind"] in _ASKED and row["step"] == "1":
            scores[row["segmenter"]][row["picture"], row["asked"]].append(float(row["iou"]))
    by_picture: dict[str, list[float]] = defaultdict(list)
    for place, ious in scores[before].items():
        if (others := scores[after].get(place)) is not None:
            by_picture[place[0]].append(float(np.mean(others) - np.mean(ious)))
    if not by_picture:
        raise InputError(f"no object was asked of both {before} and {after}, so nothing can be compared")
    return _bounds(by_picture, seed)


def _bounds(by_picture: Mapping[str, list[float]], seed: int) -> Gain:
    sums = np.array([sum(one) for one in by_picture.values()])
    counts = np.array([len(one) for one in by_picture.values()])
    drawn = np.random.default_rng(seed).integers(0, len(sums), (_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    mean = float(sums.sum() / counts.sum())
    if len(sums) == 1:  # one picture says nothing of others
        low, high = -1.0, 1.0
    return Gain(mean=mean, low=float(low), high=float(high), num_pictures=len(sums), num_objects=int(counts.sum()))


__all__ = ["Gain", "gain_of"]
