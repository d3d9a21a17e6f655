"""How much two masks agree: overlap, boundaries, and how stable a mask is under its own threshold.

On pairs of masks of one size; averages over a dataset are the work of `evaluate`. Two empty masks agree perfectly (1),
unlike in `iou_matrix`, which follows COCO.
"""

from dataclasses import dataclass
from math import ceil, hypot

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright.core.errors import SettingError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks._engine import RLEMask, parse_all
from maskwright.masks.morphology import _disc, _further_from_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Precision and recall of a predicted mask, and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """2PR / (P + R); 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def iou(predicted: RLE, truth: RLE) -> float:
    """Compute the intersection over union of two masks."""
    shared, a, b = _overlap(predicted, truth)
    return shared / (a + b - shared) if a + b else 1.0


def dice(predicted: RLE, truth: RLE) -> float:
    """Compute twice the intersection over the sum of the areas, the F score of the pixels."""
    shared, a, b = _overlap(predicted, truth)
    return 2 * shared / (a + b) if a + b else 1.0


def pixel_agreement(predicted: RLE, truth: RLE) -> Agreement:
    """Compute the precision and recall of the pixels; what there is nothing to be wrong about is 1."""
    shared, a, b = _overlap(predicted, truth)
    return Agreement(precision=shared / a if a else 1.0, recall=shared / b if b else 1.0)


def boundary_iou(predicted: RLE, truth: RLE, *, dilation_ratio: float = 0.02) -> float:
    """Compute the IoU of the inner bands along both outlines, `dilation_ratio` of the image's diagonal wide.

    Source: Cheng et al., Boundary IoU, CVPR 2021; as there, the image's edge is an outline, and the band is made of
    squares, not of discs.

    Raises:
        SettingError: the ratio is not above 0.
    """
    if not 0 < dilation_ratio < 1:
        raise SettingError(f"dilation_ratio must lie between 0 and 1, got {dilation_ratio}")
    a, b = _crop_pair(predicted, truth, margin=0)
    width = max(1, round(dilation_ratio * hypot(*predicted.size_hw)))
    band_a, band_b = _inner_band(a, width), _inner_band(b, width)
    joined = int((band_a | band_b).sum())
    return int((band_a & band_b).sum()) / joined if joined else 1.0


def boundary_agreement(predicted: RLE, truth: RLE, *, tolerance_px: int | None = None) -> Agreement:
    """Compute the precision and recall of outline pixels, matched within `tolerance_px`; its F score is DAVIS's F.

    The tolerance is 0.8 % of the image's diagonal, rounded up, when left out. Source: Perazzi et al., DAVIS, CVPR 2016,
    which matches by growing the other outline, so many pixels may match one.

    Raises:
        SettingError: the tolerance is negative.
    """
    reach = ceil(0.008 * hypot(*predicted.size_hw)) if tolerance_px is None else tolerance_px
    if reach < 0:
        raise SettingError(f"tolerance_px must be at least 0, got {tolerance_px}")
    a, b = (_outline(mask) for mask in _crop_pair(predicted, truth, margin=1, size_hw=predicted.size_hw))
    num_a, num_b = int(a.sum()), int(b.sum())
    if not num_a or not num_b:
        return Agreement(precision=float(num_a == 0), recall=float(num_b == 0))
    near_a, near_b = _near(a, reach), _near(b, reach)
    return Agreement(precision=int((a & near_b).sum()) / num_a, recall=int((b & near_a).sum()) / num_b)


def stability_score(
    logits: Float[np.ndarray, "*N H W"], *, threshold: float = 0.0, offset: float = 1.0
) -> Float[np.ndarray, "*N"]:
    """Compute the IoU of each mask at `threshold + offset` with itself at `threshold - offset`; 1 where both are empty.

    Source: segment-anything, `calculate_stability_score`, which gives NaN for empty masks.
    """
    inner = (logits > threshold + offset).sum(axis=(-2, -1))
    outer = (logits > threshold - offset).sum(axis=(-2, -1))
    return np.where(outer > 0, inner / np.maximum(outer, 1), 1.0)


def _overlap(predicted: RLE, truth: RLE) -> tuple[int, int, int]:
    a, b = parse_all([predicted, truth])
    return RLEMask.intersection([a, b]).area(), a.area(), b.area()


def _crop_pair(
    predicted: RLE, truth: RLE, *, margin: int, size_hw: SizeHW | None = None
) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """Decode both masks on the box around them, with a margin of image where there is one."""
    a, b = parse_all([predicted, truth])
    x, y, w, h = (int(value) for value in RLEMask.union([a, b]).bbox())
    if not w:
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    height, width = predicted.size_hw
    left, top = max(0, x - margin), max(0, y - margin)
    box = np.array([left, top, min(width, x + w + margin) - left, min(height, y + h + margin) - top])
    dense = [mask.crop(box).to_array(order="C").view(np.bool_) for mask in (a, b)]
    return dense[0], dense[1]


def _inner_band(dense: Bool[np.ndarray, "H W"], width: int) -> Bool[np.ndarray, "H W"]:
    framed = np.pad(dense, 1).view(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = cv2.erode(framed, square)[1:-1, 1:-1].view(np.bool_)
    return dense & ~inner


def _outline(dense: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Mark pixels that differ from their right, lower or lower right neighbour, where they have one."""
    right = np.pad(dense[:, 1:], ((0, 0), (0, 1)), mode="edge") if dense.shape[1] > 1 else dense
    below = np.pad(dense[1:], ((0, 1), (0, 0)), mode="edge") if dense.shape[0] > 1 else dense
    diagonal = np.zeros_like(dense)
    diagonal[:-1, :-1] = dense[:-1, :-1] ^ dense[1:, 1:]
    return (dense ^ right) | (dense ^ below) | diagonal


def _near(outline: Bool[np.ndarray, "H W"], reach: int) -> Bool[np.ndarray, "H W"]:
    if reach <= 12:
        return cv2.dilate(outline.view(np.uint8), _disc(reach)).view(np.bool_)
    return ~_further_from_zero(~outline, reach)


__all__ = [
    "Agreement",
    "boundary_agreement",
    "boundary_iou",
    "dice",
    "iou",
    "pixel_agreement",
    "stability_score",
]
