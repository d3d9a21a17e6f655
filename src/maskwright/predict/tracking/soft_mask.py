"""`SoftMask`: how much of each pixel an object covers, on the grid of optical flow, kept where it is not zero.

A mask that is carried from frame to frame is resampled each time. Shares of pixels survive that, bits would crumble;
and most objects are small, so only the part around the object is kept and moved.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright.core import RLE, SizeHW
from maskwright.masks import empty_mask, encode, paste

_FAINT = 0.02  # what covers less of a pixel is let go
_MARGIN = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoftMask:
    """Shares 0 to 1 in `values`, whose top left corner is at `x`, `y` of a grid of `grid_hw`; zero elsewhere."""

    values: Float[np.ndarray, "h w"]
    x: int
    y: int
    grid_hw: SizeHW

    @classmethod
    def of(cls, grid: Float[np.ndarray, "H W"]) -> "SoftMask":
        """Keep what is there of a whole grid."""
        there = cv2.boundingRect((grid > _FAINT).astype(np.uint8))
        x, y, w, h = there
        values = np.ascontiguousarray(grid[y : y + h, x : x + w], np.float32)
        return cls(values=values, x=x, y=y, grid_hw=(grid.shape[0], grid.shape[1]))

    @classmethod
    def of_bits(cls, mask: Bool[np.ndarray, "H W"], grid_hw: SizeHW) -> "SoftMask":
        """Lay a mask of the image on the grid."""
        (y1, y2, top, bottom), (x1, x2, left, right) = _whole_blocks(mask, grid_hw)
        part = mask[y1:y2, x1:x2].astype(np.float32)
        on_grid = cls.of(cv2.resize(part, (right - left, bottom - top), interpolation=cv2.INTER_AREA))
        return cls(values=on_grid.values, x=left + on_grid.x, y=top + on_grid.y, grid_hw=grid_hw)

    @classmethod
    def nothing(cls, grid_hw: SizeHW) -> "SoftMask":
        """Cover nothing."""
        return cls(values=np.zeros((0, 0), np.float32), x=0, y=0, grid_hw=grid_hw)

    @property
    def area(self) -> float:
        """The sum of all shares, in pixels of the grid."""
        return float(self.values.sum())

    @property
    def touches_edge(self) -> bool:
        """Whether the mask reaches the edge of the picture."""
        h, w = self.values.shape
        height, width = self.grid_hw
        return bool(self.values.size) and (
            self.x <= 1 or self.y <= 1 or self.x + w >= width - 1 or self.y + h >= height - 1
        )

    def grid(self) -> Float[np.ndarray, "H W"]:
        """The whole grid."""
        full = np.zeros(self.grid_hw, np.float32)
        h, w = self.values.shape
        full[self.y : self.y + h, self.x : self.x + w] = self.values
        return full

    def carried(self, backward: Float[np.ndarray, "H W 2"], reach: float) -> "SoftMask":
        """Move along a flow that says for each pixel of the new frame where it was, at most `reach` pixels away."""
        h, w = self.values.shape
        if not self.values.size:
            return self
        height, width = self.grid_hw
        far = int(np.ceil(reach)) + _MARGIN
        x1, y1 = max(0, self.x - far), max(0, self.y - far)
        x2, y2 = min(width, self.x + w + far), min(height, self.y + h + far)
        flow = backward[y1:y2, x1:x2]
        moved = cv2.remap(
            self.values,
            flow[..., 0] + np.arange(x1, x2, dtype=np.float32) - np.float32(self.x),
            flow[..., 1] + np.arange(y1, y2, dtype=np.float32)[:, None] - np.float32(self.y),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        left, top, across, down = cv2.boundingRect((moved > _FAINT).astype(np.uint8))
        values = np.ascontiguousarray(moved[top : top + down, left : left + across])
        return SoftMask(values=values, x=x1 + left, y=y1 + top, grid_hw=self.grid_hw)

    def rle(self, size_hw: SizeHW) -> RLE:
        """The pixels of the image that are covered by half or more; drawn bilinearly, on the part around the object."""
        height, width = size_hw
        if not self.values.size:
            return empty_mask(size_hw)
        down, across = height / self.grid_hw[0], width / self.grid_hw[1]
        h, w = self.values.shape
        x1, y1 = max(0, int((self.x - 1) * across)), max(0, int((self.y - 1) * down))
        x2 = min(width, int(np.ceil((self.x + w + 1) * across)))
        y2 = min(height, int(np.ceil((self.y + h + 1) * down)))
        xs = ((np.arange(x1, x2) + 0.5) / across - 0.5 - self.x).astype(np.float32)
        ys = ((np.arange(y1, y2) + 0.5) / down - 0.5 - self.y).astype(np.float32)
        padded = cv2.copyMakeBorder(self.values, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        if self.x == 0 or self.y == 0 or self.x + w == self.grid_hw[1] or self.y + h == self.grid_hw[0]:
            padded = _continued(padded, self)
        drawn = cv2.remap(padded, *np.meshgrid(xs + 1, ys + 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return paste(encode(drawn >= 0.5), size_hw, at_xy=(x1, y1))


_Stretch = tuple[int, int, int, int]


def _whole_blocks(mask: Bool[np.ndarray, "H W"], grid_hw: SizeHW) -> tuple[_Stretch, _Stretch]:
    """Find the part of an image that its mask lies in, and of the grid, down and across: first and last of both.

    Both ends lie where pixels of the image and of the grid meet, so that shrinking the part is shrinking the whole.
    """
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return _blocks(y, y + h, mask.shape[0], grid_hw[0]), _blocks(x, x + w, mask.shape[1], grid_hw[1])


def _blocks(first: int, last: int, length: int, grid_length: int) -> _Stretch:
    num_blocks = math.gcd(length, grid_length)
    pixels, cells = length // num_blocks, grid_length // num_blocks
    begin = min(first // pixels, num_blocks - 1)
    end = max(begin + 1, -(-last // pixels))
    return begin * pixels, end * pixels, begin * cells, end * cells


def _continued(padded: Float[np.ndarray, "h w"], mask: SoftMask) -> Float[np.ndarray, "h w"]:
    """Let a mask that reaches the edge of the picture go on beyond it, so that the last pixels are drawn."""
    h, w = mask.values.shape
    if mask.x == 0:
        padded[:, 0] = padded[:, 1]
    if mask.x + w == mask.grid_hw[1]:
        padded[:, -1] = padded[:, -2]
    if mask.y == 0:
        padded[0] = padded[1]
    if mask.y + h == mask.grid_hw[0]:
        padded[-1] = padded[-2]
    return padded


__all__ = ["SoftMask"]
