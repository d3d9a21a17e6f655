"""Masks drawn where their logits are: what `masks_from_logits` does on a CPU, for many masks on a GPU.

Full-size logits are made a few masks at a time and only counted and compared; what leaves the device is where runs
begin and end. The pixels are those of torch's two resizes on that device. A GPU rounds some products otherwise than a
CPU, so a pixel whose logit is within rounding of the threshold may fall either way; on a CPU every byte is that of
the kernel for single candidates.
"""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.masks.logits_kernel import Canvas, DrawnMask, LogitsMap, rle_from_edges
from maskwright.models.frame import ModelFrame
from maskwright.nn.mask_ops import mask_boxes
from maskwright.predict.upscale import upscale_logits

if TYPE_CHECKING:
    from maskwright.predict.count_kernel import Axis

# Full-size logits that are made at once: 256 MB of the frame, as much of the image, and a quarter for each comparison.
_PIXELS_AT_ONCE = 64 << 20


def count_on_device(
    logits: Float[Tensor, "Q h w"], frame: ModelFrame, threshold: float, *, stability_offset: float = 0.0
) -> Int[Tensor, "Q 7"]:
    """Count pixels of each mask, those above the higher and the lower threshold, and find its box.

    Nothing waits for the device. Where Triton is, one kernel does it all, and full-size logits are not made.
    """
    if logits.is_cuda and len(logits) and _has_triton():
        from maskwright.predict.count_kernel import count

        thresholds = (threshold - stability_offset, threshold, threshold + stability_offset)
        return count(logits.float().contiguous(), *_axes(frame, logits.device), thresholds)
    tables = [_count(full, threshold, stability_offset) for full in _enlarged(logits, frame)]
    return torch.cat(tables) if tables else torch.zeros(0, 7, dtype=torch.int32, device=logits.device)


def draw_on_device(
    logits: Float[Tensor, "Q h w"],
    frame: ModelFrame,
    threshold: float = 0.0,
    *,
    stability_offset: float = 0.0,
    canvas: Canvas | None = None,
) -> list[DrawnMask]:
    """Draw masks as RLE; waits for the device once for some dozens of masks."""
    canvas = canvas or Canvas(size_hw=frame.size_hw)
    drawn: list[DrawnMask] = []
    for full in _enlarged(logits, frame):
        table = _count(full, threshold, stability_offset)
        edges, length = _edges(full > threshold, canvas)
        drawn += _drawn(table.cpu().numpy(), edges.cpu().numpy(), length, canvas, full.shape[1:])
    return drawn


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@lru_cache(maxsize=32)
def _axes(frame: ModelFrame, device: torch.device) -> "tuple[Axis, Axis]":
    """Put the kernel's taps and weights on a device; the images of a camera share them."""
    from maskwright.predict.count_kernel import Axis

    way = LogitsMap.of(
        logits_side=frame.spec.logits_side, side=frame.spec.side, input_hw=frame.input_hw, size_hw=frame.size_hw
    )
    rows, columns = (
        Axis(*(torch.from_numpy(getattr(axis, name)).to(device) for name in Axis._fields))
        for axis in (way.rows, way.columns)
    )
    return rows, columns


def _enlarged(logits: Float[Tensor, "Q h w"], frame: ModelFrame) -> Iterator[Float[Tensor, "q H W"]]:
    height, width = frame.size_hw
    most = max(1, _PIXELS_AT_ONCE // max(height * width, frame.spec.side**2))
    for some in logits.detach().float().split(most) if len(logits) else ():
        yield upscale_logits(some[None], frame)[0]


def _count(full: Float[Tensor, "q H W"], threshold: float, offset: float) -> Int[Tensor, "q 7"]:
    masks = full > threshold
    area = _pixels(masks)
    inner, outer = (_pixels(full > threshold + by) if offset else area for by in (offset, -offset))
    return torch.cat([torch.stack([area, inner, outer], 1), mask_boxes(masks)], 1).int()


def _pixels(masks: Tensor) -> Int[Tensor, " q"]:
    return masks.sum((1, 2), dtype=torch.int32)


def _edges(masks: Tensor, canvas: Canvas) -> tuple[Int[Tensor, " E"], int]:
    """Find where runs begin and end, counted column by column through all masks, and how long one mask is.

    Columns that do not fill the canvas have one more pixel, which is not set: runs end there.
    """
    columns = masks.transpose(1, 2)
    rows = F.pad(columns, (0, 0 if masks.shape[1] == canvas.size_hw[0] else 1)).flatten(1)
    before = F.pad(rows, (1, 0))[:, :-1]
    return (rows != before).flatten().nonzero()[:, 0].int(), rows.shape[1]


def _drawn(
    table: Int[np.ndarray, "q 7"], edges: Int[np.ndarray, " E"], length: int, canvas: Canvas, size_hw: Sequence[int]
) -> Iterator[DrawnMask]:
    bounds = np.searchsorted(edges, np.arange(len(table) + 1, dtype=np.int64) * length)
    for i, (area, num_inner, num_outer, x1, y1, x2, y2) in enumerate(table.tolist()):
        own = edges[bounds[i] : bounds[i + 1]].astype(np.int64) - i * length
        if len(own) % 2:  # the last run ends with the mask
            own = np.append(own, length)
        column, row = np.divmod(own, length // size_hw[1])
        x, y = (canvas.x, canvas.y) if area else (0, 0)
        yield DrawnMask(
            rle=rle_from_edges((column + canvas.x) * canvas.size_hw[0] + row + canvas.y, canvas.size_hw),
            area=area,
            box_xyxy=(float(x1 + x), float(y1 + y), float(x2 + x), float(y2 + y)),
            num_inner=num_inner,
            num_outer=num_outer,
        )


__all__ = ["count_on_device", "draw_on_device"]
