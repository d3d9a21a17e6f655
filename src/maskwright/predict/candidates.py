"""`Candidate`: a mask that everything-mode found in a `Crop`, and the rules by which it is kept.

Boxes have inclusive edges here, as in the reference, because its overlap and edge rules compute with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.core import RLE, SizeHW
from maskwright.masks import box_nms
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import FramePrompts
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.everything_settings import CropBox, EverythingSettings

# A mask this close to the edge of its crop, where that is not the image's, is probably cut off.
_EDGE_PIXELS = 20

InclusiveBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A mask of the whole image that passed the filters, with the point and the crop it was found from."""

    rle: RLE
    area: int
    box: InclusiveBox
    predicted_iou: float
    stability: float
    agreement: float | None
    point_xy: tuple[float, float]
    crop_box: CropBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of an image, or all of it, to be looked at: its embedding, and points in its pixels.

    `box` is where it lies in the image, whose size is `size_hw`.
    """

    embedding: ImageEmbedding
    points_xy: Float[np.ndarray, "n 2"]
    box: CropBox
    size_hw: SizeHW

    def point_in_image(self, i: int) -> tuple[float, float]:
        """Say where a point lies in the image."""
        x, y = self.points_xy[i].tolist()
        return x + self.box[0], y + self.box[1]


def clicks_at(points_xy: Float[np.ndarray, "n 2"], frame: ModelFrame, device: torch.device) -> FramePrompts:
    """One foreground click each, with the padding point by which SAM marks the absence of a box."""
    points = np.stack([frame.points_to_model(points_xy), np.zeros_like(points_xy)], axis=1)
    labels = torch.tensor([1, -1], device=device).expand(len(points_xy), 2)
    return FramePrompts(points=torch.from_numpy(points.astype(np.float32)).to(device), labels=labels)


def are_good(predicted_iou: Float[Tensor, "N M"], pred_iou_thresh: float) -> Bool[Tensor, "N M"]:
    """Tell which masks are to be looked at; a threshold of 0 lets all through."""
    if pred_iou_thresh > 0:
        return predicted_iou > pred_iou_thresh
    return torch.ones_like(predicted_iou, dtype=torch.bool)


def is_stable(stability: float, settings: EverythingSettings) -> bool:
    """Tell whether a mask is stable enough, in float32, like the reference's tensors; a threshold of 0 says yes."""
    least = settings.stability_score_thresh
    return least <= 0 or bool(np.float32(stability) >= np.float32(least))


def inclusive_box(box_xyxy: Sequence[float], area: int, crop_box: CropBox) -> InclusiveBox:
    """Make a box with inclusive edges; that of an empty mask is the crop's corner."""
    x, y = crop_box[:2]
    x1, y1, x2, y2 = (int(edge) for edge in box_xyxy)
    return (x1, y1, x2 - 1, y2 - 1) if area else (x, y, x, y)


def is_cut_off(box: InclusiveBox, crop_box: CropBox, size_hw: SizeHW) -> bool:
    """Tell whether an edge of the box is near that edge of the crop, and the image goes on there."""
    height, width = size_hw
    return any(
        abs(edge - crop) <= _EDGE_PIXELS < abs(edge - end)
        for edge, crop, end in zip(box, crop_box, (0, 0, width, height), strict=True)
    )


def suppress(candidates: list[Candidate], scores: Sequence[float], iou_threshold: float) -> list[Candidate]:
    """Drop candidates whose boxes overlap that of a better one by more than a threshold; best first."""
    return [candidates[i] for i in surviving([one.box for one in candidates], scores, iou_threshold)]


def surviving(boxes: Sequence[InclusiveBox], scores: Sequence[float], iou_threshold: float) -> Int[np.ndarray, " kept"]:
    """Choose the boxes that survive suppression, best first."""
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    # A float64 threshold makes numpy compare in float64, as torchvision does.
    return box_nms(corners, np.array(scores, np.float32), iou_threshold=np.float64(iou_threshold))


def box_area(box: CropBox) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


__all__ = [
    "Candidate",
    "Crop",
    "InclusiveBox",
    "are_good",
    "box_area",
    "clicks_at",
    "inclusive_box",
    "is_cut_off",
    "is_stable",
    "suppress",
    "surviving",
]
