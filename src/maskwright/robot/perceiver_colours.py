"""`Colours`: a thing found again by its colours, where flow has lost it.

What runs fast, or turns, leaves flow behind within a few pictures, while its colours stay what they were: those of the
mask beside those around it, on the picture where the mask is known, say of each pixel of the newest picture which of
the two it is like. That alone knows no outline and finds look-alikes, so it only moves the edge of a mask that is
roughly there: the one that flow carried or, where colours do not bear it out, the known one, shifted to where they do.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from maskwright.predict.tracking.soft_mask import SoftMask

# Colours are counted in LAB, in 16 bins a channel; what a thing is told from lies so many grid pixels around it.
_BITS, _AROUND_PX, _RIM_PX = 4, 60, 8
_LEAST, _MOST_ODDS = 1e-5, 3.0
# How unsure a mask's edge is, in grid pixels; that of colours; and what colours weigh beside a carried mask and a
# shifted one. Measured with true masks on two clips and the demo: docs/log.md.
_EDGE_PX, _GRAIN_PX, _WEIGHT, _WEIGHT_SHIFTED = 8.0, 2.0, 0.7, 1.0
_SURE = 0.98
# A carried mask whose colours stand out less than by such a share of what they did is looked for this far away; a
# place as far off as that has to be better by one unit of log odds.
_STANDS_OUT, _REACH_PX = 0.5, 64


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """What colours say of one mask: log odds by bin, and how far the mask stood out by them on its own picture."""

    mask: SoftMask
    odds: Float[np.ndarray, " bins"]
    standing_out: float


class Colours:
    """The picture on which masks are known, small; it learns their colours when they are asked for."""

    def __init__(self, pixels: UInt8[np.ndarray, "h w 3"]) -> None:
        self._pixels = pixels
        self._fitted: dict[int, _Fitted] = {}

    def redraw(self, known: SoftMask, carried: SoftMask, pixels: UInt8[np.ndarray, "h w 3"]) -> SoftMask:
        """Draw on another picture a mask that is known on this one, given where flow has carried it."""
        box = _box_around(known, carried)
        fitted = self._fit(known, box)
        odds = fitted.odds[_bins(_cut(pixels, box))]
        there = _cut(carried.grid(), box)
        weight = _WEIGHT
        standing = _standing_out(odds, there)
        if standing < _STANDS_OUT * fitted.standing_out:
            shifted = _shifted(_cut(known.grid(), box), odds)
            if _standing_out(odds, shifted) > standing:
                there, weight = shifted, _WEIGHT_SHIFTED
        drawn = np.zeros(known.grid_hw, np.float32)
        drawn[box] = _drawn(there, odds, weight)
        return SoftMask.of(drawn)

    def _fit(self, mask: SoftMask, box: "_Box") -> _Fitted:
        fitted = self._fitted.get(id(mask))
        if fitted is None:  # it holds the mask, so that no other one can have its id
            inside = _cut(mask.grid(), box) > 0.5
            bins = _bins(_cut(self._pixels, box))
            beside = _grown(inside, _AROUND_PX) & ~inside
            odds = np.log((_shares(bins[inside]) + _LEAST) / (_shares(bins[beside]) + _LEAST))
            odds = np.clip(odds, -_MOST_ODDS, _MOST_ODDS)
            fitted = _Fitted(mask, odds, _standing_out(odds[bins], inside.astype(np.float32)))
            self._fitted[id(mask)] = fitted
        return fitted


_Box = tuple[slice, slice]


def _box_around(known: SoftMask, carried: SoftMask) -> _Box:
    """The part of the grid in which the thing may be, with what lies around it."""
    far = max(_REACH_PX, _AROUND_PX) + _RIM_PX
    masks = [one for one in (known, carried) if one.values.size]
    height, width = known.grid_hw
    y1, x1 = min(one.y for one in masks) - far, min(one.x for one in masks) - far
    y2 = max(one.y + one.values.shape[0] for one in masks) + far
    x2 = max(one.x + one.values.shape[1] for one in masks) + far
    return slice(max(0, y1), min(height, y2)), slice(max(0, x1), min(width, x2))


def _cut(grid: np.ndarray, box: _Box) -> np.ndarray:
    return np.ascontiguousarray(grid[box])


def _bins(pixels: UInt8[np.ndarray, "h w 3"]) -> np.ndarray:
    lab = np.right_shift(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), 8 - _BITS).astype(np.uint16)
    return (lab[..., 0] << 2 * _BITS) | (lab[..., 1] << _BITS) | lab[..., 2]


def _shares(bins: np.ndarray) -> Float[np.ndarray, " bins"]:
    """The share of each colour, softened, so that a change of light does not empty its bin; they sum to 1."""
    side = 1 << _BITS
    counts = np.bincount(bins, minlength=side**3).astype(np.float32).reshape(side, side, side)
    for axis in range(3):
        counts = 0.5 * counts + 0.25 * (np.roll(counts, 1, axis) + np.roll(counts, -1, axis))
    return counts.ravel() / max(float(counts.sum()), 1.0)


def _grown(mask: Bool[np.ndarray, "h w"], by_px: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by_px + 1,) * 2, np.uint8)) > 0


def _standing_out(odds: Float[np.ndarray, "h w"], mask: Float[np.ndarray, "h w"]) -> float:
    """How much more a mask's colours are its thing's than those of its rim are."""
    inside = mask > 0.5
    rim = _grown(inside, _RIM_PX) & ~inside
    return float(odds[inside].mean() - odds[rim].mean()) if inside.any() and rim.any() else -np.inf


def _shifted(mask: Float[np.ndarray, "h w"], odds: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Shift a mask to where colours are most like its thing inside it, and least around it in its box."""
    x, y, w, h = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    if not w:
        return mask
    wanted, reach = _halved(2 * mask[y : y + h, x : x + w] - 1), _REACH_PX // 2
    padded = cv2.copyMakeBorder(_halved(odds), reach, reach + 2, reach, reach + 2, cv2.BORDER_CONSTANT, value=0)
    top, left, across = y // 2, x // 2, wanted.shape[1]
    part = padded[top : top + wanted.shape[0] + 2 * reach, left : left + across + 2 * reach]
    gain = cv2.matchTemplate(part, wanted, cv2.TM_CCORR) / max(1.0, float(mask.sum()) / 4)
    ys, xs = np.mgrid[: gain.shape[0], : gain.shape[1]] - reach
    _, _, _, best = cv2.minMaxLoc(gain - np.hypot(ys, xs) / reach)
    by = np.array([[1, 0, 2 * (best[0] - reach)], [0, 1, 2 * (best[1] - reach)]], np.float32)
    return cv2.warpAffine(mask, by, (mask.shape[1], mask.shape[0]))


def _halved(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
    size = max(1, (values.shape[1] + 1) // 2), max(1, (values.shape[0] + 1) // 2)
    return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _drawn(mask: Float[np.ndarray, "h w"], odds: Float[np.ndarray, "h w"], weight: float) -> Float[np.ndarray, "h w"]:
    """What covers each pixel, by a mask whose edge is unsure and by colours."""
    near = np.clip(cv2.GaussianBlur(mask, (0, 0), _EDGE_PX), 1 - _SURE, _SURE)
    by_both = np.log(near / (1 - near)) + weight * cv2.GaussianBlur(odds.astype(np.float32), (0, 0), _GRAIN_PX)
    return 1 / (1 + np.exp(-by_both))


__all__ = ["Colours"]
