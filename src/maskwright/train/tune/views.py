"""`View`: a way to look at an example, whole or around a small object, as it is or mirrored; and what is seen there.

Models that look closer (`predict.closer`) see small objects on crops, so they are trained on such crops too. Which
views there are depends on the example alone: each is encoded once, whatever the epoch draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core import Image
from maskwright.masks import box_xyxy, decode
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict.closer import CropBox, crop_around, is_worth_it
from maskwright.train.interaction import MASK_STRIDE
from maskwright.train.tune.examples import Example, ExampleMask

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
    boxes: list[tuple[CropBox | None, tuple[int, ...]]] = [(None, everything)]
    boxes += [(box, (i,)) for i, box in _small(example.masks, crops)]
    for box, masks in boxes:
        for mirrored in (False, True) if mirror else (False,):
            yield View(example=example, box=box, mirrored=mirrored, masks=masks)


def _small(masks: Sequence[ExampleMask], most: int) -> list[tuple[int, CropBox]]:
    """The masks that a crop shows much larger, and their crops: spread over all of them where they are too many."""
    found: list[tuple[int, CropBox]] = []
    for i, mask in enumerate(masks) if most else ():
        box = crop_around(box_xyxy(mask.rle), mask.rle.size_hw)
        if is_worth_it(box, mask.rle.size_hw):
            found.append((i, box))
    chosen = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    return [found[i] for i in chosen]


__all__ = ["LEAST_PIXELS", "View", "views_of"]
