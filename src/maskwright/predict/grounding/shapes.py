"""What relations are judged by: where each thing is and how large, measured once from its mask."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright import masks
from maskwright.core import RLE, MaskRecord

# Neighbourhoods are judged on a grid of at most so many cells a side.
_MOST_CELLS = 256
_FOOT = 0.25  # the lowest part of a thing, of its height, is what it stands on
_LEAST_SIDE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thing:
    """A mask that may be meant, and how likely the words that were asked for hold of it (0 to 1).

    `record` says where it comes from, if it comes from a model or a store.
    """

    rle: RLE
    belief: float
    name: str | None = None
    record: MaskRecord | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """Where a thing is, in units of the picture's longer side; y goes down. `depth_m` is its median distance, if known.

    `cells` is the mask on a grid, true where any pixel of a cell is.
    """

    cells: Bool[np.ndarray, "h w"]
    area: float
    depth_m: float | None

    @cached_property
    def _where(self) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        rows, columns = np.nonzero(self.cells)
        unit = max(self.cells.shape)
        return (columns + 0.5) / unit, (rows + 0.5) / unit

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        x, y = self._where
        half = 0.5 / max(self.cells.shape)
        return float(x.min() - half), float(y.min() - half), float(x.max() + half), float(y.max() + half)

    @property
    def width(self) -> float:
        """Of the box."""
        return max(self.box[2] - self.box[0], _LEAST_SIDE)

    @property
    def height(self) -> float:
        """Of the box."""
        return max(self.box[3] - self.box[1], _LEAST_SIDE)

    @cached_property
    def middle(self) -> tuple[float, float]:
        """The centroid."""
        x, y = self._where
        return float(x.mean()), float(y.mean())

    @cached_property
    def foot(self) -> tuple[float, float]:
        """Where it stands: the middle of its lowest part, and its lowest row but for stray pixels."""
        x, y = self._where
        low = float(np.quantile(y, 0.98))
        is_low = y >= low - _FOOT * self.height
        return float(x[is_low].mean()), low

    @property
    def side(self) -> float:
        """Of a square of its area."""
        return max(self.area**0.5, _LEAST_SIDE)

    @cached_property
    def length(self) -> float:
        """The longer side of the smallest rectangle around it, turned as it may be."""
        points = np.argwhere(self.cells).astype(np.float32)
        return float(max(cv2.minAreaRect(points)[1])) / max(self.cells.shape)

    @cached_property
    def hull(self) -> Bool[np.ndarray, "h w"]:
        """The mask without its hollows: what is in a bin lies within it."""
        points = np.argwhere(self.cells)[:, ::-1].astype(np.int32)
        filled = np.zeros(self.cells.shape, np.uint8)
        cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
        return filled > 0

    @cached_property
    def away(self) -> Float[np.ndarray, "h w"]:
        """How far each cell is from the thing."""
        return cv2.distanceTransform(1 - self.cells.astype(np.uint8), cv2.DIST_L2, 5) / max(self.cells.shape)


def measure(rle: RLE, depth_m: Float[np.ndarray, "H W"] | None = None) -> Shape | None:
    """Measure a mask; None if it is empty. Depth that is not finite or not above zero counts as unknown."""
    dense = masks.decode(rle)
    num_pixels = int(dense.sum())
    if num_pixels == 0:
        return None
    longer = max(dense.shape)
    known = [] if depth_m is None else depth_m[dense & np.isfinite(depth_m) & (depth_m > 0)]
    return Shape(
        cells=_on_grid(dense, -(-longer // _MOST_CELLS)),
        area=num_pixels / longer**2,
        depth_m=float(np.median(known)) if len(known) else None,
    )


def _on_grid(dense: Bool[np.ndarray, "H W"], step: int) -> Bool[np.ndarray, "h w"]:
    """Join squares of pixels to cells; a cell is true where any of its pixels is, so thin things stay."""
    height, width = (-(-side // step) * step for side in dense.shape)
    padded = np.zeros((height, width), bool)
    padded[: dense.shape[0], : dense.shape[1]] = dense
    return np.any(padded.reshape(height // step, step, width // step, step), axis=(1, 3))


__all__ = ["Shape", "Thing", "measure"]
