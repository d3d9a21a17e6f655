"""What the objects of a scene stand on or before, and which of its regions may be asked for by name."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice, to_device
from maskwright.train.looks import Skin, material_words, roll_coat, roll_colour
from maskwright.train.photometry import smooth_field
from maskwright.train.skins import columns, hue_rotation, paint_coats

BACKGROUNDS = {"photo": 0.3, "plane": 0.27, "patches": 0.16, "clutter": 0.12, "noise": 0.08, "gradient": 0.07}
# How often the wall and the table of a plane, or the first two patches, are things to ask for.
_REGION_CHANCE = {"plane": 0.6, "patches": 0.25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A large plain part of a background: where it is, at half the side, and its names and materials."""

    mask: Float[Tensor, "s s"]
    names: tuple[str, ...]
    materials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """Painted backgrounds, and the regions of each that may be asked for."""

    pictures: Float[Tensor, "B 3 S S"]
    regions: list[list[Region]]


def background(dice: Dice, pack: AssetPack, batch: int, side: int) -> Backdrop:
    """Paint what the objects stand on or before."""
    pictures = torch.zeros(batch, 3, side, side, device=dice.device)
    regions: list[list[Region]] = [[] for _ in range(batch)]
    kinds = [dice.pick(BACKGROUNDS) for _ in range(batch)]
    axis = (torch.arange(side, device=dice.device) + 0.5) / side * 2 - 1
    for kind, members in groupby(sorted(range(batch), key=lambda index: kinds[index]), key=lambda index: kinds[index]):
        rows = list(members)
        u, v = (a.expand(len(rows), side, side) for a in (axis[None, None, :], axis[None, :, None]))
        painted, found = _PAINTERS[kind](dice, pack, u, v)
        pictures[to_device(torch.tensor(rows), dice.device)] = painted
        for row, own in zip(rows, found, strict=False):
            regions[row] = own if dice.number(0, 1) < _REGION_CHANCE[kind] else []
    return Backdrop(pictures=pictures, regions=regions)


_Painted = tuple[Tensor, Sequence[list[Region]]]


