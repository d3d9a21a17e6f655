"""`HeldFlow`: motion between a picture that is held and the newest one, found anew at each picture from where it was.

Flows of one picture after another, joined, drift along every edge. Here each flow leads all the way from the held
picture, and begins its search at the flow of a picture ago, so that a long way is as easy to find as a short step. True
masks carried by 6 to 12 pictures of the demo kept an IoU of 0.88 so and of 0.82 by joined flows (docs/log.md).
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.predict.tracking.motion import Motion, colour_histogram, colours_differ, is_unlike

# Of OpenCV's DIS: flow at half the size (its fast preset takes a quarter), patches of 8 pixels at steps of 5, 8 rounds,
# and no smoothing afterwards, which takes as long as the search. Finer steps or smoothing were no better.
_FINEST, _PATCH, _STEP, _ROUNDS, _SMOOTHING = 1, 8, 5, 8, 0


class HeldFlow:
    """Holds one small picture; each new one gives the motion from it. They must all be of one size.

    Source: Kroeger et al. 2016, "Fast optical flow using dense inverse search", as OpenCV has it.
    """

    def __init__(self, held: UInt8[np.ndarray, "h w 3"], *, known: Motion | None = None) -> None:
        """`known` is a guess of the motion so far."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(_FINEST)
        self._flow.setPatchSize(_PATCH)
        self._flow.setPatchStride(_STEP)
        self._flow.setGradientDescentIterations(_ROUNDS)
        self._flow.setVariationalRefinementIterations(_SMOOTHING)
        self._held = cv2.cvtColor(held, cv2.COLOR_RGB2GRAY)
        self._colours = colour_histogram(held)
        self._known = known

    def to(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Motion:
        """Find the motion to the next picture; a cut is one beside the picture before."""
        gray, colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), colour_histogram(pixels)
        known = self._known
        backward = self._search(gray, self._held, None if known is None else known.backward)
        forward = self._search(self._held, gray, None if known is None else known.forward)
        is_cut = colours_differ(colours, self._colours) and is_unlike(gray, self._held, backward)
        self._colours = colours
        self._known = Motion(backward=backward, forward=forward, is_cut=is_cut)
        return self._known

    def _search(
        self, of: UInt8[np.ndarray, "h w"], to: UInt8[np.ndarray, "h w"], begin: Float[np.ndarray, "h w 2"] | None
    ) -> Float[np.ndarray, "h w 2"]:
        guess = None if begin is None else begin.copy()  # it is written to
        return self._flow.calc(of, to, guess)  # pyright: ignore[reportCallIssue, reportArgumentType]


__all__ = ["HeldFlow"]
