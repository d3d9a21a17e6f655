"""Masks as vertical strips: the foreground runs of each column, cut where a run goes on into the next column."""

import numpy as np
from jaxtyping import Int

from maskwright.masks._engine import RLEMask


def column_strips(mask: RLEMask) -> Int[np.ndarray, "S 3"]:
    """List the strips of a mask as (x, top, bottom), bottom exclusive, in column order."""
    height = mask.shape[0]
    ends = np.cumsum(mask.counts.astype(np.int64))
    starts, stops = ends[0:-1:2], ends[1::2]
    first, last = starts // height, (stops - 1) // height
    run, x = spread(first, last + 1)
    top = np.where(x == first[run], starts[run] - x * height, 0)
    bottom = np.where(x == last[run], stops[run] - x * height, height)
    return np.stack([x, top, bottom], axis=1)


def spread(first: Int[np.ndarray, " R"], end: Int[np.ndarray, " R"]) -> tuple[np.ndarray, np.ndarray]:
    """List the whole numbers of all ranges first..end (exclusive), and beside each number the range it is of."""
    count = end - first
    owner = np.repeat(np.arange(len(first)), count)
    return owner, np.arange(len(owner)) + np.repeat(first - (np.cumsum(count) - count), count)


__all__ = ["column_strips", "spread"]
