"""The model's frame: a square picture of side S, the image resized into its top left corner and padded with zeros.

`FrameSpec` says how a model wants its frame; `ModelFrame` is one image's way into it and back. Points are scaled per
axis by the rounded size, exactly as Meta's `ResizeLongestSide` does.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.core.shapes import SizeHW
from maskwright.models.pillow_resize import PillowResize, by_pillow, upload

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSpec:
    """Side of the frame, side of the low-resolution logits, and per-channel mean and standard deviation in 0..255."""

    side: int = 1024
    logits_side: int = 256
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFrame:
    """How one image of `size_hw` lies in a model's frame: resized to `input_hw`, at the top left, zeros elsewhere."""

    size_hw: SizeHW
    input_hw: SizeHW
    spec: FrameSpec

    @classmethod
    def of(cls, size_hw: SizeHW, spec: FrameSpec) -> "ModelFrame":
        """Place an image: its longer side becomes the frame's side."""
        height, width = size_hw
        scale = spec.side / max(height, width)
        # A sliver of less than half a pixel would vanish; the reference fails there, we keep one row.
        resized = (max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))
        return cls(size_hw=size_hw, input_hw=resized, spec=spec)

    @property
    def logits_hw(self) -> SizeHW:
        """How much of the low-resolution logits lies on the image, rounded up."""
        scale = self.spec.logits_side / self.spec.side
        return math.ceil(self.input_hw[0] * scale), math.ceil(self.input_hw[1] * scale)

    def points_to_model(self, points_xy: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Map image pixels to frame pixels."""
        return np.asarray(points_xy, np.float64) * self._scale_xy()

    def points_to_image(self, points_model: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Map frame pixels to image pixels."""
        return np.asarray(points_model, np.float64) / self._scale_xy()

    def _scale_xy(self) -> Float[np.ndarray, " 2"]:
        (height, width), (h, w) = self.size_hw, self.input_hw
        return np.array([w / width, h / height])

    def resize(self, pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """Resize with Pillow's antialiased bilinear filter on uint8, as the official checkpoints were run."""
        return pixels if pixels.shape[:2] == self.input_hw else by_pillow(pixels, self.input_hw)

    def pixels_to_model(
        self, pixels: UInt8[np.ndarray, "H W 3"], device: torch.device | str
    ) -> Float[Tensor, "1 3 S S"]:
        """Resize, normalise and pad one image, on `device`; a GPU resizes by itself, to the same pixels."""
        place = torch.device(device)
        on_gpu = place.type == "cuda"
        resized = _ON_GPU(pixels, self.input_hw, place) if on_gpu else upload(self.resize(pixels), place)
        mean, std = _normalisation(self.spec, place)
        frame = torch.zeros(1, 3, self.spec.side, self.spec.side, device=place)
        h, w = self.input_hw
        frame[0, :, :h, :w] = ((resized.float() - mean) / std).permute(2, 0, 1)
        return frame


_ON_GPU = PillowResize()


@functools.lru_cache(maxsize=16)
def _normalisation(spec: FrameSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation where they are needed: to bring them anew would wait for all that the GPU does."""
    return torch.tensor(spec.mean, device=device), torch.tensor(spec.std, device=device)


__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "FrameSpec", "ModelFrame"]
