"""The Triton kernel that counts masks at full size without making them: pixels above three thresholds, and boxes.

A program takes a strip of one mask's image, interpolates each pixel from the logits it touches, through the model's
frame as SAM does, and adds what it counted to the mask's row of a table. The operations and their order are those of
the CPU's kernel (`masks/logits_kernel.py`), so the counts are too.

Imported only where Triton is; `masks_on_device.py` decides when. It is not in `nn`, whose functions the tests wrap with
checks of shapes: Triton cannot read a wrapped function.
"""

from typing import NamedTuple, no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Float32, Int32
from torch import Tensor

_ROWS, _COLUMNS, _STRIP = 8, 128, 128


@triton.jit
@no_type_check  # what checks types in tests would wrap what Triton reads
def _between(logits, i, j, left, right, u0, u1, v0, v1, w, inside):
    """Interpolate between four logits: rows i and j, columns left and right."""
    a = tl.load(logits + i * w + left, mask=inside, other=0)
    b = tl.load(logits + i * w + right, mask=inside, other=0)
    c = tl.load(logits + j * w + left, mask=inside, other=0)
    d = tl.load(logits + j * w + right, mask=inside, other=0)
    return tl.fma(u0, tl.fma(v0, a, v1 * b), u1 * tl.fma(v0, c, v1 * d))


@triton.jit
@no_type_check  # what checks types in tests would wrap what Triton reads
def _count(
    logits, table, frame_rows, frame_row_weights, frame_columns, frame_column_weights,
    image_rows, image_row_weights, image_columns, image_column_weights,
    height, width, frame_height, frame_width, h, w, strips_x, low, middle, high,
    TWICE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STRIP: tl.constexpr,
):  # fmt: skip
    mask_number = tl.program_id(1).to(tl.int64)
    strip = tl.program_id(0)
    logits += mask_number * h * w
    table += mask_number * 7
    x = strip % strips_x * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    is_column = x < width
    if TWICE:
        g0 = tl.load(image_columns + x, mask=is_column, other=0)
        g1 = tl.load(image_columns + width + x, mask=is_column, other=0)
        out_v0 = tl.load(image_column_weights + x, mask=is_column, other=0)
        out_v1 = tl.load(image_column_weights + width + x, mask=is_column, other=0)
    else:
        g0 = x
    l0 = tl.load(frame_columns + g0, mask=is_column, other=0)
    r0 = tl.load(frame_columns + frame_width + g0, mask=is_column, other=0)
    v00 = tl.load(frame_column_weights + g0, mask=is_column, other=0)
    v01 = tl.load(frame_column_weights + frame_width + g0, mask=is_column, other=0)
    if TWICE:
        l1 = tl.load(frame_columns + g1, mask=is_column, other=0)
        r1 = tl.load(frame_columns + frame_width + g1, mask=is_column, other=0)
        v10 = tl.load(frame_column_weights + g1, mask=is_column, other=0)
        v11 = tl.load(frame_column_weights + frame_width + g1, mask=is_column, other=0)

    area = tl.zeros([ROWS, COLUMNS], tl.int32)
    inner = tl.zeros([ROWS, COLUMNS], tl.int32)
    outer = tl.zeros([ROWS, COLUMNS], tl.int32)
    first = tl.full([ROWS, COLUMNS], 2147483647, tl.int32)
    last = tl.zeros([ROWS, COLUMNS], tl.int32)
    top = strip // strips_x * STRIP
    for step in range(0, STRIP, ROWS):
        y = top + step + tl.arange(0, ROWS)[:, None]
        is_row = y < height
        inside = is_row & is_column
        if TWICE:
            f0 = tl.load(image_rows + y, mask=is_row, other=0)
            f1 = tl.load(image_rows + height + y, mask=is_row, other=0)
            out_u0 = tl.load(image_row_weights + y, mask=is_row, other=0)
            out_u1 = tl.load(image_row_weights + height + y, mask=is_row, other=0)
        else:
            f0 = y
        i0 = tl.load(frame_rows + f0, mask=is_row, other=0)
        j0 = tl.load(frame_rows + frame_height + f0, mask=is_row, other=0)
        u00 = tl.load(frame_row_weights + f0, mask=is_row, other=0)
        u01 = tl.load(frame_row_weights + frame_height + f0, mask=is_row, other=0)
        value = _between(logits, i0, j0, l0, r0, u00, u01, v00, v01, w, inside)
        if TWICE:
            i1 = tl.load(frame_rows + f1, mask=is_row, other=0)
            j1 = tl.load(frame_rows + frame_height + f1, mask=is_row, other=0)
            u10 = tl.load(frame_row_weights + f1, mask=is_row, other=0)
            u11 = tl.load(frame_row_weights + frame_height + f1, mask=is_row, other=0)
            beside = _between(logits, i0, j0, l1, r1, u00, u01, v10, v11, w, inside)
            below = _between(logits, i1, j1, l0, r0, u10, u11, v00, v01, w, inside)
            across = _between(logits, i1, j1, l1, r1, u10, u11, v10, v11, w, inside)
            value = tl.fma(
                out_u0, tl.fma(out_v0, value, out_v1 * beside), out_u1 * tl.fma(out_v0, below, out_v1 * across)
            )
        is_set = inside & (value > middle)
        area += is_set.to(tl.int32)
        inner += (inside & (value > high)).to(tl.int32)
        outer += (inside & (value > low)).to(tl.int32)
        rows = y + tl.zeros([ROWS, COLUMNS], tl.int32)
        first = tl.minimum(first, tl.where(is_set, rows, 2147483647))
        last = tl.maximum(last, tl.where(is_set, rows + 1, 0))

    num_set = tl.sum(tl.sum(area, 1), 0)
    num_inner = tl.sum(tl.sum(inner, 1), 0)
    num_outer = tl.sum(tl.sum(outer, 1), 0)
    if num_inner > 0:
        tl.atomic_add(table + 1, num_inner)
    if num_outer > 0:
        tl.atomic_add(table + 2, num_outer)
    if num_set > 0:
        columns = x + tl.zeros([ROWS, COLUMNS], tl.int32)
        tl.atomic_add(table, num_set)
        tl.atomic_min(table + 3, tl.min(tl.min(tl.where(area > 0, columns, 2147483647), 1), 0))
        tl.atomic_min(table + 4, tl.min(tl.min(first, 1), 0))
        tl.atomic_max(table + 5, tl.max(tl.max(tl.where(area > 0, columns + 1, 0), 1), 0))
        tl.atomic_max(table + 6, tl.max(tl.max(last, 1), 0))


