"""The Triton kernel of attention over a grid or its windows, with decomposed relative positions.

A program holds one tile of one window's queries, for one head, and meets the keys block by block with the running
softmax of Dao et al., "FlashAttention" (2022), so neither scores nor biases are ever a map in memory. Queries, keys and
values are read where the projection left them and results are written where the next one reads them: no copy into
windows or into heads. Beyond the grid lie the keys and values of zero tokens, as published: the projection's bias.

Imported only where Triton is; `fused_attention.py` decides when.
"""

from typing import NamedTuple, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

_LOG2E = tl.constexpr(1.4426950408889634)
_SMALL = 16  # sides up to this: their biases are added by the matrix product, keys as ones in rows and columns


class Blocks(NamedTuple):
    """How the kernel is cut: queries of a program, keys of a step, warps of a program, loads in flight."""

    queries: int
    keys: int
    warps: int
    stages: int


@triton.jit
@no_type_check  # what checks types in tests would wrap what Triton reads
def _attend(
    qkv, zero, near, out, height, width, windows_x, num_tokens, scale, tiles,
    HEADS: tl.constexpr, C: tl.constexpr, MAIN: tl.constexpr, REST: tl.constexpr,
    SIDE_H: tl.constexpr, SIDE_W: tl.constexpr, NEAR: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BY_ROWS: tl.constexpr, IS_CUT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    tile = program % tiles
    head = program // tiles % HEADS
    window = program // (tiles * HEADS)
    per_image = windows_x * tl.cdiv(height, SIDE_H)
    image = window // per_image
    top = window % per_image // windows_x * SIDE_H
    left = window % windows_x * SIDE_W
    rows_here = tl.minimum(SIDE_H, height - top)
    columns_here = tl.minimum(SIDE_W, width - left)
    if tile * BLOCK_M >= rows_here * columns_here:
        return

    first = image.to(tl.int64) * height * width
    qkv += first * (3 * HEADS * C) + head * C
    zero += head * C
    near += (head.to(tl.int64) * num_tokens + first) * NEAR
    out += first * (HEADS * C) + head * C

    place = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    is_query = place < rows_here * columns_here
    query_y, query_x = place // columns_here, place % columns_here
    query = (top + query_y) * width + left + query_x
    c = tl.arange(0, MAIN)
    in_main = c < C
    q = tl.load(qkv + query[:, None] * (3 * HEADS * C) + c[None, :], mask=is_query[:, None] & in_main[None, :], other=0)
    sums = tl.zeros([BLOCK_M, MAIN], tl.float32)
    if REST:
        d = MAIN + tl.arange(0, REST)
        in_rest = d < C
        q_rest = tl.load(
            qkv + query[:, None] * (3 * HEADS * C) + d[None, :], mask=is_query[:, None] & in_rest[None, :], other=0
        )
        sums_rest = tl.zeros([BLOCK_M, REST], tl.float32)

    # `near` holds a query's product with each relative position: rows first, then columns.
    above = near + query * NEAR + query_y + (SIDE_H - 1)
    beside = near + query * NEAR + (2 * SIDE_H - 1) + query_x + (SIDE_W - 1)
    n = tl.arange(0, BLOCK_N)
    if BY_ROWS:
        at_columns = tl.load(beside[:, None] - n[None, :], mask=is_query[:, None] & (n < SIDE_W)[None, :], other=0)
        at_columns = at_columns.to(tl.float32) * _LOG2E
    else:
        r = tl.arange(0, 32)
        is_row = r < 16
        pointers = tl.where(is_row[None, :], above[:, None] - r[None, :], beside[:, None] - (r - 16)[None, :])
        is_side = tl.where(is_row, r < SIDE_H, r - 16 < SIDE_W)
        at_both = tl.load(pointers, mask=is_query[:, None] & is_side[None, :], other=0)

    best = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    for start in range(0, SIDE_H * BLOCK_N if BY_ROWS else SIDE_H * SIDE_W, BLOCK_N):
        if BY_ROWS:
            key_y, key_x = start // BLOCK_N + n * 0, n
            is_key = n < SIDE_W
        else:
            key_y, key_x = (start + n) // SIDE_W, (start + n) % SIDE_W
            is_key = start + n < SIDE_H * SIDE_W
        is_real = is_key
        if IS_CUT:
            is_real = is_key & (top + key_y < height) & (left + key_x < width)
        key = qkv + ((top + key_y) * width + left + key_x) * (3 * HEADS * C) + HEADS * C
        if IS_CUT:
            key = tl.where(is_real, key, zero + HEADS * C)
        k = tl.load(key[:, None] + c[None, :], mask=is_key[:, None] & in_main[None, :], other=0)
        v = tl.load(key[:, None] + (HEADS * C + c)[None, :], mask=is_key[:, None] & in_main[None, :], other=0)
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
        if REST:
            k_rest = tl.load(key[:, None] + d[None, :], mask=is_key[:, None] & in_rest[None, :], other=0)
            v_rest = tl.load(key[:, None] + (HEADS * C + d)[None, :], mask=is_key[:, None] & in_rest[None, :], other=0)
            scores = tl.dot(q_rest, tl.trans(k_rest), scores, input_precision=PRECISION)
        if BY_ROWS:
            at_row = tl.load(above - start // BLOCK_N, mask=is_query, other=0).to(tl.float32) * _LOG2E
            scores = scores * (scale * _LOG2E) + (at_columns + at_row[:, None])
        else:
            wanted = tl.where(is_row, r, r - 16)
            ones = tl.where(is_row[:, None], key_y[None, :], key_x[None, :]) == wanted[:, None]
            bias = tl.dot(at_both, ones.to(at_both.dtype), input_precision=PRECISION)
            scores = scores * (scale * _LOG2E) + bias * _LOG2E
        if not BY_ROWS or SIDE_W < BLOCK_N:
            scores = tl.where(is_key[None, :], scores, float("-inf"))
        now_best = tl.maximum(best, tl.max(scores, 1))
        share = tl.exp2(scores - now_best[:, None])
        less = tl.exp2(best - now_best)
        total = total * less + tl.sum(share, 1)
        share = share.to(v.dtype)
        sums = tl.dot(share, v, sums * less[:, None], input_precision=PRECISION)
        if REST:
            sums_rest = tl.dot(share, v_rest, sums_rest * less[:, None], input_precision=PRECISION)
        best = now_best

    written = out + query[:, None] * (HEADS * C)
    kind = out.dtype.element_ty
    tl.store(written + c[None, :], (sums / total[:, None]).to(kind), mask=is_query[:, None] & in_main[None, :])
    if REST:
        at_rest = is_query[:, None] & in_rest[None, :]
        tl.store(written + d[None, :], (sums_rest / total[:, None]).to(kind), mask=at_rest)


def constants(width: int, num_heads: int, side_h: int, side_w: int, grid_hw: tuple[int, int]) -> dict[str, object]:
    """What a compiled kernel is made for, besides its blocks; `width` is a head's."""
    main = max(16, 1 << (width.bit_length() - 1))
    rest = max(16, 1 << (width - main - 1).bit_length()) if width > main else 0
    return {
        "HEADS": num_heads,
        "C": width,
        "MAIN": main,
        "REST": rest,
        "SIDE_H": side_h,
        "SIDE_W": side_w,
        "NEAR": 2 * (side_h + side_w),
        "BY_ROWS": max(side_h, side_w) > _SMALL,
        "IS_CUT": grid_hw[0] % side_h != 0 or grid_hw[1] % side_w != 0,
        "PRECISION": "ieee",
    }


def keys_of_a_row(side_w: int) -> int:
    """The keys of a step where a step is a row of keys: a power of two."""
    return max(16, 1 << (side_w - 1).bit_length())


def attend(qkv: Tensor, zero: Tensor, near: Tensor, num_heads: int, side_h: int, side_w: int, blocks: Blocks) -> Tensor:
    """Attend within windows of side_h x side_w cells; `near` is (heads, cells, 2 * (side_h + side_w))."""
    B, h, w, E = qkv.shape
    c = E // (3 * num_heads)
    known = constants(c, num_heads, side_h, side_w, (h, w))
    out = qkv.new_empty(B, h, w, num_heads * c)
    windows_y, windows_x = -(-h // side_h), -(-w // side_w)
    tiles = -(-side_h * side_w // blocks.queries)
    grid = (tiles * num_heads * windows_y * windows_x * B,)
    with torch.cuda.device_of(qkv):
        _attend[grid](
            qkv, zero, near, out, h, w, windows_x, B * h * w, c**-0.5, tiles,
            **known,
            BLOCK_M=blocks.queries,
            BLOCK_N=keys_of_a_row(side_w) if known["BY_ROWS"] else blocks.keys,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
        )  # fmt: skip
    return out


__all__ = ["Blocks", "attend", "constants", "keys_of_a_row"]