def _coats(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Paint one material a picture, and name each where it is sure."""
    coats = [roll_coat(dice, pack) for _ in range(len(u))]
    painted = paint_coats(pack, coats, u, v, [2 / u.shape[-1]] * len(u))
    return painted, [material_words("painted", Skin(first=coat), pack.catalogue.material_words) for coat in coats]


def _photo(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    B, split = len(u), pack.num_textures
    chosen = [split + dice.below(len(pack.materials) - split) for _ in range(B)]
    picture = pack.materials[to_device(torch.tensor(chosen), u.device)].float()
    zoom = dice.uniform(0.3, 1, B, 1, 1)
    x = (u * zoom + dice.uniform(-1, 1, B, 1, 1) * (1 - zoom)) * (dice.chance(0.5, B, 1, 1) * 2 - 1)
    y = v * zoom + dice.uniform(-1, 1, B, 1, 1) * (1 - zoom)
    sampled = F.grid_sample(picture, torch.stack([x, y], -1), padding_mode="reflection", align_corners=False)
    return _restyled(dice, sampled.div_(255)), ()


def _restyled(dice: Dice, rgb: Tensor) -> Tensor:
    """Change a photograph's hue and level without changing what it is of."""
    B = len(rgb)
    angle = torch.where(dice.chance(0.5, B) > 0, dice.normal(B) * 0.2, dice.uniform(-math.pi, math.pi, B))
    grey = rgb.mean(1, keepdim=True)
    turned = torch.einsum("bij,bjhw->bihw", hue_rotation(angle), rgb - grey)
    return ((grey + turned * dice.uniform(0.2, 1.1, B, 1, 1, 1)) * dice.uniform(0.6, 1.2, B, 1, 1, 1)).clamp(0, 1)


def _plane(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    """A wall and a floor or table in perspective."""
    rows = [(dice.number(-1.3, 0.5), dice.number(-0.15, 0.15)) for _ in range(len(u))]
    start, slope = columns(rows, u.device)
    horizon = start + slope * u
    depth = (v - horizon + 0.25).clamp(min=0.1)
    floor, floor_made = _coats(dice, pack, u / depth * 1.2, -1.2 / depth)
    wall, wall_made = _coats(dice, pack, u, v)
    edge = ((v - horizon) * u.shape[-1] / 2 + 0.5).clamp(0, 1)[:, None]
    below = F.avg_pool2d(edge, 2)[:, 0]
    regions = [
        [
            Region(mask=below[i], names=("table", "floor"), materials=floor_made[i]),
            Region(mask=1 - below[i], names=("wall",), materials=wall_made[i]),
        ][: 2 if rows[i][0] > -0.9 else 1]  # a sliver of wall is no wall
        for i in range(len(u))
    ]
    return wall * (1 - edge) + floor * edge, regions


def _patches(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    """Regions of different materials that are no objects."""
    B, S, _ = u.shape
    picture, _ = _coats(dice, pack, u, v)
    masks: list[Tensor] = []
    made: list[list[tuple[str, ...]]] = []
    for _ in range(3):
        mask = (smooth_field(dice, B, 2, S) > dice.uniform(-0.3, 0.8, B, 1, 1, 1)).float()
        angle = dice.uniform(0, 2 * math.pi, B, 1, 1)
        straight = (torch.cos(angle) * u + torch.sin(angle) * v > dice.uniform(-0.6, 0.6, B, 1, 1)).float()[:, None]
        mask = torch.where(dice.chance(0.5, B, 1, 1, 1) > 0, mask, straight)
        over, words = _coats(dice, pack, u, v)
        picture = torch.lerp(picture, over, mask)
        small = F.avg_pool2d(mask, 2)[:, 0]
        masks = [*(earlier * (1 - small) for earlier in masks), small]
        made.append(words)
    return picture, [
        [Region(mask=masks[k][i], names=(), materials=made[k][i]) for k in (1, 2)] for i in range(B)
    ]  # fmt: skip


def _clutter(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    """Many small cut-outs that nobody asks about, over a material."""
    B = len(u)
    picture, _ = _coats(dice, pack, u, v)
    for _ in range(2):
        chosen = torch.multinomial(pack.sprite_weights, B * 16, replacement=True, generator=dice.field)
        tiles = pack.small_sprites[chosen, :4].float() / 255
        side = tiles.shape[-1]
        sheet = tiles.view(B, 4, 4, 4, side, side).permute(0, 3, 1, 4, 2, 5).reshape(B, 4, 4 * side, 4 * side)
        turn, scale = dice.uniform(0, 2 * math.pi, B, 1, 1), dice.uniform(0.5, 1.2, B, 1, 1)
        x = scale * (torch.cos(turn) * u - torch.sin(turn) * v) + dice.uniform(-0.2, 0.2, B, 1, 1)
        y = scale * (torch.sin(turn) * u + torch.cos(turn) * v) + dice.uniform(-0.2, 0.2, B, 1, 1)
        drawn = F.grid_sample(sheet, torch.stack([x, y], -1), padding_mode="reflection", align_corners=False)
        picture = picture * (1 - drawn[:, 3:]) + _restyled(dice, drawn[:, :3]) * drawn[:, 3:]
    return picture, ()


def _noise(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    B, S, _ = u.shape
    field = torch.zeros(B, 1, S, S, device=dice.device)
    for cells in (2, 5, 12, 40):
        field = field + smooth_field(dice, B, cells, S) * dice.uniform(0, 1, B, 1, 1, 1)
    mix = torch.sigmoid(field)
    return torch.lerp(_colours(dice, B), _colours(dice, B), mix), ()


def _gradient(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> _Painted:
    B, S, _ = u.shape
    corners = _colours(dice, B) + 0.15 * dice.normal(B, 3, 2, 2)
    return F.interpolate(corners, size=(S, S), mode="bilinear", align_corners=True).clamp(0, 1), ()


def _colours(dice: Dice, batch: int) -> Float[Tensor, "B 3 1 1"]:
    return to_device(torch.tensor([roll_colour(dice) for _ in range(batch)]), dice.device)[:, :, None, None]


_PAINTERS: dict[str, Callable[[Dice, AssetPack, Tensor, Tensor], _Painted]] = {
    "photo": _photo, "plane": _plane, "patches": _patches, "clutter": _clutter, "noise": _noise, "gradient": _gradient,
}  # fmt: skip


__all__ = ["BACKGROUNDS", "Backdrop", "Region", "background"]
