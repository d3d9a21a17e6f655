"""Motion between two frames: dense optical flow on small pictures, and how far it can be trusted."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core import SizeHW
from maskwright.core.errors import ImageError
from maskwright.predict.tracking.soft_mask import SoftMask

_ROUND_TRIP_PX = 1.5  # there and back; more means that one of the two frames does not show the place
# A cut: the colours are others, and moving the last picture does not explain the new one. Neighbours in six clips
# reached 0.05 and 0.11; clips joined at random began at 0.43 and 0.41. A lamp that is switched changes colours alone.
_CUT_COLOURS, _CUT_UNLIKE = 0.3, 0.35
_BINS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Where pixels of the new frame were (`backward`) and where those of the last went (`forward`), in grid pixels."""

    backward: Float[np.ndarray, "H W 2"]
    forward: Float[np.ndarray, "H W 2"]
    is_cut: bool

    def carry(self, mask: SoftMask) -> tuple[SoftMask, float, float]:
        """Move a mask to the new frame.

        With it come the share of it whose way there and back agree, and how many grid pixels it moved on average.
        """
        if not mask.values.size:
            return mask, 0.0, 0.0
        h, w = mask.values.shape
        inside = self.forward[mask.y : mask.y + h, mask.x : mask.x + w]
        reach = float(np.abs(inside).max())
        moved = mask.carried(self.backward, reach)
        far = float((np.sqrt(_squared(inside)) * mask.values).sum() / max(mask.values.sum(), 1e-6))
        return moved, self._agreement(moved), far

    def _agreement(self, mask: SoftMask) -> float:
        h, w = mask.values.shape
        if not mask.values.size:
            return 0.0
        there = self.backward[mask.y : mask.y + h, mask.x : mask.x + w]
        at_x = there[..., 0] + np.arange(mask.x, mask.x + w, dtype=np.float32)
        at_y = there[..., 1] + np.arange(mask.y, mask.y + h, dtype=np.float32)[:, None]
        back = cv2.remap(self.forward, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        agrees = _squared(there + back) < _ROUND_TRIP_PX**2
        return float((mask.values * agrees).sum() / max(mask.values.sum(), 1e-6))


def _squared(ways: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """The squares of lengths; a third of the time of `np.hypot`."""
    return ways[..., 0] ** 2 + ways[..., 1] ** 2


class MotionEstimator:
    """Holds the last frame, small and gray; each new one gives the motion since.

    Source: Kroeger et al. 2016, "Fast optical flow using dense inverse search", as OpenCV has it.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._size_hw: SizeHW | None = None
        self._gray: UInt8[np.ndarray, "H W"] | None = None
        self._colours: Float[np.ndarray, "b b b"] | None = None

    @property
    def grid_hw(self) -> SizeHW:
        """Height and width of the small pictures; known from the first frame on."""
        assert self._gray is not None
        return self._gray.shape[0], self._gray.shape[1]

    def check(self, size_hw: SizeHW) -> None:
        """Refuse a frame of another size than those before it.

        Raises:
            ImageError: it has.
        """
        if self._size_hw not in (None, size_hw):
            assert self._size_hw is not None
            (height, width), (now_height, now_width) = self._size_hw, size_hw
            raise ImageError(
                f"the frames of a recording have one size: expected {width}x{height}, got {now_width}x{now_height}. "
                "Start a new tracker for another camera."
            )

    def advance(self, pixels: UInt8[np.ndarray, "H W 3"]) -> Motion | None:
        """Take the next frame; None for the first."""
        size_hw = (pixels.shape[0], pixels.shape[1])
        self.check(size_hw)
        scale = min(1.0, self._side / max(size_hw))
        small_wh = max(16, round(size_hw[1] * scale)), max(16, round(size_hw[0] * scale))
        small = cv2.resize(pixels, small_wh, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        colours = colour_histogram(small)
        last, last_colours = self._gray, self._colours
        self._gray, self._colours, self._size_hw = gray, colours, size_hw
        if last is None or last_colours is None:
            return None
        backward = self._flow.calc(gray, last, None)  # pyrefly: ignore[no-matching-overload]
        forward = self._flow.calc(last, gray, None)  # pyrefly: ignore[no-matching-overload]
        is_cut = colours_differ(colours, last_colours) and is_unlike(gray, last, backward)
        return Motion(backward=backward, forward=forward, is_cut=is_cut)


def colour_histogram(pixels: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "b b b"]:
    """Count colours in coarse bins, softened so that a change of light does not empty them; they sum to 1."""
    counts = cv2.calcHist([pixels], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    return counts / counts.sum()


def colours_differ(colours: Float[np.ndarray, "b b b"], last: Float[np.ndarray, "b b b"]) -> bool:
    """Whether there may be a cut between two frames: only then is the rest worth its time."""
    return 1 - float(np.minimum(colours, last).sum()) > _CUT_COLOURS


def is_unlike(
    gray: UInt8[np.ndarray, "H W"], last: UInt8[np.ndarray, "H W"], backward: Float[np.ndarray, "H W 2"]
) -> bool:
    """Whether moving the last frame does not explain a frame; light and contrast do not count."""
    height, width = gray.shape
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(
        last, xs + backward[..., 0], ys + backward[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if not gray.std() or not moved.std():
        return bool(gray.std() != moved.std())
    return 1 - float(np.corrcoef(gray.ravel(), moved.ravel())[0, 1]) > _CUT_UNLIKE


__all__ = ["Motion", "MotionEstimator", "colour_histogram", "colours_differ", "is_unlike"]
