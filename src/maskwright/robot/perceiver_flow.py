"""`HeldFlow`: motion between a picture that is held and the newest one, found anew at each picture from where it was.

Flows of one picture after another, joined, drift along every edge. Here each flow leads all the way from the held
picture, and begins its search at the flow of a picture ago, so that a long way is as easy to find as a short step. True
masks carried by 6 to 12 pictures of the demo kept an IoU of 0.88 so and of 0.82 by joined flows (docs/log.md).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core import SizeHW
from maskwright.predict.tracking.motion import Motion, colours_differ, is_unlike

# Of OpenCV's DIS: down to the pixels of what it is given, patches of 8 pixels at steps of 5, 8 rounds, and no smoothing
# afterwards, which takes as long as the search. Finer steps or smoothing were no better.
_FINEST, _PATCH, _STEP, _ROUNDS, _SMOOTHING = 0, 8, 5, 8, 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Glance:
    """A picture as flow is given it: small and gray; and how often each colour is there, which tells cuts."""

    gray: UInt8[np.ndarray, "h w"]
    colours: Float[np.ndarray, "b b b"]


class HeldFlow:
    """Holds one picture; each new one gives the motion from it, in their pixels. They must all be of one size.

    Source: Kroeger et al. 2016, "Fast optical flow using dense inverse search", as OpenCV has it.
    """

    def __init__(self, held: Glance, *, known: Motion | None = None) -> None:
        """`known` is a guess of the motion so far."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(_FINEST)
        self._flow.setPatchSize(_PATCH)
        self._flow.setPatchStride(_STEP)
        self._flow.setGradientDescentIterations(_ROUNDS)
        self._flow.setVariationalRefinementIterations(_SMOOTHING)
        self._held, self._colours = held.gray, held.colours
        self._known = known

    def to(self, seen: Glance) -> Motion:
        """Find the motion to the next picture; a cut is one beside the picture before."""
        known = self._known
        backward = self._search(seen.gray, self._held, None if known is None else known.backward)
        forward = self._search(self._held, seen.gray, None if known is None else known.forward)
        is_cut = colours_differ(seen.colours, self._colours) and is_unlike(seen.gray, self._held, backward)
        self._colours = seen.colours
        self._known = Motion(backward=backward, forward=forward, is_cut=is_cut)
        return self._known

    def _search(
        self, of: UInt8[np.ndarray, "h w"], to: UInt8[np.ndarray, "h w"], begin: Float[np.ndarray, "h w 2"] | None
    ) -> Float[np.ndarray, "h w 2"]:
        guess = None if begin is None else begin.copy()  # it is written to
        return self._flow.calc(of, to, guess)  # pyrefly: ignore[no-matching-overload]


def shrunk(picture: UInt8[np.ndarray, "H W *C"], size_hw: SizeHW) -> UInt8[np.ndarray, "h w *C"]:
    """Make a picture smaller, by means of areas: first by a whole number, which takes a tenth of the time of others."""
    height, width = picture.shape[:2]
    most = min(height // size_hw[0], width // size_hw[1])
    by = next((one for one in range(most, 1, -1) if height % one == 0 and width % one == 0), 1)
    if by > 1:
        picture = cv2.resize(picture, (width // by, height // by), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size_hw[::-1], interpolation=cv2.INTER_AREA)


__all__ = ["Glance", "HeldFlow", "shrunk"]
