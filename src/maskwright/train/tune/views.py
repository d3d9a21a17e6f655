"""`View`: a way to look at an example, whole or around a small object, as it is or mirrored; and what is seen there.

Models that look closer (`predict.closer`) see small objects on crops, so they are trained on such crops too. Which
views there are depends on the example alone: each is encoded once, whatever the epoch draws.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core import Image
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import box_xyxy, decode
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict.closer import CropBox, crop_around, is_worth_it
from maskwright.train.interaction import MASK_STRIDE
from maskwright.train.tune.examples import Example

LEAST_PIXELS = 12  # of a half-side mask; smaller remains are not asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`box` is the part of the picture that is seen, None for all; `masks` are the positions of those asked about."""

    example: Example
    box: CropBox | None
    mirrored: bool
    masks: tuple[int, ...]

    @property
    def key(self) -> str:
        """A name that no other view has, and that depends on pixels alone."""
        box = "" if self.box is None else ",".join(map(str, self.box))
        return f"{self.example.digest}/{box}{'/mirrored' if self.mirrored else ''}"

    def pixels(self, image: Image) -> UInt8[np.ndarray, "h w 3"]:
        """What is seen."""
        return np.ascontiguousarray(self._seen(image.pixels))

    def target(self, position: int, spec: FrameSpec) -> Bool[np.ndarray, "s s"]:
        """A mask as it lies in the model's frame, at half its side."""
        return _laid(self._seen(decode(self.example.masks[position].rle)), spec)

    def extent(self, spec: FrameSpec) -> Bool[np.ndarray, "s s"]:
        """Where the picture lies, in the same way; the rest of the frame is empty."""
        return _laid(self._seen(np.ones(self.example.masks[0].rle.size_hw, np.bool_)), spec)

    def _seen(self, pixels: np.ndarray) -> np.ndarray:
        if self.box is not None:
            x1, y1, x2, y2 = self.box
            pixels = pixels[y1:y2, x1:x2]
        return pixels[:, ::-1] if self.mirrored else pixels


def _laid(mask: Bool[np.ndarray, "h w"], spec: FrameSpec) -> Bool[np.ndarray, "s s"]:
    frame = ModelFrame.of((mask.shape[0], mask.shape[1]), spec)
    half = spec.side // MASK_STRIDE
    height, width = (max(1, n // MASK_STRIDE) for n in frame.input_hw)
    laid = np.zeros((half, half), np.bool_)
    resized = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    laid[:height, :width] = resized > 0.5
    return laid


def views_of(example: Example, *, mirror: bool, crops: int) -> Iterator[View]:
    """List the views of an example: whole, and around some small objects; each mirrored too if that is wanted."""
    everything = tuple(range(len(example.masks)))
    boxes: list[tuple[CropBox | None, tuple[int, ...]]] = [(None, everything), *_crops(example, crops)]
    for box, masks in boxes:
        for mirrored in (False, True) if mirror else (False,):
            yield View(example=example, box=box, mirrored=mirrored, masks=masks)


def closest_view(example: Example, position: int) -> View:
    """The view on which a model that looks closer would draw this mask: a crop around it if it is small."""
    box = crops_of_small(example).get(position)
    masks = (position,) if box is not None else tuple(range(len(example.masks)))
    return View(example=example, box=box, mirrored=False, masks=masks)


def crops_of_small(example: Example) -> dict[int, CropBox]:
    """The positions of masks that a crop shows much larger, and their crops."""
    boxes = {i: crop_around(box_xyxy(mask.rle), mask.rle.size_hw) for i, mask in enumerate(example.masks)}
    return {i: box for i, box in boxes.items() if is_worth_it(box, example.masks[i].rle.size_hw)}


def _crops(example: Example, most: int) -> list[tuple[CropBox, tuple[int, ...]]]:
    """Choose crops one by one, each to show as many small objects as may be that no other shows."""
    boxes = crops_of_small(example) if most else {}
    shown = {
        i: {j for j in boxes if j == i or _is_within(box_xyxy(example.masks[j].rle), box)} for i, box in boxes.items()
    }
    found: list[tuple[CropBox, tuple[int, ...]]] = []
    left = set(boxes)
    while left and len(found) < most:
        best = max(sorted(left), key=lambda i: len(shown[i] & left))
        found.append((boxes[best], tuple(sorted(shown[best]))))
        left -= shown[best]
    return found


def _is_within(box: BoxXYXY, crop: CropBox) -> bool:
    return box[0] >= crop[0] and box[1] >= crop[1] and box[2] <= crop[2] and box[3] <= crop[3]


__all__ = ["LEAST_PIXELS", "View", "closest_view", "crops_of_small", "views_of"]
