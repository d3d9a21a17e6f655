"""Attention over a grid or its windows in one kernel, on a GPU with Triton or a processor: what it is, and when it is
used.

It is an operator of PyTorch (`maskwright::attend_over_grid`), so that `torch.compile` keeps it whole and counters of
operations know it. It has no gradient: training goes the way of `attention.py`.
"""

import importlib.util
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from maskwright.nn.exporting import is_exporting

_WIDEST_HEAD = 128
_WIDEST_ROW = 128  # of keys, which a step of the kernel holds
_SMALL = 16
_CPU_HEADS = 16  # a head's width is a multiple of this on a processor
HAS_AVX2 = torch.backends.cpu.get_cpu_capability() == "AVX2"  # with FMA, and nothing longer
HAS_TRITON = importlib.util.find_spec("triton") is not None
# By bytes a number: of a head's queries, keys a step, warps, loads in flight; the fastest that
# benchmarks/gpu_encoder.py tried.
_BLOCKS = {
    ("windows", 2): (64, 32, 4, 3),
    ("grid", 2): (64, 64, 4, 3),
    ("windows", 4): (32, 32, 4, 2),
    ("grid", 4): (32, 64, 4, 2),
}


def can_fuse(qkv: Tensor, num_heads: int, side_h: int, side_w: int) -> bool:
    """Whether a kernel takes these, where nothing asks for a gradient: on an NVIDIA GPU with Triton, or on a processor
    whose vectors hold eight numbers. With AVX-512 PyTorch's library has longer ones; elsewhere nothing was measured.
    """
    if torch.is_grad_enabled():
        return False
    c = qkv.shape[-1] // (3 * num_heads)
    if qkv.device.type == "cpu":
        return HAS_AVX2 and qkv.dtype == torch.float32 and c % _CPU_HEADS == 0 and not is_exporting()
    return (
        qkv.device.type == "cuda"
        and qkv.dtype in (torch.float32, torch.bfloat16, torch.float16)
        and c <= _WIDEST_HEAD
        and side_w <= _WIDEST_ROW
        and HAS_TRITON
        and torch.cuda.get_device_capability(qkv.device) >= (8, 0)
    )


def attend_over_grid(
    qkv: Float[Tensor, "B h w E"],
    zero: Float[Tensor, " E"],
    table_h: Float[Tensor, "P c"],
    table_w: Float[Tensor, "Q c"],
    num_heads: int,
    side_h: int,
    side_w: int,
) -> Float[Tensor, "B h w D"]:
    """Attend within windows of side_h x side_w cells, or over the grid where that is its size.

    E is queries, keys and values of all heads; `zero` is what a token beyond the grid projects to; the tables hold
    2 * side - 1 relative positions.
    """
    return torch.ops.maskwright.attend_over_grid(qkv, zero, table_h, table_w, num_heads, side_h, side_w)


def _on_gpu(
    qkv: Tensor, zero: Tensor, table_h: Tensor, table_w: Tensor, num_heads: int, side_h: int, side_w: int
) -> Tensor:
    from maskwright.nn.grid_kernel import Blocks, attend

    qkv = qkv.contiguous()
    zero, table_h, table_w = (x.to(qkv.dtype).contiguous() for x in (zero, table_h, table_w))  # autocast leaves them
    kind = "windows" if max(side_h, side_w) <= _SMALL else "grid"
    blocks = Blocks(*_BLOCKS[kind, qkv.element_size()])
    near = products_with_positions(qkv, table_h, table_w, num_heads)
    return attend(qkv, zero, near, num_heads, side_h, side_w, blocks)


def products_with_positions(
    qkv: Float[Tensor, "B h w E"], table_h: Float[Tensor, "P c"], table_w: Float[Tensor, "Q c"], num_heads: int
) -> Float[Tensor, "heads L R"]:
    """Multiply each query with all relative positions, rows first; two more make the last axis 2 * (side_h + side_w),
    which matrix products of 16 bits like.
    """
    c = qkv.shape[-1] // (3 * num_heads)
    tables = torch.cat([table_h, table_w, table_w[-1:], table_w[-1:]])
    queries = qkv.view(-1, 3, num_heads, c)[:, 0].transpose(0, 1)
    return torch.bmm(queries, tables.T.expand(num_heads, -1, -1))


def _on_cpu(
    qkv: Tensor, zero: Tensor, table_h: Tensor, table_w: Tensor, num_heads: int, side_h: int, side_w: int
) -> Tensor:
    from maskwright.nn.cpu_grid_kernel import attend

    return attend(qkv.contiguous(), zero, table_h, table_w, num_heads, side_h, side_w)


def _of_that_shape(
    qkv: Tensor, zero: Tensor, table_h: Tensor, table_w: Tensor, num_heads: int, side_h: int, side_w: int
) -> Tensor:
    return qkv.new_empty((*qkv.shape[:3], qkv.shape[3] // 3))


# Not by `torch.library.custom_op`: its first call imports what compiles (torch._dynamo), two seconds of every process.
_library = torch.library.Library("maskwright", "DEF")
_library.define(
    "attend_over_grid(Tensor qkv, Tensor zero, Tensor table_h, Tensor table_w, int num_heads, int side_h, int side_w)"
    " -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
_library.impl("attend_over_grid", _on_gpu, "CUDA")
_library.impl("attend_over_grid", _on_cpu, "CPU")
torch.library.register_fake("maskwright::attend_over_grid", _of_that_shape, lib=_library)


@register_flop_formula(torch.ops.maskwright.attend_over_grid)
def _count(
    qkv_shape: Any, zero: Any, table_h: Any, table_w: Any, num_heads: int, side_h: int, side_w: int, **_: Any
) -> int:
    B, h, w, E = qkv_shape
    keys = side_h * side_w
    queries = B * math.ceil(h / side_h) * math.ceil(w / side_w) * keys
    return queries * (4 * keys + 2 * (side_h + side_w)) * E // 3


__all__ = ["HAS_TRITON", "attend_over_grid", "can_fuse", "products_with_positions"]
