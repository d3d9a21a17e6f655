"""Procedural objects: solids with shading, holes and parts, as functions of their own coordinates.

Every shape maps local coordinates (u, v), where the object fills about the unit circle, to a field that is positive
inside and falls to zero at the outline with slope about one, so that an antialiased edge of one pixel is one division
away. Wires, which are thinner than that allows, are in `wires`.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.train.dice import Dice
from maskwright.train.looks import Light
from maskwright.train.skins import columns

Field = Float[Tensor, "B S S"]

SHAPE_KINDS = {
    "blob": 0.2, "polygon": 0.14, "box": 0.24, "disk": 0.08, "rod": 0.08, "ring": 0.1, "comb": 0.04, "compound": 0.12,
}  # fmt: skip
# What a shape may be called; its light tells whether a disk is a ball.
SHAPE_WORDS = {
    "blob": ("blob", "shape"), "polygon": ("polygon", "shape"), "box": ("shape",), "disk": ("disk", "shape"),
    "rod": ("rod", "stick"), "ring": ("ring", "shape"), "comb": ("grid", "rack"), "compound": ("shape",),
}  # fmt: skip


def shape_field(
    dice: Dice, kind: str, u: Field, v: Field, width: Float[Tensor, "B 1 1"] | None = None
) -> tuple[Field, Float[Tensor, "B S S"]]:
    """Return the field and the part index (0 for the rest) of one kind of shape for a batch of coordinates.

    `width` is that of books and of a grate's bars.
    """
    none = torch.zeros_like(u)
    match kind:
        case "blob":
            return blob(dice, u, v), none
        case "polygon":
            return polygon(dice, u, v), none
        case "box":
            return box(dice, u, v), none
        case "ring":
            return ring(dice, u, v), none
        case "disk":
            return 0.85 - (u * u + v * v).sqrt(), none
        case "rod":
            return rod(dice, u, v), none
        case "comb":
            return comb(dice, u, v), none
        case "book" if width is not None:
            return torch.minimum(width - u.abs(), 1 - v.abs()), none
        case "grate" if width is not None:
            return grate(dice, u, v, width), none
        case _:
            return compound(dice, u, v)


def blob(dice: Dice, u: Field, v: Field) -> Field:
    """A smooth star-shaped outline: a few random harmonics of the angle."""
    B = len(u)
    angle, radius = torch.atan2(v, u), (u * u + v * v).sqrt()
    outline = torch.full_like(u, 0.75)
    for harmonic in range(1, 6):
        size = dice.normal(B, 1, 1) * 0.22 / harmonic
        outline = outline + size * torch.cos(harmonic * angle + dice.uniform(0, 2 * math.pi, B, 1, 1))
    return outline.clamp(0.15, 1) - radius


def polygon(dice: Dice, u: Field, v: Field) -> Field:
    """A convex or star polygon of three to eight random half-planes."""
    B = len(u)
    field = torch.full_like(u, 1.0)
    sides = 3 + dice.integers(6, B, 1, 1)
    turn = dice.uniform(0, 2 * math.pi, B, 1, 1)
    for side in range(8):
        angle = turn + 2 * math.pi * (side + dice.uniform(-0.3, 0.3, B, 1, 1)) / sides
        edge = dice.uniform(0.45, 0.9, B, 1, 1) - (u * torch.cos(angle) + v * torch.sin(angle))
        field = torch.where(side < sides, torch.minimum(field, edge), field)
    return torch.minimum(field, 1.2 - (u * u + v * v).sqrt())


def box(dice: Dice, u: Field, v: Field) -> Field:
    """From an ellipse to a rounded box, from a square to a rod; some taper like a bottle or a cup."""
    B = len(u)
    wide = torch.exp(dice.uniform(math.log(0.08), 0, B, 1, 1) * dice.chance(0.6, B, 1, 1)) * 0.85
    taper = (1 + dice.chance(0.4, B, 1, 1) * dice.uniform(-0.4, 0.4, B, 1, 1) * v).clamp(0.2, 2)
    power = torch.exp(dice.uniform(math.log(1.6), math.log(12), B, 1, 1))
    a, b = (u.abs() / (wide * taper) + 1e-4), (v.abs() / 0.85 + 1e-4)
    norm = (a.clamp(max=8) ** power + b.clamp(max=8) ** power) ** (1 / power)
    return (1 - norm) * wide


def ring(dice: Dice, u: Field, v: Field) -> Field:
    """A shape with one or two holes: a frame, a tape, a handle."""
    B = len(u)
    outer = torch.where(dice.chance(0.5, B, 1, 1) > 0, box(dice, u, v), 0.85 - (u * u + v * v).sqrt())
    thickness = dice.uniform(0.05, 0.35, B, 1, 1)
    hole = ((u - dice.uniform(-0.1, 0.1, B, 1, 1)) ** 2 + (v - dice.uniform(-0.1, 0.1, B, 1, 1)) ** 2).sqrt()
    same = torch.minimum(outer, thickness - outer)  # an even rim
    round_hole = torch.minimum(outer, hole - dice.uniform(0.1, 0.4, B, 1, 1))
    return torch.where(dice.chance(0.6, B, 1, 1) > 0, same, round_hole)


def rod(dice: Dice, u: Field, v: Field) -> Field:
    """A straight stick with round or square ends."""
    wide = torch.exp(dice.uniform(math.log(0.015), math.log(0.1), len(u), 1, 1))
    beyond = (v.abs() - 0.85).clamp(min=0)
    is_round = dice.chance(0.5, len(u), 1, 1)
    return torch.minimum(wide - (u * u + is_round * beyond * beyond).sqrt(), 0.95 - v.abs())


def grate(dice: Dice, u: Field, v: Field, width: Float[Tensor, "B 1 1"]) -> Field:
    """Bars in one direction or in two, in a frame: what other things are seen through."""
    period = dice.uniform(3, 9, len(u), 1, 1) * width
    across = width / 2 - ((u / period).frac().abs() - 0.5).abs() * period
    along = width / 2 - ((v / period).frac().abs() - 0.5).abs() * period
    bars = torch.where(dice.chance(0.6, len(u), 1, 1) > 0, torch.maximum(across, along), across)
    reach = torch.maximum(u.abs(), v.abs())
    frame = torch.minimum(width - (reach - 0.9).abs(), 0.95 - reach)
    return torch.maximum(torch.minimum(bars, 0.9 - reach), frame)


def comb(dice: Dice, u: Field, v: Field) -> Field:
    """Bars on a spine: forks, racks, grids."""
    B = len(u)
    period = dice.uniform(0.15, 0.5, B, 1, 1)
    bars = period * dice.uniform(0.15, 0.35, B, 1, 1) - ((u / period).frac().abs() - 0.5).abs() * period
    spine = dice.uniform(0.08, 0.25, B, 1, 1) - (v - dice.uniform(-0.7, 0.7, B, 1, 1)).abs()
    inside = 0.8 - torch.maximum(u.abs(), v.abs())
    return torch.minimum(torch.maximum(bars, spine), inside)


def compound(dice: Dice, u: Field, v: Field) -> tuple[Field, Float[Tensor, "B S S"]]:
    """A body with two things joined to it; each is a part."""
    B = len(u)
    body = box(dice, u * 1.3, v * 1.3) / 1.3
    field, part = body, torch.zeros_like(u)
    for index in (1, 2):
        angle = dice.uniform(0, 2 * math.pi, B, 1, 1)
        x, y, size = 0.6 * torch.cos(angle), 0.6 * torch.sin(angle), dice.uniform(0.3, 0.55, B, 1, 1)
        lu, lv = (u - x) / size, (v - y) / size
        piece = (box(dice, lu, lv) if index == 1 else ring(dice, lu, lv)) * size
        part = torch.where(piece > 0, torch.full_like(part, float(index)), part)
        field = torch.maximum(field, piece)
    return field, part


def shade(lights: Sequence[Light], field: Field, u: Field, v: Field) -> Field:
    """Shade a shape as if it were solid: a ball, a cylinder, or a bevel along the outline, lit from one side."""
    rows = [(light.x, light.y, light.style, light.amount, light.shine) for light in lights]
    x, y, style, amount, shine = columns(rows, u.device)
    length = (x * x + y * y + 0.3).sqrt()
    height = (1 - (u * u + v * v)).clamp(min=0.02).sqrt()
    ball = (u * x + v * y + 0.6 * height) / length
    cylinder = (u.clamp(-1, 1) * x + (1 - u * u).clamp(min=0.02).sqrt() * 0.6) / length
    bevel = 1 - (1 - field.clamp(0, 0.25) * 4) ** 2 * (0.5 + 0.5 * torch.tanh(3 * (u * x + v * y)))
    light = torch.where(style == 0, ball, torch.where(style == 1, cylinder, bevel))
    lit = 1 + amount * (light - 0.6)
    return (lit + shine * (light.clamp(0, 1) ** 24)).clamp(0.1, 2)


__all__ = ["SHAPE_KINDS", "SHAPE_WORDS", "Field", "shade", "shape_field"]
