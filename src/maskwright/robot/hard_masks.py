"""Flags of masks that models and sensors get wrong: thin, see-through or mirroring, hidden, a piece of texture.

A flag is a suspicion with the number that raised it, for people to look at; it changes no mask. Without depth only
thinness can be told.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool

from maskwright.core.errors import SettingError
from maskwright.robot.depth_cues import DepthCues

FlagName = Literal["thin", "see_through", "occluded", "texture"]
FLAGS: dict[FlagName, str] = {
    "thin": "on average {value:.1f} pixels wide",
    "see_through": "{value:.0%} of it gives no sound depth, as glass and mirrors do",
    "occluded": "{value:.0%} of its outline lies behind something nearer",
    "texture": "{value:.0%} of its outline lies within one flat surface: a piece of a pattern?",
}
_STEP = 0.03
_LEAST_OUTLINE = 12
_REACH_PX = 3  # to both sides of an outline, beyond the pixels that fly there


@dataclass(frozen=True, slots=True, kw_only=True)
class HardLimits:
    """From where on a mask is flagged: pixels of width, shares of its area and outline.

    Raises:
        SettingError: a share is not within 0..1, or the width is negative.
    """

    thin_px: float = 10.0
    see_through: float = 0.25
    occluded: float = 0.30
    texture: float = 0.80

    def __post_init__(self) -> None:
        """Check the numbers."""
        shares = (self.see_through, self.occluded, self.texture)
        if self.thin_px < 0 or not all(0 <= one <= 1 for one in shares):
            raise SettingError(f"a width is at least 0 and shares lie within 0..1, got {self.thin_px:g} and {shares}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HardFlag:
    """A suspicion about a mask, and the number behind it."""

    name: FlagName
    value: float

    def words(self) -> str:
        """Say it to a person."""
        return FLAGS[self.name].format(value=self.value)


def hard_flags(
    mask: Bool[np.ndarray, "H W"], cues: DepthCues | None = None, limits: HardLimits | None = None
) -> tuple[HardFlag, ...]:
    """Flag a mask; `cues` are those of its frame's depth. An empty mask has no flags."""
    limits = limits or HardLimits()
    if not mask.any():
        return ()
    found: list[HardFlag] = []
    width = mean_width(mask)
    if width < limits.thin_px:
        found.append(HardFlag(name="thin", value=width))
    if cues is None:
        return tuple(found)
    failing = float(((cues.holes | cues.rough) & mask).sum() / mask.sum())
    if failing >= limits.see_through:
        found.append(HardFlag(name="see_through", value=failing))
    nearer, same = _outline_shares(mask, cues)
    if nearer >= limits.occluded:
        found.append(HardFlag(name="occluded", value=nearer))
    if same >= limits.texture and failing < limits.see_through:
        found.append(HardFlag(name="texture", value=same))
    return tuple(found)


def mean_width(mask: Bool[np.ndarray, "H W"]) -> float:
    """Mean width in pixels: four times the mean distance to the outline, which of a strip is its width."""
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)
    return float(4 * (inside[inside > 0] - 0.5).mean().clip(0.25))


def _outline_shares(mask: Bool[np.ndarray, "H W"], cues: DepthCues) -> tuple[float, float]:
    """Which shares of the outline have something nearer outside, and the same surface on both sides.

    Pixels are compared a little inside and outside, straight through the outline.
    """
    inside, outside = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (mask, ~mask))
    signed = inside - outside
    steps_y, steps_x = (cv2.Sobel(signed, cv2.CV_32F, x, y, ksize=3, scale=1 / 8) for x, y in ((0, 1), (1, 0)))
    ys, xs = np.nonzero(mask & (inside < 1.5))
    if len(ys) < _LEAST_OUTLINE:
        return 0.0, 0.0
    length = np.maximum(1e-6, np.hypot(steps_y[ys, xs], steps_x[ys, xs]))
    way = np.stack([steps_y[ys, xs], steps_x[ys, xs]]) / length
    height, width = mask.shape
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for reach in (_REACH_PX, -_REACH_PX):
        y, x = (np.round(start + reach * step).astype(int) for start, step in zip((ys, xs), way, strict=True))
        ends.append((y, x))
    (y_in, x_in), (y_out, x_out) = ends
    is_seen = (np.minimum(y_in, y_out) >= 0) & (np.maximum(y_in, y_out) < height)
    is_seen &= (np.minimum(x_in, x_out) >= 0) & (np.maximum(x_in, x_out) < width)
    y_in, x_in, y_out, x_out = (at[is_seen] for at in (y_in, x_in, y_out, x_out))
    both = cues.is_known[y_in, x_in] & cues.is_known[y_out, x_out]
    if both.sum() < _LEAST_OUTLINE:
        return 0.0, 0.0
    within, beyond = cues.nearness[y_in, x_in], cues.nearness[y_out, x_out]
    nearer = both & (beyond > (1 + _STEP) * within)
    part_in, part_out = cues.parts[y_in, x_in], cues.parts[y_out, x_out]
    same = both & (part_in == part_out) & (part_in > 0)
    return float(nearer.sum() / both.sum()), float(same.sum() / both.sum())


__all__ = ["FLAGS", "FlagName", "HardFlag", "HardLimits", "hard_flags", "mean_width"]
