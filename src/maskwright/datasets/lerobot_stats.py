"""Statistics of a column as LeRobot's normalisation wants them, gathered without holding the column.

Vectors have one value an element; pictures have one a channel, of shape (3, 1, 1), with colours between 0 and 1.
"""

from typing import Any

import numpy as np
from jaxtyping import Num, UInt8


class ColumnStats:
    """Minimum, maximum, mean and spread of what was added."""

    def __init__(self) -> None:
        self._is_picture = False
        self._num_items = 0
        self._count = 0.0
        self._sum: Any = 0.0
        self._squares: Any = 0.0
        self._low: Any = np.inf
        self._high: Any = -np.inf

    def add(self, values: Num[np.ndarray, "N D"]) -> None:
        """Add rows of numbers."""
        self._num_items += len(values)
        self._add(values.astype(np.float64))

    def add_picture(self, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        """Add a picture; every fourth pixel each way speaks for its neighbours."""
        self._is_picture = True
        self._num_items += 1
        self._add(pixels[::4, ::4].reshape(-1, 3) / 255.0)

    def _add(self, values: Num[np.ndarray, "N D"]) -> None:
        self._count += len(values)
        self._sum = self._sum + values.sum(axis=0)
        self._squares = self._squares + (values**2).sum(axis=0)
        self._low = np.minimum(self._low, values.min(axis=0))
        self._high = np.maximum(self._high, values.max(axis=0))

    def summary(self) -> dict[str, Any]:
        """Give the numbers as `stats.json` has them; zeros where nothing was added."""
        if not self._count:
            zero = [[[0.0]]] * 3
            return {"min": zero, "max": zero, "mean": zero, "std": zero, "count": [0]}
        mean = self._sum / self._count
        std = np.sqrt(np.maximum(self._squares / self._count - mean**2, 0))
        told = {"min": self._low, "max": self._high, "mean": mean, "std": std}
        shape = (-1, 1, 1) if self._is_picture else (-1,)
        return {name: np.reshape(value, shape).tolist() for name, value in told.items()} | {"count": [self._num_items]}


__all__ = ["ColumnStats"]
