"""Active learning: which masks or frames a person should see next, on a budget. No torch, no files of its own.

`kinds` are the signals as data; `signals`, `geometry`, `rivals` and `novelty` compute them; `measure` lays them over a
stream of frames, `ranking` makes one score of them, `pool` and `selection` spend the budget, `pick` is the whole path.
"""

from maskwright.review.active.kinds import DEFAULT_GROUPS, GROUPS, SIGNALS, Group, Signal, signals_of
from maskwright.review.active.measure import Item, Sources, by_frame, measure
from maskwright.review.active.novelty import farthest_first, novelty
from maskwright.review.active.pick import Pick, Picked, PickSettings, pick
from maskwright.review.active.pool import Pool, Pooled, pool_of
from maskwright.review.active.ranking import Scale, auc, calibrated, scale_of
from maskwright.review.active.selection import Chosen, Limits, select

__all__ = [
    "DEFAULT_GROUPS",
    "GROUPS",
    "SIGNALS",
    "Chosen",
    "Group",
    "Item",
    "Limits",
    "Pick",
    "PickSettings",
    "Picked",
    "Pool",
    "Pooled",
    "Scale",
    "Signal",
    "Sources",
    "auc",
    "by_frame",
    "calibrated",
    "farthest_first",
    "measure",
    "novelty",
    "pick",
    "pool_of",
    "scale_of",
    "select",
    "signals_of",
]