class Axis(NamedTuple):
    """One axis of the way from logits to the image, on a device (see `AxisMap`)."""

    frame_taps: Int32[Tensor, "2 _frame"]
    frame_weights: Float32[Tensor, "2 _frame"]
    image_taps: Int32[Tensor, "2 _image"]
    image_weights: Float32[Tensor, "2 _image"]


def count(
    logits: Float[Tensor, "Q h w"], rows: Axis, columns: Axis, thresholds: tuple[float, float, float]
) -> Int32[Tensor, "Q 7"]:
    """Count the pixels above the middle, the high and the low threshold (low, middle, high), and find the box."""
    Q, h, w = logits.shape
    height, width = rows.image_taps.shape[1], columns.image_taps.shape[1]
    table = torch.zeros(Q, 7, dtype=torch.int32, device=logits.device)
    table[:, 3], table[:, 4] = width, height
    strips_x = triton.cdiv(width, _COLUMNS)
    grid = (strips_x * triton.cdiv(height, _STRIP), Q)
    frame_hw = (rows.frame_taps.shape[1], columns.frame_taps.shape[1])
    with torch.cuda.device_of(logits):
        _count[grid](
            logits, table, rows.frame_taps, rows.frame_weights, columns.frame_taps, columns.frame_weights,
            rows.image_taps, rows.image_weights, columns.image_taps, columns.image_weights,
            height, width, *frame_hw, h, w, strips_x, *thresholds,
            TWICE=frame_hw != (height, width), ROWS=_ROWS, COLUMNS=_COLUMNS, STRIP=_STRIP,
        )  # fmt: skip
    table[:, 3:] *= table[:, :1] > 0
    return table


__all__ = ["Axis", "count"]
