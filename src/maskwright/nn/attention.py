"""Attention with decomposed relative positions (MViTv2, used by SAM's ViT), without the whole map in memory.

The bias of a query is one number for each row and one for each column of the key grid. The published code materialises
scores and bias for all heads at once (4096 x 4096 x 12 floats, 805 MB); here a block of queries at a time is filled
with its bias, the scores are added by the matrix product itself, and the block is reused. On CPU that is 2.2 times as
fast as the published form; the block is sized to stay near the cache.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.nn.exporting import is_exporting

_BIAS_BYTES = 512 << 20  # of mask at a time where a fused kernel takes it; ViT-B needs 403 MB in 16 bits
_EXPORT_QUERIES = 1024  # of 4096 keys, 12 heads: 201 MB of scores at a time; 64 are 1.5 times as slow
_BLOCK_BYTES = 8 << 20  # 512 queries x 4096 keys: the fastest of 1..16 MiB measured on two AVX2 cores


def attend_with_grid_bias(
    q: Float[Tensor, "X L c"],
    k: Float[Tensor, "X L c"],
    v: Float[Tensor, "X L c"],
    bias_rows: Float[Tensor, "X L gh"],
    bias_columns: Float[Tensor, "X L gw"],
) -> Float[Tensor, "X L c"]:
    """Attend over a grid of gh*gw = L keys; the score of key (r, s) gets bias_rows[r] + bias_columns[s].

    X is images times windows times heads. The usual 1/sqrt(c) scale applies to the product, not to the bias.
    """
    if is_exporting():
        return _attend_by_sums(q, k, v, bias_rows, bias_columns)
    if q.device.type == "cpu" and not torch.is_grad_enabled():
        return _attend_in_blocks(q, k, v, bias_rows, bias_columns)
    per_step = max(1, _BIAS_BYTES // (q.shape[1] ** 2 * q.element_size()))
    parts = [x.split(per_step) for x in (q, k, v, bias_rows, bias_columns)]
    return torch.cat([_attend_with_mask(*some) for some in zip(*parts, strict=True)])


def _attend_with_mask(q: Tensor, k: Tensor, v: Tensor, bias_rows: Tensor, bias_columns: Tensor) -> Tensor:
    bias = (bias_rows[..., :, None] + bias_columns[..., None, :]).flatten(-2)  # X L L
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))


def _attend_by_sums(q: Tensor, k: Tensor, v: Tensor, bias_rows: Tensor, bias_columns: Tensor) -> Tensor:
    """Add the biases to the scores of some queries at a time, as a graph that a runtime plans; exact.

    The other exact way, a key's row and column as ones behind it and the query's biases against them, makes the product
    three times as long: OpenVINO takes 1.7 times as long over a global block of ViT-B, ONNX Runtime 1.5 times.
    """
    grid, q = (bias_rows.shape[-1], bias_columns.shape[-1]), q * q.shape[-1] ** -0.5
    blocks = []
    for some, rows, columns in zip(*(x.split(_EXPORT_QUERIES, 1) for x in (q, bias_rows, bias_columns)), strict=True):
        scores = (some @ k.transpose(1, 2)).unflatten(-1, grid) + rows[..., :, None] + columns[..., None, :]
        blocks.append(torch.softmax(scores.flatten(-2), -1) @ v)
    return torch.cat(blocks, 1)


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, bias_rows: Tensor, bias_columns: Tensor) -> Tensor:
    num, length, width = q.shape
    gh, gw = bias_rows.shape[-1], bias_columns.shape[-1]
    per_step = max(1, _BLOCK_BYTES // (length * length * q.element_size()))
    queries = length if per_step > 1 else max(1, min(length, _BLOCK_BYTES // (length * q.element_size())))
    q = q * width**-0.5
    keys = k.transpose(1, 2)
    out = torch.empty_like(q)
    buffer = torch.empty(min(per_step, num) * queries * length, dtype=q.dtype)
    for i in range(0, num, per_step):
        some = slice(i, min(i + per_step, num))
        for j in range(0, length, queries):
            rows = slice(j, min(j + queries, length))
            rh, rw = bias_rows[some, rows], bias_columns[some, rows]
            block = buffer[: rh.shape[0] * rh.shape[1] * length].view(rh.shape[0], rh.shape[1], length)
            torch.add(rh[..., :, None], rw[..., None, :], out=block.view(*rh.shape[:2], gh, gw))
            block.baddbmm_(q[some, rows], keys[some])
            torch.softmax(block, -1, out=block)
            torch.bmm(block, v[some], out=out[some, rows])
    return out


def relative_positions(table: Float[Tensor, "P c"], size: int) -> Float[Tensor, "size size c"]:
    """Spread a table of 2*size-1 relative positions to (query, key) pairs; another length is resized linearly first."""
    table = resized_table(table, size)
    position = torch.arange(size, device=table.device)
    return table[position[:, None] - position[None, :] + size - 1]


def resized_table(table: Float[Tensor, "P c"], size: int) -> Float[Tensor, "Q c"]:
    """Resize a table of relative positions linearly to the 2*size-1 that `size` cells have."""
    wanted = 2 * size - 1
    return table if table.shape[0] == wanted else F.interpolate(table.T[None], size=wanted, mode="linear")[0].T


__all__ = ["attend_with_grid_bias", "relative_positions", "resized_table"]
