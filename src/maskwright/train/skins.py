"""Painting coats and patterns on the coordinates of objects: batched, on any device."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice, to_device
from maskwright.train.looks import Coat, Pattern, Skin, Tone
from maskwright.train.photometry import smooth_field

# Texels a pixel above which a texture is sampled from its smaller copy: fewer bytes to read, and no aliasing.
_MINIFIED = 2.0


def columns(rows: Sequence[Sequence[float]], device: torch.device) -> tuple[Tensor, ...]:
    """Turn rows of numbers into one tensor (N, 1, 1) a column."""
    table = to_device(torch.tensor(rows, dtype=torch.float32), device)
    return tuple(column[:, None, None] for column in table.unbind(1))


def paint_skins(
    dice: Dice, pack: AssetPack, skins: Sequence[Skin], u: Tensor, v: Tensor, pixel: Sequence[float]
) -> Float[Tensor, "N 3 t t"]:
    """Cover local coordinates with skins; `pixel` is how far a pixel goes in each object's coordinates."""
    painted = paint_coats(pack, [skin.first for skin in skins], u, v, pixel)
    rows = [index for index, skin in enumerate(skins) if skin.second and skin.pattern]
    if not rows:
        return painted
    at = to_device(torch.tensor(rows), u.device)
    second = [coat for coat in (skins[index].second for index in rows) if coat]
    patterns = [pattern for pattern in (skins[index].pattern for index in rows) if pattern]
    over = paint_coats(pack, second, u[at], v[at], [pixel[index] for index in rows])
    shown = pattern_mask(dice, patterns, u[at], v[at])[:, None]
    painted[at] = torch.lerp(painted[at], over, shown)
    return painted


def pattern_mask(dice: Dice, patterns: Sequence[Pattern], u: Tensor, v: Tensor) -> Float[Tensor, "N t t"]:
    """Draw where the second coat shows: stripes, tiles, a band or spots."""
    p = columns(
        [
            (math.cos(p.turn), math.sin(p.turn), p.period, p.gap, p.aspect, p.middle, p.width, p.level, p.strength)
            for p in patterns
        ],
        u.device,
    )
    cos, sin, period, gap, aspect, middle, width, level, strength = p
    x, y = cos * u + sin * v, cos * v - sin * u
    shown = torch.zeros_like(x)
    for kind in sorted({p.kind for p in patterns}):
        at = to_device(torch.tensor([i for i, p in enumerate(patterns) if p.kind == kind]), u.device)
        match kind:
            case "spots":
                mask = smooth_field(dice, len(at), 6, u.shape[-1])[:, 0] > level[at]
            case "band":
                mask = (x[at] - middle[at]).abs() < width[at]
            case _:
                mask = (x[at] / period[at]).frac().abs() < gap[at]
                if kind == "tiles":
                    mask = mask | ((y[at] / period[at] / aspect[at]).frac().abs() < gap[at])
        shown[at] = mask.float()
    return shown * strength


def paint_coats(
    pack: AssetPack, coats: Sequence[Coat], u: Tensor, v: Tensor, pixel: Sequence[float]
) -> Float[Tensor, "N 3 t t"]:
    """Cover local coordinates with one material each: a colour, a texture, or a texture tinted by the colour."""
    colours = to_device(torch.tensor([coat.colour for coat in coats]), u.device)[:, :, None, None]
    painted = colours.expand(-1, -1, *u.shape[1:]).contiguous()
    side = pack.materials.shape[-1]
    for is_minified in (False, True):
        rows = [
            index
            for index, coat in enumerate(coats)
            if coat.texture >= 0 and (coat.scale * pixel[index] * side / 2 > _MINIFIED) == is_minified
        ]
        if not rows:
            continue
        at = to_device(torch.tensor(rows), u.device)
        chosen = [coats[index] for index in rows]
        texture = _textures(pack.small_materials if is_minified else pack.materials, chosen, u[at], v[at])
        # A tint of zero leaves a texture as it is; up to one it goes from the plain colour to the tinted texture.
        (tint,) = columns([(coat.tint,) for coat in chosen], u.device)
        tint = tint[:, None]
        tinted = texture / texture.mean((1, 2, 3), keepdim=True).clamp(min=0.05) * colours[at]
        mixed = torch.lerp(colours[at].expand_as(tinted), tinted, tint)
        painted[at] = torch.where(tint > 0, mixed, texture).clamp(0, 1.3)
    return painted


def _textures(bank: Tensor, coats: Sequence[Coat], u: Tensor, v: Tensor) -> Float[Tensor, "N 3 t t"]:
    """Sample textures at local coordinates, each at its scale, turn and place."""
    pool = to_device(torch.tensor([coat.texture for coat in coats]), u.device)
    rows = [(math.cos(c.turn) * c.scale, math.sin(c.turn) * c.scale, c.dx, c.dy) for c in coats]
    cos, sin, dx, dy = columns(rows, u.device)
    grid = torch.stack([cos * u - sin * v + dx, sin * u + cos * v + dy], -1)
    return F.grid_sample(bank[pool].float(), grid, padding_mode="reflection", align_corners=False).div_(255)


def retone(rgb: Float[Tensor, "N 3 t t"], tones: Sequence[Tone]) -> Float[Tensor, "N 3 t t"]:
    """Give cut-outs another hue, saturation, contrast and brightness."""
    rows = [(t.hue, t.saturation, t.gain, t.contrast) for t in tones]
    hue, saturation, gain, contrast = columns(rows, rgb.device)
    turn = saturation * hue_rotation(hue[:, 0, 0])  # B 3 3
    grey = rgb.mean(1, keepdim=True)
    own = torch.einsum("bij,bjhw->bihw", turn, rgb - grey).add_(grey)
    own.sub_(0.5).mul_(contrast[:, None]).add_(0.5).mul_(gain[:, None])
    return own.clamp_(0, 1.3)


def hue_rotation(angle: Float[Tensor, " N"]) -> Float[Tensor, "N 3 3"]:
    """Rotate colours about the grey axis."""
    c, s = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    identity = torch.eye(3, device=angle.device)
    cross = (identity.roll(1, 0) - identity.roll(1, 1)) / 3**0.5
    return c * identity + (1 - c) / 3 + s * cross


__all__ = ["columns", "hue_rotation", "paint_coats", "paint_skins", "pattern_mask", "retone"]
