"""Attention over a grid or its windows on a processor, with decomposed relative positions.

A task is one head of one window, or a part of its queries. A block of queries meets the keys some rows of the grid at a
time, with the running softmax of Dao et al., "FlashAttention" (2022): scores stay in the second cache between the two
products, the biases are added where the largest score is looked for, and nothing is copied into windows or heads.
Beyond the grid lie the keys and values of zero tokens, as published: the projection's bias.

Rows of keys are filled up to whole tiles; what is filled in weighs nothing. Imported only where `fused_attention.py`
takes it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import no_type_check

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskwright.core.compiled import compiled
from maskwright.nn.cpu_tiles import COLUMNS, FAST, ROWS, exp, larger, multiply

_QUERIES = 16 * ROWS  # of a block
_KEYS = 256  # of a step, where a row has no more: scores of a block take 100 KiB
_GAP = 16  # numbers between rows of scores, so that they do not fall on the same places of a cache
_LOWEST = np.float32(-1e30)


def attend(
    qkv: Tensor, zero: Tensor, table_h: Tensor, table_w: Tensor, num_heads: int, side_h: int, side_w: int
) -> Tensor:
    """Attend as `attend_over_grid` says."""
    B, h, w, E = qkv.shape
    heads = B * -(-h // side_h) * -(-w // side_w) * num_heads
    blocks = -(-side_h * side_w // _QUERIES)
    parts = min(blocks, -(-2 * torch.get_num_threads() // heads))
    per_part = -(-blocks // parts) * _QUERIES
    out = qkv.new_empty(B, h, w, E // 3)
    tables = torch.cat([_panels(table_h.flip(0)), _panels(table_w.flip(0))])
    given = qkv.numpy(), zero.contiguous().numpy(), tables.numpy(), out.numpy(), num_heads, side_h, side_w

    def one(task: int) -> None:
        _attend(*given, task // parts, task % parts * per_part, (task % parts + 1) * per_part)

    _in_threads(one, heads * parts)
    return out


def _in_threads(do: Callable[[int], None], count: int) -> None:
    """Do 0 to `count` - 1 in as many threads as PyTorch has; they are made for the call, since a pool does not survive
    a fork.
    """
    threads = min(count, torch.get_num_threads())
    if threads == 1:
        for i in range(count):
            do(i)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(do, range(count)):
            pass


def _panels(rows: Tensor) -> Tensor:
    """Lay rows out as second factors of tiles: sixteen side by side, the last filled up with zeros."""
    return F.pad(rows, (0, 0, 0, -len(rows) % COLUMNS)).unflatten(0, (-1, COLUMNS)).transpose(1, 2).contiguous()


@compiled
@no_type_check  # what checks types in tests would wrap what numba compiles
def _lay_out(qkv, zero, image, top, left, head, side_h, side_w, keys, values, padded):
    """Lay the keys and values of a window out as second factors of tiles; keys by the square root of their width."""
    height, width, third = qkv.shape[1], qkv.shape[2], qkv.shape[3] // 3
    c, step = keys.shape[1], values.shape[2]
    scale = np.float32(1 / np.sqrt(c))
    for r in range(side_h):
        for s in range(side_w):
            key, at = r * padded + s, third + head * c
            y, x = top + r, left + s
            cell = qkv[image, y, x] if y < height and x < width else zero
            panel = keys[key // COLUMNS]
            for i in range(c):
                panel[i, key % COLUMNS] = cell[at + i] * scale
            for i in range(c):
                values[key // step, i // COLUMNS, key % step, i % COLUMNS] = cell[at + third + i]


@no_type_check
def _add_biases(scores, rows, columns, most, num_rows, padded):
    """Add the biases to one query's scores, and give those filled in no weight; tell the largest."""
    for r in range(num_rows):
        some = scores[r * padded : (r + 1) * padded]
        bias = rows[r]
        for s in range(len(columns)):
            score = some[s] + (bias + columns[s])
            some[s] = score
            most = larger(most, score)
        some[len(columns) :] = _LOWEST
    return most


