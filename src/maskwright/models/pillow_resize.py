"""Pillow's antialiased bilinear resize of 8-bit pictures in integers, on any device: the same pixels to the last bit.

Pillow filters along one axis, rounds to 8 bits, then filters along the other; weights are integers of 22 bits. So does
this, a weight at a time, which a GPU does in less time than the picture takes to get there. Which axis is first depends
on the sizes, and since Pillow 13 on more than before, so the first picture of each size is resized by Pillow itself and
tells; where no order gives Pillow's pixels, Pillow goes on. Source of the weights: Pillow's Resample.c.
"""

import functools

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image as PillowImage
from torch import Tensor

from maskwright.core.shapes import SizeHW

_BITS = 22
_MOST_SIZES = 4096  # whose order is remembered


_Order = tuple[int, int]
_ORDERS: tuple[_Order, ...] = ((1, 0), (0, 1))


class PillowResize:
    """Resizes pictures on a device as Pillow does. Thread-safe: what two threads learn is the same."""

    def __init__(self) -> None:
        self._orders: dict[tuple[SizeHW, SizeHW], _Order | None] = {}

    def __call__(
        self, pixels: UInt8[np.ndarray, "H W 3"], size_hw: SizeHW, device: torch.device
    ) -> UInt8[Tensor, "h w 3"]:
        """Resize to `size_hw`, on `device`."""
        height, width = pixels.shape[:2]
        if (height, width) == size_hw:
            return upload(pixels, device)
        sizes = ((height, width), size_hw)
        order = self._orders.get(sizes)
        if order is not None:
            return filter_axes(upload(pixels, device), size_hw, order)
        resized = upload(by_pillow(pixels, size_hw), device)
        if sizes not in self._orders and len(self._orders) < _MOST_SIZES:
            self._learn(sizes, upload(pixels, device), resized)
        return resized

    def _learn(self, sizes: tuple[SizeHW, SizeHW], pixels: Tensor, resized: Tensor) -> None:
        """Remember which order gives Pillow's pixels; a picture that cannot tell leaves it to the next."""
        fits = [order for order in _ORDERS if torch.equal(filter_axes(pixels, sizes[1], order), resized)]
        is_one_axis = sizes[0][0] == sizes[1][0] or sizes[0][1] == sizes[1][1]
        if len(fits) < 2 or is_one_axis:
            self._orders[sizes] = fits[0] if fits else None


def by_pillow(pixels: UInt8[np.ndarray, "H W 3"], size_hw: SizeHW) -> UInt8[np.ndarray, "h w 3"]:
    """Resize with Pillow."""
    h, w = size_hw
    return np.asarray(PillowImage.fromarray(pixels).resize((w, h), PillowImage.Resampling.BILINEAR))


def filter_axes(pixels: UInt8[Tensor, "H W 3"], size_hw: SizeHW, order: _Order) -> UInt8[Tensor, "h w 3"]:
    """Filter along one axis, then along the other, where the pixels lie."""
    for axis in order:
        if pixels.shape[axis] != size_hw[axis]:
            pixels = _filter(pixels, size_hw[axis], axis)
    return pixels


def upload(pixels: UInt8[np.ndarray, "H W 3"], device: torch.device) -> UInt8[Tensor, "H W 3"]:
    """Bring pixels to a device. A GPU takes them from pinned memory beside its other work, and nobody waits."""
    if device.type != "cuda":
        return torch.from_numpy(np.array(pixels)).to(device)
    pinned = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=True)
    pinned.numpy()[:] = pixels
    uploads, work = _upload_stream(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(uploads):
        there = pinned.to(device, non_blocking=True)
    work.wait_stream(uploads)
    there.record_stream(work)
    return there


@functools.cache
def _upload_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _filter(pixels: Tensor, size: int, axis: int) -> Tensor:
    first, weights = _weights(pixels.shape[axis], size, pixels.device)
    last = pixels.shape[axis] - 1
    out = torch.tensor(1 << (_BITS - 1), dtype=torch.int32)  # half, to round; a number, so nothing is uploaded
    for i, weight in enumerate(weights):
        taken = pixels.index_select(axis, (first + i).clamp_(max=last))
        out = out + taken * (weight[:, None] if axis else weight[:, None, None])
    return (out >> _BITS).clamp_(0, 255).to(torch.uint8)


@functools.lru_cache(maxsize=64)
def _weights(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each output: the first input that it takes, and the weights of the inputs from there, one row a step."""
    scale = length / size
    reach = max(scale, 1.0)
    centre = (np.arange(size) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    behind = np.minimum((centre + reach + 0.5).astype(np.int64), length)
    steps = []
    total = np.zeros(size)
    for i in range(int((behind - first).max())):
        weight = np.maximum(1 - np.abs((i + first - centre + 0.5) * (1 / reach)), 0)
        steps.append(np.where(first + i < behind, weight, 0))
        total = total + steps[-1]  # one after another, as Pillow adds: its last bit decides a rounding
    weights = np.stack([(0.5 + step / total * (1 << _BITS)).astype(np.int32) for step in steps])
    return torch.from_numpy(first).to(device), torch.from_numpy(weights).to(device)


__all__ = ["PillowResize", "by_pillow", "filter_axes", "upload"]
