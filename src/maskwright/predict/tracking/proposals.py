"""What to ask the model about a track on a new frame: where it was carried, and where something looks like it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, Prompt, SizeHW
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import box_iou, box_xyxy, encode
from maskwright.predict.tracking.soft_mask import SoftMask

_PAD = 0.03  # of a box's sides: a carried box is not exact
# Weights of likeness, and of having been near, in the odds that a cell is the object's.
_LIKENESS, _NEARNESS, _FLOOR = 4.0, 1.0, 0.03
_NEAR_PX = 20.0  # of a grid whose longer side is 320
# Of several regions that look alike, those with at least such a share of the likeliest are taken together.
_TOGETHER = 0.2
# Boxes with such an IoU ask the same. From 0.8 on, drifting masks were no longer put right (docs/log.md).
_SAME = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A question about a track."""

    track: str
    prompt: Prompt
    box_xyxy: BoxXYXY

    def asks_the_same(self, other: "Proposal") -> bool:
        """Whether the other asks about the same place."""
        return float(box_iou(np.array([self.box_xyxy]), np.array([other.box_xyxy]))[0, 0]) > _SAME


def from_mask(track: str, mask: SoftMask, size_hw: SizeHW) -> Proposal | None:
    """Ask about the place that a mask covers, by its box and itself; None where it covers nothing."""
    rle = mask.rle(size_hw)
    box = box_xyxy(rle)
    if box[2] <= box[0]:
        return None
    padded = _padded(box, size_hw)
    both = CombinedPrompt([BoxPrompt(padded), MaskPrompt(rle)])
    return Proposal(track=track, prompt=both, box_xyxy=padded)


def from_likeness(
    track: str,
    likeness: Float[np.ndarray, "h w"],
    near: Float[np.ndarray, "h w"] | None,
    size_hw: SizeHW,
) -> Proposal | None:
    """Ask about the place that looks like the track, by its box; None where nothing does.

    `near` says how near each cell is to where the track was, 0 to 1. None looks for one region anywhere.
    """
    nearness = np.full(likeness.shape, 0.5, np.float32) if near is None else near
    odds = _LIKENESS * likeness + _NEARNESS * np.log((nearness + _FLOOR) / (1 + _FLOOR - nearness))
    chance = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    region = cv2.resize(chance.astype(np.float32), size_hw[::-1]) > 0.5
    region = _likeliest(region, likeness, 1.0 if near is None else _TOGETHER)
    if region is None:
        return None
    box = _padded(box_xyxy(encode(region)), size_hw)
    return Proposal(track=track, prompt=BoxPrompt(box), box_xyxy=box)


def nearness(carried: SoftMask, before: SoftMask, cells_hw: SizeHW) -> Float[np.ndarray, "h w"]:
    """How near cells are to where a track was, and to where flow carried it, 0 to 1."""
    was = np.maximum(carried.grid(), before.grid())
    cells = cv2.resize(was, cells_hw[::-1], interpolation=cv2.INTER_AREA)  # blurring pixels took 10 ms a track
    sigma = _NEAR_PX * max(cells_hw) / 320
    return np.clip(2 * cv2.GaussianBlur(cells, (0, 0), sigma), 0, 1)


def _likeliest(
    region: Bool[np.ndarray, "H W"], likeness: Float[np.ndarray, "h w"], together: float
) -> Bool[np.ndarray, "H W"] | None:
    """Leave the parts of a region with the most likeness in them; None where nothing is alike."""
    x, y, w, h = cv2.boundingRect(region.astype(np.uint8))
    if not w:
        return None
    part = np.s_[y : y + h, x : x + w]
    count, labels = cv2.connectedComponents(region[part].astype(np.uint8))
    labels = np.asarray(labels, np.int64)
    mass = cv2.resize(np.clip(likeness, 0, None).astype(np.float32), region.shape[::-1])[part]
    masses = np.bincount(labels.ravel(), mass.ravel(), count)[1:]
    if masses.max() <= 0:
        return None
    likeliest = np.zeros_like(region)
    likeliest[part] = np.concatenate([[False], masses >= together * masses.max()])[labels]
    return likeliest


def _padded(box: BoxXYXY, size_hw: SizeHW) -> BoxXYXY:
    x1, y1, x2, y2 = box
    across, down = _PAD * (x2 - x1), _PAD * (y2 - y1)
    return max(0, x1 - across), max(0, y1 - down), min(size_hw[1], x2 + across), min(size_hw[0], y2 + down)


__all__ = ["Proposal", "from_likeness", "from_mask", "nearness"]
