"""What kernels on a processor share: small matrix products in vector registers, and e^x for whole vectors.

A tile is 6 x 16 sums, which with two vectors of eight numbers and one that is repeated fill the sixteen registers of
AVX2. Numba compiles loops, but keeps no array in registers, so the tile is written down for LLVM directly. It does
what the processor can do in fused multiply-adds, 95 GFLOP/s on a core of an AMD EPYC (Zen 3); the products of attention
by MKL, whose results leave the cache, do 53 to 61 there.
"""

from functools import partial
from typing import Any, no_type_check

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from maskwright.core.compiled import compiled

_LANES = 8
ROWS, COLUMNS = 6, 2 * _LANES
_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # products with the first are exact
FAST = {"contract", "nnan", "nsz", "reassoc"}  # what sums over vectors need of the compiler
_LEAST = np.float32(-87.0)  # e to this is the smallest that has all its digits
_ONE = np.float32(1)


@no_type_check
def _write_tile(context: Any, builder: Any, signature: Any, args: Any, is_new: bool) -> Any:
    """Write down a tile: the sums live in registers while the loop runs over the depth."""
    a, a_at, a_step, b, b_at, c, c_at, c_step, depth = args
    vector = ir.VectorType(ir.FloatType(), _LANES)
    starts = {
        which: context.make_array(kind)(context, builder, value).data
        for which, kind, value in (
            ("a", signature.args[0], a),
            ("b", signature.args[3], b),
            ("c", signature.args[5], c),
        )
    }

    def index(value: int) -> Any:
        return ir.Constant(ir.IntType(64), value)

    def row(start: Any, step: Any, i: int) -> Any:
        return builder.add(start, builder.mul(step, index(i)))

    def number(which: str, at: Any) -> Any:
        return builder.gep(starts[which], [at], inbounds=True)

    def numbers(which: str, at: Any, half: int) -> Any:
        return builder.bitcast(number(which, builder.add(at, index(half * _LANES))), vector.as_pointer())

    a_rows = [row(a_at, a_step, i) for i in range(ROWS)]
    ends = [numbers("c", row(c_at, c_step, i), half) for i in range(ROWS) for half in range(2)]
    sums = [cgutils.alloca_once(builder, vector) for _ in ends]
    for one in sums:
        builder.store(ir.Constant(vector, [0.0] * _LANES), one)
    multiply_add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_LANES}f32"
    )
    with cgutils.for_range(builder, depth) as loop:
        b_row = row(b_at, loop.index, COLUMNS)
        halves = [builder.load(numbers("b", b_row, half), align=4) for half in range(2)]
        for i in range(ROWS):
            value = builder.load(number("a", builder.add(a_rows[i], loop.index)))
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            repeated = builder.shuffle_vector(
                first, first, ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
            )
            for half in range(2):
                one = sums[2 * i + half]
                builder.store(builder.call(multiply_add, [repeated, halves[half], builder.load(one)]), one)
    for one, end in zip(sums, ends, strict=True):
        done = builder.load(one)
        builder.store(done if is_new else builder.fadd(done, builder.load(end, align=4)), end, align=4)
    return context.get_dummy_value()


@no_type_check
def _tile(is_new: bool) -> Any:
    def signature(
        typing_context: Any, a: Any, a_at: Any, a_step: Any, b: Any, b_at: Any,
        c: Any, c_at: Any, c_step: Any, depth: Any,
    ) -> Any:  # fmt: skip
        at = types.int64
        return types.void(a, at, at, b, at, c, at, at, at), partial(_write_tile, is_new=is_new)

    return intrinsic(signature)


# c[6, 16] = a[6, depth] @ b[depth, 16], or += in place of =.
_set_tile: Any = _tile(True)
_add_tile: Any = _tile(False)


@no_type_check
def _fetch_signature(typing_context: Any, array: Any, at: Any) -> Any:
    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, number = ir.PointerType(ir.IntType(8)), ir.IntType(32)
        start = context.make_array(signature.args[0])(context, builder, args[0]).data
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer, number, number, number]), "llvm.prefetch.p0"
        )
        to_read_and_keep = [ir.Constant(number, value) for value in (0, 3, 1)]
        builder.call(function, [builder.bitcast(builder.gep(start, [args[1]]), pointer), *to_read_and_keep])
        return context.get_dummy_value()

    return types.void(array, types.int64), write


_fetch: Any = intrinsic(_fetch_signature)


@compiled
@no_type_check  # what checks types in tests would wrap what numba compiles
def multiply(a, n, panels, first, count, depth, c, is_new):
    """c[:n, :16 * count] = a[:n, :depth] @ some panels, side by side, or += where it is not new.

    A panel is sixteen columns, without gaps; `count` of them are taken from `first` on, and `depth` rows of each. Rows
    of `a` and `c` are taken in whole tiles, so there are as many. Meanwhile the next panel is fetched; its first
    tile would wait for it.
    """
    a_step, c_step, panel = a.shape[1], c.shape[1], panels.shape[1] * COLUMNS
    tiles = (n + ROWS - 1) // ROWS
    per_tile = (depth + tiles - 1) // tiles
    for p in range(count):
        at = (first + p) * panel
        for tile in range(tiles):
            for k in range(tile * per_tile, min(tile * per_tile + per_tile, depth)):
                _fetch(panels, at + panel + k * COLUMNS)
            a_at, c_at = tile * ROWS * a_step, tile * ROWS * c_step + p * COLUMNS
            if is_new:
                _set_tile(a, a_at, a_step, panels, at, c, c_at, c_step, depth)
            else:
                _add_tile(a, a_at, a_step, panels, at, c, c_at, c_step, depth)


@no_type_check
def _larger_signature(typing_context: Any, a: Any, b: Any) -> Any:
    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.FloatType()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(number, [number] * 2), "llvm.maxnum.f32"
        )
        return builder.call(function, args, fastmath=("nnan", "nsz"))

    return types.float32(types.float32, types.float32), write


# The larger of two; numba's own `max` keeps a loop that looks for the largest from running in vectors.
larger: Any = intrinsic(_larger_signature)


@no_type_check
def _exp(x):
    """e^x to the last digit or so, for x <= 0; what is below -87 counts as -87."""
    x = max(x, _LEAST)
    twos = np.floor(x * _LOG2E + np.float32(0.5))
    x = x - twos * _LN2_HIGH - twos * _LN2_LOW  # |x| <= ln(2) / 2, where seven terms of the series are enough
    series = np.float32(1 / 5040)
    series = series * x + np.float32(1 / 720)
    series = series * x + np.float32(1 / 120)
    series = series * x + np.float32(1 / 24)
    series = series * x + np.float32(1 / 6)
    series = series * x + np.float32(1 / 2)
    series = series * x * x + x + _ONE
    return series * np.int32((np.int32(twos) + np.int32(127)) << np.int32(23)).view(np.float32)


exp = compiled(_exp, fastmath={"contract", "nnan", "nsz"})


__all__ = ["COLUMNS", "FAST", "ROWS", "exp", "larger", "multiply"]
