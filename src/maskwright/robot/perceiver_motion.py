"""Motion over many pictures, from one that is held to the newest.

A mask that comes late is moved once, by the flow from its picture to the newest, so it is resampled once however late
it is. Keyframes are held; what is about another picture has a way of its own, by way of the one that is held.
"""

import math
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core import SizeHW
from maskwright.predict.tracking.motion import Motion, colour_histogram
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_colours import Colours, ColourView
from maskwright.robot.perceiver_flow import Glance, HeldFlow, shrunk
from maskwright.robot.perceiver_rigid import MotionOfThings

# What is left of confidence: agreement of the way there and back to this power, and less for each frame's worth of way.
_BY_AGREEMENT, _BY_FRAME = 0.5, 0.998
# Flow that agrees with itself on less of a mask has lost it: colours say where it is.
_LOST_BELOW = 0.5
_COLOURS_SIDE = 120  # colours are counted on so many rows or more
_MOST_HELD = 20  # pictures for which one is held: a look takes half as many, and views change


def joined(first: Motion, then: Motion) -> Motion:
    """Join the motion from A to B and that from B to C to that from A to C."""
    return Motion(
        backward=_after(then.backward, first.backward),
        forward=_after(first.forward, then.forward),
        is_cut=first.is_cut or then.is_cut,
    )


def _after(near: Float[np.ndarray, "H W 2"], far: Float[np.ndarray, "H W 2"]) -> Float[np.ndarray, "H W 2"]:
    """Go by `near`, and on by what `far` says at the place where one is then."""
    h, w = near.shape[:2]
    place = near + _places((h, w))
    moved = cv2.remap(far, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # pyrefly: ignore[no-matching-overload]
    return near + moved


@lru_cache(maxsize=4)
def _places(size_hw: SizeHW) -> Float[np.ndarray, "H W 2"]:
    """The x and y of each pixel."""
    xs, ys = np.meshgrid(np.arange(size_hw[1], dtype=np.float32), np.arange(size_hw[0], dtype=np.float32))
    return np.stack([xs, ys], -1)


def reversed_motion(motion: Motion) -> Motion:
    """Make of the motion from A to B that from B to A."""
    return Motion(backward=motion.forward, forward=motion.backward, is_cut=motion.is_cut)


class Way:
    """The motion from one picture to the newest.

    Motion is measured from a picture that is held (see `MotionMeter`); `before` leads from the way's picture to that
    one, None where they are the same. `view` is the way's picture.
    """

    def __init__(self, before: Motion | None = None, *, view: ColourView | None = None) -> None:
        self.motion: Motion | None = None
        self.num_frames = 0
        self._before = before
        self._colours = None if view is None else Colours(view)
        self._newest: ColourView | None = None

    def extend(self, motion: Motion | None, view: ColourView | None = None) -> None:
        """Go on to the next picture, by the motion from the held one to it; `view` is that picture.

        None: nothing is known of how it moved, and it is taken to be at rest.
        """
        self.num_frames += 1
        self._newest = None if motion is None else view
        if motion is not None:
            self.motion = motion if self._before is None else joined(self._before, motion)

    def hold(self) -> None:
        """From now on the newest picture is the one that is held."""
        self._before = self.motion

    @property
    def is_cut(self) -> bool:
        """Whether the picture has changed as a whole on the way."""
        return self.motion is not None and self.motion.is_cut

    def carry(self, mask: SoftMask) -> tuple[SoftMask, float]:
        """Move a mask of the way's picture to the newest; with it comes the share of trust that is left."""
        kept = _BY_FRAME**self.num_frames
        if self.motion is None:
            return mask, kept
        carried, agreement, _ = MotionOfThings.of(self.motion).carry(mask)
        if agreement < _LOST_BELOW and mask.values.size and self._colours is not None and self._newest is not None:
            carried = self._colours.redraw(mask, carried, self._newest)
        return carried, kept * agreement**_BY_AGREEMENT


class MotionMeter:
    """Holds a picture; `motion` leads from it to the newest, on one grid however fine it was computed.

    Flow is computed on half of the grid, and drawn up to it.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._held: Glance | None = None  # as large as the camera's, so that flow of any size can begin at it
        self._newest: Glance | None = None
        self._view: ColourView | None = None
        self._flow: HeldFlow | None = None
        self._share = 0.0
        self._since: Motion | None = None
        self._num_frames = 0

    @property
    def newest(self) -> ColourView | None:
        """The newest picture; None before the first."""
        return self._view

    @property
    def since(self) -> Motion | None:
        """What was computed last: from the held picture to the newest that motion was asked of."""
        return self._since

    @property
    def is_far(self) -> bool:
        """Whether the held picture lies so far back that a newer one should be held."""
        return self._num_frames >= _MOST_HELD or (self._since is not None and self._since.is_cut)

    def grid_hw(self, size_hw: SizeHW) -> SizeHW:
        """Height and width of the grid for pictures of a size."""
        scale = min(1.0, self._side / max(size_hw))
        return max(16, round(size_hw[0] * scale)), max(16, round(size_hw[1] * scale))

    def see(self, pixels: UInt8[np.ndarray, "H W 3"]) -> bool:
        """Take the next picture; say whether it is the last one again, pixel for pixel."""
        every = max(1, min(pixels.shape[:2]) // _COLOURS_SIDE)
        some = np.ascontiguousarray(pixels[::every, ::every])
        seen = Glance(gray=cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), colours=colour_histogram(some))
        self._view = ColourView(pixels)
        last, self._newest = self._newest, seen
        return last is not None and np.array_equal(last.gray, seen.gray)

    def hold(self) -> None:
        """Hold the newest picture from now on."""
        self._held, self._flow, self._since, self._num_frames = self._newest, None, None, 0

    def motion(self, share: float) -> Motion | None:
        """Compute the motion from the held picture to the newest; None at the first, which is held."""
        assert self._newest is not None
        if self._held is None:
            self.hold()
            return None
        grid_hw = self.grid_hw((self._held.gray.shape[0], self._held.gray.shape[1]))
        small_hw = _part(grid_hw[0], share / 2), _part(grid_hw[1], share / 2)
        if self._flow is None or share != self._share:
            known = None if self._since is None else _on_grid(self._since, small_hw)
            self._flow, self._share = HeldFlow(_resized(self._held, small_hw), known=known), share
        self._since = _on_grid(self._flow.to(_resized(self._newest, small_hw)), grid_hw)
        self._num_frames += 1
        return self._since


def _part(length: int, share: float) -> int:
    return max(16, math.ceil(share * length))


def _resized(seen: Glance, size_hw: SizeHW) -> Glance:
    return replace(seen, gray=shrunk(seen.gray, size_hw))


def _on_grid(motion: Motion, grid_hw: SizeHW) -> Motion:
    h, w = motion.backward.shape[:2]
    if (h, w) == grid_hw:
        return motion
    by = (grid_hw[1] / w, grid_hw[0] / h, 0.0, 0.0)  # of four channels, as OpenCV wants it; NumPy takes 2 ms a field

    def larger(flow: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "H W 2"]:
        scaled = cv2.multiply(flow, by)  # pyrefly: ignore[no-matching-overload]
        return cv2.resize(scaled, grid_hw[::-1], interpolation=cv2.INTER_LINEAR)

    return Motion(backward=larger(motion.backward), forward=larger(motion.forward), is_cut=motion.is_cut)


__all__ = ["MotionMeter", "Way", "joined", "reversed_motion"]
