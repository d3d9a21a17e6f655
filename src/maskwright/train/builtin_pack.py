"""An asset pack that is computed: shaded solids as cut-outs, woven and cloudy surfaces, no files.

It lets a run start on a fresh machine with nothing but the package. What it teaches is the work of segmenting, not what
real things look like; a pack of cut-outs and photographs teaches more.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.train.assets import SPRITE_SIDE, AssetPack, _assemble
from maskwright.train.dice import Dice
from maskwright.train.photometry import smooth_field
from maskwright.train.shapes import SHAPE_KINDS, shape_field

_TEXTURE_SIDE = 256
_SEED = 20


def builtin_pack(*, per_kind: int = 8, surfaces: int = 24) -> AssetPack:
    """Draw cut-outs of every kind of shape and two lots of surfaces; always the same."""
    dice = Dice(_SEED)
    solids = [solid for kind in SHAPE_KINDS for solid in _solids(dice, kind, per_kind)]
    textures, views = _surfaces(dice, surfaces, woven=True), _surfaces(dice, surfaces, woven=False)
    kinds = ["render"] * len(solids) + ["texture"] * len(textures) + ["photo"] * len(views)
    rows = [{"kind": kind, "name": "drawn", "words": "", "licence": "Apache-2.0"} for kind in kinds]
    return _assemble(rows, [*solids, *textures, *views])


def _solids(dice: Dice, kind: str, count: int) -> list[UInt8[np.ndarray, "5 s s"]]:
    """Draw solids of one kind: colour, alpha and part index."""
    axis = (torch.arange(SPRITE_SIDE) + 0.5) / SPRITE_SIDE * 2 - 1
    u = (axis[None, None, :] * 1.1).expand(count, SPRITE_SIDE, SPRITE_SIDE)
    v = (axis[None, :, None] * 1.1).expand(count, SPRITE_SIDE, SPRITE_SIDE)
    field, part = shape_field(dice, kind, u, v)
    alpha = (field * SPRITE_SIDE / 2.2 + 0.5).clamp(0, 1)
    body, limb = dice.uniform(0.1, 0.95, count, 3, 1, 1), dice.uniform(0.1, 0.95, count, 3, 1, 1)
    stain = 0.06 * smooth_field(dice, count, 6, SPRITE_SIDE)
    rgb = (torch.where(part[:, None] > 0, limb, body) + stain) * _lit(dice, u, v)
    return list(_bytes(torch.cat([rgb, alpha[:, None], part[:, None] / 255], 1)))


def _lit(dice: Dice, u: Tensor, v: Tensor) -> Float[Tensor, "B 1 s s"]:
    """Light solids as if they were balls, each from its own side."""
    x, y = dice.normal(len(u), 1, 1), dice.normal(len(u), 1, 1)
    height = (1 - (u * u + v * v) / 1.5).clamp(min=0.02).sqrt()
    light = (u * x + v * y + height) / (x * x + y * y + 1).sqrt()
    return (0.55 + 0.6 * light).clamp(0.15, 1.4)[:, None]


def _surfaces(dice: Dice, count: int, *, woven: bool) -> list[UInt8[np.ndarray, "3 t t"]]:
    """Draw surfaces: clouds of several sizes in two colours, woven ones with stripes across."""
    clouds = torch.zeros(count, 1, _TEXTURE_SIDE, _TEXTURE_SIDE)
    for cells in (2, 5, 13, 40):
        clouds += smooth_field(dice, count, cells, _TEXTURE_SIDE) * dice.uniform(0, 1, count, 1, 1, 1)
    if woven:
        axis = torch.arange(_TEXTURE_SIDE) / _TEXTURE_SIDE * 2 * math.pi
        turns = 2 + dice.integers(30, count, 2, 1, 1).float()
        clouds += torch.sin(turns[:, :1] * axis) * torch.sin(turns[:, 1:] * axis[:, None])
    mix = torch.sigmoid(clouds)
    first, second = dice.uniform(0.05, 0.95, count, 3, 1, 1), dice.uniform(0.05, 0.95, count, 3, 1, 1)
    return list(_bytes(first * mix + second * (1 - mix)))


def _bytes(pixels: Tensor) -> UInt8[np.ndarray, "*shape"]:
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


__all__ = ["builtin_pack"]
