"""What a mask and a frame look like in numbers, so that simulated ones can be laid beside real ones.

Sizes and places are shares of the picture, so that cameras of other resolutions compare; the boundary's sharpness is in
grey levels a pixel, and does depend on resolution. Knows masks and pixels, no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from maskwright.core.rle import RLE
from maskwright.masks import decode

Trait = Literal[
    "area", "aspect", "solidity", "holes", "sharpness", "off_centre", "predicted_iou", "count", "spread"
]  # fmt: skip
TRAITS: dict[Trait, str] = {
    "area": "share of the picture",
    "aspect": "short axis over long axis, of the ellipse with the mask's second moments",
    "solidity": "share of its convex hull that the mask fills",
    "holes": "share of the mask's filled outline that is holes",
    "sharpness": "mean gradient across the boundary, in grey levels a pixel",
    "off_centre": "how far from the picture's middle the mask's is, in shares of its sides",
    "predicted_iou": "what the model believes of its mask",
    "count": "masks a frame",
    "spread": "standard deviation of the places of a frame's masks, in shares of its sides",
}
_MARGIN = 3  # pixels around a mask that its measures need
_LEAST_AREA = 16  # pixels; of less, a shape cannot be told
_LEAST_SPREAD = 3  # masks of a frame; fewer places have no spread that says something


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMask:
    """A mask of a frame that is measured: its label, and what a model believed of it."""

    mask: RLE
    label: str | None = None
    predicted_iou: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTraits:
    """The measures of one mask, nan where unknown. `place` is its number among the masks of its frame.

    `centre_xy` is the way from the picture's middle to the mask's, in shares of the picture's sides.
    """

    label: str
    place: int
    centre_xy: tuple[float, float]
    values: dict[Trait, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTraits:
    """A frame with its measured masks. `group` names the frames that were filmed together, and count as one draw."""

    name: str
    group: str
    masks: tuple[MaskTraits, ...]


def measure_frame(
    name: str, grey: UInt8[np.ndarray, "H W"] | None, masks: Sequence[FrameMask], *, group: str | None = None
) -> FrameTraits:
    """Measure the masks of a frame; those of fewer than 16 pixels are left out, without pixels sharpness is unknown."""
    measured: list[MaskTraits] = []
    for place, one in enumerate(masks):
        bitmap = decode(one.mask)
        if np.count_nonzero(bitmap) >= _LEAST_AREA:
            values = mask_traits(bitmap, grey)
            values["predicted_iou"] = np.nan if one.predicted_iou is None else one.predicted_iou
            x, y = centre_of(bitmap)
            values["off_centre"] = float(np.hypot(x, y))
            measured.append(MaskTraits(label=one.label or "", place=place, centre_xy=(x, y), values=values))
    return FrameTraits(name=name, group=group or name, masks=tuple(measured))


def frame_traits(masks: Sequence[MaskTraits]) -> dict[Trait, float]:
    """Measure what a frame's masks are together: how many, and how far they spread over the picture.

    How things lie is the same under every lens, and a frame has many of them: their spread tells a camera that sees
    another part of the table in far fewer frames than their sizes do, which differ by more than lenses.
    """
    spread = np.nan
    if len(masks) >= _LEAST_SPREAD:
        spread = float(np.hypot(*np.std([one.centre_xy for one in masks], axis=0)))
    return {"count": float(len(masks)), "spread": spread}


def centre_of(mask: Bool[np.ndarray, "H W"]) -> tuple[float, float]:
    """The way from the picture's middle to a mask's, in shares of the picture's sides, -0.5 to 0.5."""
    height, width = mask.shape
    columns, rows = mask.sum(0), mask.sum(1)
    total = columns.sum()
    x, y = columns @ (np.arange(width) + 0.5) / total, rows @ (np.arange(height) + 0.5) / total
    return float(x / width - 0.5), float(y / height - 0.5)


def mask_traits(mask: Bool[np.ndarray, "H W"], grey: UInt8[np.ndarray, "H W"] | None) -> dict[Trait, float]:
    """Measure a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = (
        slice(max(0, rows[0] - _MARGIN), rows[-1] + 1 + _MARGIN),
        slice(max(0, columns[0] - _MARGIN), columns[-1] + 1 + _MARGIN),
    )
    part = np.pad(mask[window].astype(np.uint8), 1)
    area = int(part.sum())
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.fillConvexPoly(np.zeros_like(part), cv2.convexHull(np.concatenate(outlines)), 1)
    filled = cv2.drawContours(np.zeros_like(part), outlines, -1, 1, cv2.FILLED)
    return {
        "area": area / mask.size,
        "aspect": _aspect(part),
        "solidity": area / int(hull.sum()),
        "holes": 1 - area / int(filled.sum()),
        "sharpness": np.nan if grey is None else _sharpness(mask[window], grey[window], window, mask.shape),
    }


def _aspect(part: UInt8[np.ndarray, "h w"]) -> float:
    moments = cv2.moments(part, binaryImage=True)
    xx, yy, xy = (moments[name] / moments["m00"] for name in ("mu20", "mu02", "mu11"))
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    # A pixel has a second moment of 1/12 itself, so a line of pixels has a width.
    return float(np.sqrt((middle - half + 1 / 12) / (middle + half + 1 / 12)))


def _sharpness(
    mask: Bool[np.ndarray, "h w"], grey: UInt8[np.ndarray, "h w"], window: tuple[slice, slice], size_hw: Sequence[int]
) -> float:
    """Mean gradient over the pixels on both sides of the boundary; the picture's own border is none."""
    part, kernel = mask.astype(np.uint8), np.ones((3, 3), np.uint8)
    ring = cv2.dilate(part, kernel) != cv2.erode(part, kernel, borderType=cv2.BORDER_REPLICATE)
    inside = np.zeros(size_hw, bool)
    inside[2:-2, 2:-2] = True
    ring &= inside[window]
    if not ring.any():
        return np.nan
    return float(gradient(grey)[ring].mean())


def gradient(grey: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """How fast brightness changes, in grey levels a pixel."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, x, y, ksize=3, scale=1 / 8) for x, y in ((1, 0), (0, 1)))
    return np.hypot(across, down)


__all__ = [
    "TRAITS",
    "FrameMask",
    "FrameTraits",
    "MaskTraits",
    "Trait",
    "centre_of",
    "frame_traits",
    "gradient",
    "mask_traits",
    "measure_frame",
]
