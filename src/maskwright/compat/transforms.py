"""`ResizeLongestSide`: into the model's frame and back, under Meta's name and signatures."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped, UInt8
from PIL import Image as PillowImage
from torch import Tensor

from maskwright.models.frame import FrameSpec, ModelFrame


class ResizeLongestSide:
    """Resizes images so that the longer side is `target_length`, and moves points and boxes along.

    Source: segment_anything.utils.transforms. Differs for slivers: a side never vanishes.
    """

    def __init__(self, target_length: int) -> None:
        self.target_length = target_length

    def apply_image(self, image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "h w C"]:
        """Resize with Pillow's antialiased bilinear filter, the one the checkpoints were run with."""
        height, width = self.get_preprocess_shape(image.shape[0], image.shape[1], self.target_length)
        picture = PillowImage.fromarray(np.ascontiguousarray(image))
        return np.array(picture.resize((width, height), PillowImage.Resampling.BILINEAR))

    def apply_coords(
        self, coords: Shaped[np.ndarray, "*N 2"], original_size: Sequence[int]
    ) -> Float[np.ndarray, "*N 2"]:
        """Move x, y from an image of `original_size` (height, width) into the frame."""
        return coords.astype(float) * np.array(self._scale_xy(original_size))

    def apply_boxes(self, boxes: Shaped[np.ndarray, "N 4"], original_size: Sequence[int]) -> Float[np.ndarray, "N 4"]:
        """Move boxes x1, y1, x2, y2 into the frame."""
        return self.apply_coords(boxes.reshape(-1, 2, 2), original_size).reshape(-1, 4)

    def apply_image_torch(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        """Resize on the image's device; close to `apply_image`, not equal to it."""
        size = self.get_preprocess_shape(image.shape[2], image.shape[3], self.target_length)
        return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)

    def apply_coords_torch(self, coords: Shaped[Tensor, "*N 2"], original_size: Sequence[int]) -> Float[Tensor, "*N 2"]:
        """Move x, y into the frame, as float32."""
        return coords.to(torch.float32) * torch.tensor(self._scale_xy(original_size), device=coords.device)

    def apply_boxes_torch(self, boxes: Shaped[Tensor, "N 4"], original_size: Sequence[int]) -> Float[Tensor, "N 4"]:
        """Move boxes into the frame, as float32."""
        return self.apply_coords_torch(boxes.reshape(-1, 2, 2), original_size).reshape(-1, 4)

    @staticmethod
    def get_preprocess_shape(oldh: int, oldw: int, long_side_length: int) -> tuple[int, int]:
        """Say which (height, width) an image has in the frame."""
        return ModelFrame.of((oldh, oldw), FrameSpec(side=long_side_length)).input_hw

    def _scale_xy(self, original_size: Sequence[int]) -> tuple[float, float]:
        old_h, old_w = original_size
        new_h, new_w = self.get_preprocess_shape(old_h, old_w, self.target_length)
        return new_w / old_w, new_h / old_h


__all__ = ["ResizeLongestSide"]
