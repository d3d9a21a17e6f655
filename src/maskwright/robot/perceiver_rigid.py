"""How a thing has moved as a whole: a shift, a turn and a scale that the flow inside its mask agrees upon.

Over a dozen pictures flow mixes what moves with what stands still along the mask's edge, and moving each pixel by its
own flow wears the mask away there. Most of what a robot handles keeps its shape, and its middle knows where it went:
on the demo's episode, with answers 8 pictures late and flow on 480x360, J&F is 0.694 so and 0.660 by each pixel's flow
(docs/log.md).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask

# Points of the mask that are looked at; how far off, in grid pixels, one may be that agrees; the share that has to.
_POINTS, _OFF_PX, _AGREE = 300, 3.0, 0.5
# Fewer points say nothing; the core is the mask without its rim, where that leaves so many.
_LEAST_POINTS, _LEAST_CORE, _RIM_PX = 12, 30, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionOfThings(Motion):
    """Motion that moves a mask as a whole where its points agree on how, and each pixel by its own flow elsewhere."""

    @classmethod
    def of(cls, motion: Motion) -> "MotionOfThings":
        """Take the flow of another motion."""
        return cls(backward=motion.backward, forward=motion.forward, is_cut=motion.is_cut)

    def carry(self, mask: SoftMask) -> tuple[SoftMask, float, float]:
        """See `Motion`."""
        by_pixel, agreement, far = Motion.carry(self, mask)  # slots have no super()
        matrix = as_a_whole(mask, self)
        return by_pixel if matrix is None else moved(mask, matrix), agreement, far


def as_a_whole(mask: SoftMask, motion: Motion) -> Float[np.ndarray, "2 3"] | None:
    """Find the similarity that moves a mask along; None where it does not move as one thing, or is too small."""
    if not mask.values.size:
        return None
    there = (mask.values > 0.5).astype(np.uint8)
    core = cv2.erode(there, np.ones((2 * _RIM_PX + 1,) * 2, np.uint8), borderValue=0)
    ys, xs = np.nonzero(core if core.sum() >= _LEAST_CORE else there)
    if len(xs) < _LEAST_POINTS:
        return None
    every = max(1, len(xs) // _POINTS)
    ys, xs = ys[::every] + mask.y, xs[::every] + mask.x
    before = np.stack([xs, ys], 1).astype(np.float32)
    after = before + motion.forward[ys, xs]
    matrix, agrees = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=_OFF_PX, maxIters=200
    )
    if matrix is None or agrees.mean() < _AGREE:
        return None
    return matrix


def moved(mask: SoftMask, matrix: Float[np.ndarray, "2 3"]) -> SoftMask:
    """Move a mask by a similarity; what leaves the grid is gone."""
    h, w = mask.values.shape
    corners = np.array([[mask.x, mask.y], [mask.x + w, mask.y], [mask.x, mask.y + h], [mask.x + w, mask.y + h]])
    reached = corners @ matrix[:, :2].T + matrix[:, 2]
    height, width = mask.grid_hw
    x1, y1 = np.clip(np.floor(reached.min(0)) - 1, 0, (width, height)).astype(int)
    x2, y2 = np.clip(np.ceil(reached.max(0)) + 1, 0, (width, height)).astype(int)
    if x2 <= x1 or y2 <= y1:
        return SoftMask.nothing(mask.grid_hw)
    here = matrix.copy()  # from the mask's own corner to that of the part it comes to
    here[:, 2] += matrix[:, :2] @ (mask.x, mask.y) - (x1, y1)
    values = SoftMask.of(cv2.warpAffine(mask.values, here, (int(x2 - x1), int(y2 - y1))))
    return SoftMask(values=values.values, x=values.x + int(x1), y=values.y + int(y1), grid_hw=mask.grid_hw)


__all__ = ["MotionOfThings", "as_a_whole", "moved"]
