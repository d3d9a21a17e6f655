"""`Colours`: a thing found again by its colours, where flow has lost it.

What runs fast, or turns, leaves flow behind within a few pictures, while its colours stay what they were: those of the
mask beside those around it, on the picture where the mask is known, say of each pixel of the newest picture which of
the two it is like. That alone knows no outline and finds look-alikes, so it only moves the edge of a mask that is
roughly there: the one that flow carried or, where colours do not bear it out, the known one, shifted to where they do.
All of it on half of flow's grid, where it takes a quarter of the time.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from maskwright.core import SizeHW
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_flow import shrunk

# All lengths are pixels of half the grid. Colours are counted in LAB, in 16 bins a channel; what a thing is told from
# lies so far around it.
_BITS, _AROUND_PX, _RIM_PX = 4, 30, 4
_LEAST, _MOST_ODDS = 1e-5, 3.0
# How unsure a mask's edge is; the grain of colours; and what these weigh beside a carried mask and a shifted one.
# Measured with true masks on two clips and the demo: docs/log.md.
_EDGE_PX, _GRAIN_PX, _WEIGHT, _WEIGHT_SHIFTED = 4.0, 1.0, 0.7, 1.0
_SURE = 0.98
# A carried mask whose colours stand out less than by such a share of what they did is looked for this far away; a
# place as far off as that has to be better by one unit of log odds.
_STANDS_OUT, _REACH_PX = 0.5, 32


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """What colours say of one mask: log odds by bin, and how far the mask stood out by them on its own picture."""

    mask: SoftMask
    odds: Float[np.ndarray, " bins"]
    standing_out: float


class ColourView:
    """A picture for its colours, made small when they are first asked for: most pictures are never asked."""

    def __init__(self, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        self._pixels = pixels
        self._small: UInt8[np.ndarray, "h w 3"] | None = None

    def kept(self) -> "ColourView":
        """Take a copy of what is the camera's, and may be written over when its next picture comes."""
        return self if self._small is not None else ColourView(self._pixels.copy())

    def small(self, size_hw: SizeHW) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of that size, always the same one."""
        if self._small is None:
            self._small = shrunk(self._pixels, size_hw)
        return self._small


class Colours:
    """The picture on which masks are known; it learns their colours when they are asked for."""

    def __init__(self, view: ColourView) -> None:
        self._view = view.kept()
        self._fitted: dict[int, _Fitted] = {}

    def redraw(self, known: SoftMask, carried: SoftMask, view: ColourView) -> SoftMask:
        """Draw on another picture a mask that is known on this one, given where flow has carried it."""
        before, there = _halved(known.grid()), _halved(carried.grid())
        box = _box_around(before, there)
        fitted = self._fit(known, before, box)
        odds = fitted.odds[_bins(view.small(before.shape)[box])]
        there = there[box]
        weight = _WEIGHT
        standing = _standing_out(odds, there)
        if standing < _STANDS_OUT * fitted.standing_out:
            shifted = _shifted(before[box], odds)
            if _standing_out(odds, shifted) > standing:
                there, weight = shifted, _WEIGHT_SHIFTED
        drawn = np.zeros_like(before)
        drawn[box] = _drawn(there, odds, weight)
        return SoftMask.of(np.asarray(cv2.resize(drawn, known.grid_hw[::-1], interpolation=cv2.INTER_LINEAR)))

    def _fit(self, mask: SoftMask, values: Float[np.ndarray, "h w"], box: "_Box") -> _Fitted:
        fitted = self._fitted.get(id(mask))
        if fitted is None:  # it holds the mask, so that no other one can have its id
            inside = values[box] > 0.5
            bins = _bins(self._view.small(values.shape)[box])
            beside = _grown(inside, _AROUND_PX) & ~inside
            odds = np.log((_shares(bins[inside]) + _LEAST) / (_shares(bins[beside]) + _LEAST))
            odds = np.clip(odds, -_MOST_ODDS, _MOST_ODDS).astype(np.float32)
            fitted = _Fitted(mask, odds, _standing_out(odds[bins], inside.astype(np.float32)))
            self._fitted[id(mask)] = fitted
        return fitted


_Box = tuple[slice, slice]


def _box_around(*masks: Float[np.ndarray, "h w"]) -> _Box:
    """The part of the picture in which the thing may be, with what lies around it."""
    far = max(_REACH_PX, _AROUND_PX) + _RIM_PX
    x, y, w, h = cv2.boundingRect((np.maximum(*masks) > 0).astype(np.uint8))
    return slice(max(0, y - far), y + h + far), slice(max(0, x - far), x + w + far)


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
    reach = _REACH_PX
    padded = cv2.copyMakeBorder(odds, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    part = padded[y : y + h + 2 * reach, x : x + w + 2 * reach]
    gain = cv2.matchTemplate(part, 2 * mask[y : y + h, x : x + w] - 1, cv2.TM_CCORR) / max(1.0, float(mask.sum()))
    ys, xs = np.mgrid[: gain.shape[0], : gain.shape[1]] - reach
    _, _, _, best = cv2.minMaxLoc(gain - np.hypot(ys, xs) / reach)
    by = np.array([[1, 0, best[0] - reach], [0, 1, best[1] - reach]], np.float32)
    return cv2.warpAffine(mask, by, (mask.shape[1], mask.shape[0]))


def make_ready() -> None:
    """Let OpenCV make its tables of LAB, which takes 0.1 s: at the first picture in doubt it would be too late."""
    cv2.cvtColor(np.zeros((1, 1, 3), np.uint8), cv2.COLOR_RGB2LAB)


def _halved(values: np.ndarray) -> np.ndarray:
    size = max(1, values.shape[1] // 2), max(1, values.shape[0] // 2)
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _drawn(mask: Float[np.ndarray, "h w"], odds: Float[np.ndarray, "h w"], weight: float) -> Float[np.ndarray, "h w"]:
    """What covers each pixel, by a mask whose edge is unsure and by colours."""
    near = np.clip(cv2.GaussianBlur(mask, (0, 0), _EDGE_PX), 1 - _SURE, _SURE)
    by_both = np.log(near / (1 - near)) + weight * cv2.GaussianBlur(odds, (0, 0), _GRAIN_PX)
    return 1 / (1 + np.exp(-by_both))


__all__ = ["ColourView", "Colours", "make_ready"]
