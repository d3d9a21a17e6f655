"""Cables, wires and ropes, one to some ten pixels wide: curves rolled on the host, drawn by splatting points.

A curve is sampled twice a pixel and each sample covers a small disc; the largest cover wins. That costs a thousandth of
the distance from every pixel to every piece, which is how thick shapes are drawn.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.train.dice import Dice, to_device

CURVES = {"spline": 0.4, "loops": 0.25, "taut": 0.2, "coil": 0.15}


def roll_curve(dice: Dice) -> Float[np.ndarray, "P 2"]:
    """Roll a curve within about the unit circle: wandering, knotted, nearly straight, or coiled."""
    t = np.linspace(0, 1, 160)
    match dice.pick(CURVES):
        case "spline":
            knots = np.array([[dice.number(-1, 1), dice.number(-1, 1)] for _ in range(4 + dice.below(5))])
            at = np.linspace(0, 1, len(knots))
            curve = np.stack([np.interp(t, at, knots[:, axis]) for axis in (0, 1)], 1)
            return _smoothed(curve, 160 // len(knots))
        case "loops":
            curve = np.stack([t * 0.0, t * 0.0], 1)
            for harmonic in range(1, 5):
                for axis in (0, 1):
                    phase, size = dice.number(0, 2 * math.pi), dice.number(-0.8, 0.8) / harmonic**0.7
                    curve[:, axis] += size * np.sin(dice.number(0.6, 1.2) * harmonic * 2 * math.pi * t + phase)
            return curve / max(1.0, float(np.abs(curve).max()))
        case "taut":
            sag, swing = dice.number(-0.35, 0.35), dice.number(-0.1, 0.1)
            return np.stack([2 * t - 1, sag * (1 - (2 * t - 1) ** 2) + swing * np.sin(6 * t)], 1)
        case _:
            turns, radius = dice.number(3, 9), dice.number(0.08, 0.3)
            angle = 2 * math.pi * turns * t
            bow = dice.number(-0.4, 0.4) * (1 - (2 * t - 1) ** 2)
            x, y = 1.6 * t - 0.8 + radius * np.cos(angle), bow + dice.number(0.6, 1.2) * radius * np.sin(angle)
            return np.stack([x, y], 1)


def _smoothed(curve: Float[np.ndarray, "P 2"], width: int) -> Float[np.ndarray, "P 2"]:
    for _ in range(2):
        padded = np.pad(curve, ((width // 2, (width - 1) // 2), (0, 0)), mode="edge")
        sums = np.cumsum(np.concatenate([np.zeros((1, 2)), padded]), 0)
        curve = (sums[width:] - sums[:-width]) / width
    return curve


def resampled(curve: Float[np.ndarray, "P 2"], step: float) -> Float[np.ndarray, "Q 2"]:
    """Sample a polyline at even distances of at most `step`."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(0, lengths[-1], max(2, math.ceil(lengths[-1] / step) + 1))
    return np.stack([np.interp(at, lengths, curve[:, axis]) for axis in (0, 1)], 1)


def draw_wires(
    curves: Sequence[Float[np.ndarray, "P 2"]], widths: Sequence[float], side: int, device: torch.device
) -> tuple[Float[Tensor, "N 1 t t"], Float[Tensor, "N 1 t t"]]:
    """Draw curves given in pixels of their tiles: how much each pixel is covered, and how brightly it is lit."""
    points = [resampled(curve, 0.5) for curve in curves]
    rows = np.repeat(np.arange(len(points)), [len(p) for p in points])
    radii = np.repeat(np.asarray(widths) / 2, [len(p) for p in points])
    table = to_device(torch.from_numpy(np.column_stack([np.concatenate(points), radii]).astype(np.float32)), device)
    row = to_device(torch.from_numpy(rows), device)
    cover = _splat(table, row, len(points), side, math.ceil(max(widths) / 2 + 1))
    # A round thing is brightest a little beside its middle.
    lit = torch.stack([table[:, 0] - 0.3 * table[:, 2], table[:, 1] - 0.3 * table[:, 2], 0.4 * table[:, 2]], 1)
    return cover, _splat(lit, row, len(points), side, math.ceil(max(widths) / 4 + 1))


def _splat(table: Float[Tensor, "P 3"], row: Tensor, num_rows: int, side: int, reach: int) -> Float[Tensor, "N 1 t t"]:
    axis = torch.arange(-reach, reach + 1, device=table.device)
    base = table[:, :2].floor().long()
    x, y = base[:, 0, None, None] + axis[None, None, :], base[:, 1, None, None] + axis[None, :, None]  # P k k
    far = torch.hypot(x + 0.5 - table[:, 0, None, None], y + 0.5 - table[:, 1, None, None])
    cover = (table[:, 2, None, None] + 0.5 - far).clamp(0, 1)
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    flat = ((row[:, None, None] * side + y.clamp(0, side - 1)) * side + x.clamp(0, side - 1)).flatten()
    drawn = torch.zeros(num_rows * side * side, device=table.device)
    drawn.scatter_reduce_(0, flat, (cover * inside).flatten(), "amax")
    return drawn.view(num_rows, 1, side, side)


__all__ = ["CURVES", "draw_wires", "resampled", "roll_curve"]