@no_type_check
def _exponentials(scores, most):
    """Replace scores by e to what they are above `most`; tell the sum."""
    total = np.float32(0)
    for k in range(len(scores)):
        scores[k] = exp(scores[k] - most)
        total += scores[k]
    return total


_add_biases = compiled(_add_biases, fastmath=FAST)
_exponentials = compiled(_exponentials, fastmath=FAST)


@compiled
@no_type_check
def _weigh(scores, rows, columns, num_rows, padded, most, total, sums):
    """Turn one query's scores into weights beside the largest score so far, and what was summed before likewise.

    Tells the largest score and the sum of weights.
    """
    largest = _add_biases(scores, rows, columns, most, num_rows, padded)
    kept = exp(most - largest)
    for j in range(len(sums)):
        sums[j] *= kept
    return largest, total * kept + _exponentials(scores[: num_rows * padded], largest)


@compiled
@no_type_check
def _attend(qkv, zero, tables, out, num_heads, side_h, side_w, head, start, stop):
    """Answer queries `start` to `stop` of one head of one window; `head` counts those of all windows."""
    height, width, c = qkv.shape[1], qkv.shape[2], out.shape[3] // num_heads
    windows_y, windows_x = (height + side_h - 1) // side_h, (width + side_w - 1) // side_w
    window, head = head // num_heads, head % num_heads
    image, window = window // (windows_y * windows_x), window % (windows_y * windows_x)
    top, left = window // windows_x * side_h, window % windows_x * side_w
    across = min(side_w, width - left)
    stop = min(stop, min(side_h, height - top) * across)
    if start >= stop:
        return

    padded = (side_w + COLUMNS - 1) // COLUMNS * COLUMNS
    per_step = max(1, _KEYS // padded)
    steps, panels = (side_h + per_step - 1) // per_step, c // COLUMNS
    keys = np.zeros((side_h * padded // COLUMNS, c, COLUMNS), np.float32)
    values = np.zeros((steps, panels, per_step * padded, COLUMNS), np.float32)
    _lay_out(qkv, zero, image, top, left, head, side_h, side_w, keys, values, padded)
    values = values.reshape(steps * panels, per_step * padded, COLUMNS)

    queries = np.zeros((_QUERIES, c), np.float32)
    near = np.empty((_QUERIES, len(tables) * COLUMNS), np.float32)
    columns_at = (2 * side_h - 1 + COLUMNS - 1) // COLUMNS * COLUMNS
    scores = np.empty((_QUERIES, per_step * padded + _GAP), np.float32)
    sums = np.empty((_QUERIES, c), np.float32)
    most, total = np.empty(_QUERIES, np.float32), np.empty(_QUERIES, np.float32)
    for first in range(start, stop, _QUERIES):
        n = min(_QUERIES, stop - first)
        for i in range(n):
            y, x = top + (first + i) // across, left + (first + i) % across
            queries[i] = qkv[image, y, x, head * c : (head + 1) * c]
        multiply(queries, n, tables, 0, len(tables), c, near, True)
        sums[:], most[:], total[:] = 0, _LOWEST, 0
        for step in range(steps):
            row = step * per_step
            num_rows = min(per_step, side_h - row)
            multiply(queries, n, keys, row * padded // COLUMNS, num_rows * padded // COLUMNS, c, scores, True)
            for i in range(n):
                y, x = (first + i) // across, (first + i) % across
                rows, at = near[i, side_h - 1 - y + row :], columns_at + side_w - 1 - x
                columns = near[i, at : at + side_w]
                most[i], total[i] = _weigh(scores[i], rows, columns, num_rows, padded, most[i], total[i], sums[i])
            multiply(scores, n, values, step * panels, panels, num_rows * padded, sums, False)
        for i in range(n):
            y, x = top + (first + i) // across, left + (first + i) % across
            for j in range(c):
                out[image, y, x, head * c + j] = sums[i, j] / total[i]


__all__ = ["attend"]
