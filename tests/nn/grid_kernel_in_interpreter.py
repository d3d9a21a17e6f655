"""Run the Triton kernel of attention on the CPU, in Triton's interpreter, and print how far it is from the definition.

A program of its own, since Triton reads TRITON_INTERPRET when it is imported.
"""

import json
import os

os.environ["TRITON_INTERPRET"] = "1"

import torch
from torch import nn

from maskwright.models.sam.image_encoder import GridAttention
from maskwright.nn.fused_attention import products_with_positions
from maskwright.nn.grid_kernel import Blocks, attend

# Grid, window (0: the whole grid), heads, width of a head. The interpreter multiplies bf16 wrongly: left out.
CASES = (
    ((9, 10), 14, 1, 64),  # one window, cut
    ((5, 7), 4, 2, 24),  # some windows whole, some cut at either side
    ((8, 8), 4, 1, 16),  # all whole
    ((6, 18), 0, 1, 80),  # steps of a row of keys, a head of 64 and 16
    ((6, 6), 0, 2, 8),  # a small grid
)


def error(grid: tuple[int, int], window: int, num_heads: int, width: int, dtype: torch.dtype) -> float:
    """The relative error of one case."""
    torch.manual_seed(0)
    side_h, side_w = (window, window) if window else grid
    layer = GridAttention(num_heads * width, num_heads, 1, window)
    layer.rel_pos_h = nn.Parameter(0.3 * torch.randn(2 * side_h - 1, width))
    layer.rel_pos_w = nn.Parameter(0.3 * torch.randn(2 * side_w - 1, width))
    nn.init.normal_(layer.qkv.bias)
    layer.to(dtype)
    qkv = torch.randn(2, *grid, 3 * num_heads * width).to(dtype)
    near = products_with_positions(qkv, layer.rel_pos_h, layer.rel_pos_w, num_heads)
    out = attend(qkv, layer.qkv.bias, near, num_heads, side_h, side_w, Blocks(32, 32, 4, 2))
    truth = layer.double().attend(qkv.double())
    return float((out.double() - truth).norm() / truth.norm())


with torch.no_grad():
    print(json.dumps({str(t): [error(*case, t) for case in CASES] for t in (torch.float32, torch.float16)}))  # noqa: T201
