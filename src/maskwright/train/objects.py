"""Drawing planned objects, each into a square tile no larger than it needs, tiles of one size together.

Most objects of a scene are small, so tiles have a fifth of the pixels that full frames had: CPUs paint that much
faster. Where a tile lies on the canvas follows from the plan alone, without waiting for a device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice, to_device
from maskwright.train.gloss import forge, relief
from maskwright.train.looks import Light, Skin
from maskwright.train.photometry import smooth_field
from maskwright.train.plan import Slot
from maskwright.train.shapes import shade, shape_field
from maskwright.train.skins import columns, paint_skins, retone
from maskwright.train.wires import draw_wires

# Below this many pixels from side to side the half-resolution cut-outs are used, or they would alias.
_SMALL_SPRITE = 180
# How far a shape reaches in its own coordinates, to each side and up and down.
_REACH = {
    "sprite": (1.0, 1.0), "blob": (1.0, 1.0), "polygon": (1.2, 1.2), "box": (1.2, 0.87), "disk": (0.87, 0.87),
    "rod": (0.12, 0.97), "ring": (1.2, 0.87), "comb": (0.82, 0.82), "compound": (1.2, 1.2), "grate": (0.97, 0.97),
}  # fmt: skip
_TILE_SHARES = {"cpu": (0.125, 0.1875, 0.25, 0.375, 0.5, 0.75), "cuda": (0.25, 0.5)}
# Pixels drawn at once: what stays in a CPU's cache, what fits a GPU's memory.
_PIXELS_AT_ONCE = {"cpu": 2**19, "cuda": 2**24}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """An object in its tile: colour, coverage, part index at half the resolution, and relief if it is of glass."""

    slot: Slot
    top: int
    left: int
    rgb: Float[Tensor, "3 t t"]
    alpha: Float[Tensor, "1 t t"]
    parts: UInt8[Tensor, "t2 t2"]
    shape: Float[Tensor, "3 t t"] | None

    @property
    def side(self) -> int:
        """Side of the tile in pixels."""
        return self.alpha.shape[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    top: int
    left: int
    side: int


def draw_objects(dice: Dice, pack: AssetPack, slots: Sequence[Slot], side: int) -> list[Drawing]:
    """Draw every object, in the order given."""
    shares = _TILE_SHARES.get(dice.device.type, _TILE_SHARES["cuda"])
    sides = sorted({min(side, max(32, math.ceil(side * share / 16) * 16)) for share in shares} | {side})
    windows = [_window(slot, side, sides) for slot in slots]
    order = sorted(range(len(slots)), key=lambda i: (windows[i].side, slots[i].kind, i))
    at_once = _PIXELS_AT_ONCE.get(dice.device.type, _PIXELS_AT_ONCE["cuda"])
    drawings: dict[int, Drawing] = {}
    for tile, members in groupby(order, key=lambda i: windows[i].side):
        alike, most = list(members), max(1, at_once // tile**2)
        for start in range(0, len(alike), most):
            chosen = alike[start : start + most]
            drawn = _draw_tiles(dice, pack, [slots[i] for i in chosen], [windows[i] for i in chosen], side)
            drawings |= dict(zip(chosen, drawn, strict=True))
    return [drawings[i] for i in range(len(slots))]


def _draw_tiles(
    dice: Dice, pack: AssetPack, slots: Sequence[Slot], windows: Sequence[_Window], side: int
) -> list[Drawing]:
    """Draw objects whose tiles have one size; they come sorted by kind."""
    N, t = len(slots), windows[0].side
    u, v = _local_coordinates(dice, slots, windows, side)
    rgb = torch.zeros(N, 3, t, t, device=dice.device)
    alpha, parts = torch.zeros(N, 1, t, t, device=dice.device), torch.zeros(N, 1, t, t, device=dice.device)
    start = 0
    for kind, members in groupby(slots, key=lambda slot: slot.kind):
        of_kind = list(members)
        rows = slice(start, start + len(of_kind))
        start += len(of_kind)
        pixel = [2 / (slot.pose.size * side) for slot in of_kind]
        if kind == "sprite":
            rgb[rows], alpha[rows], parts[rows] = _sprites(dice, pack, of_kind, u[rows], v[rows], pixel)
        elif kind == "wire":
            rgb[rows], alpha[rows] = _wires(dice, pack, of_kind, windows[rows], u[rows], v[rows], side)
        else:
            rgb[rows], alpha[rows], parts[rows] = _shapes(dice, pack, kind, of_kind, u[rows], v[rows], pixel)
    shapes = _finish(pack, slots, rgb, alpha, u, v)
    small = parts[:, 0, ::2, ::2].to(torch.uint8)
    return [
        Drawing(
            slot=slot, top=window.top, left=window.left, rgb=rgb[i], alpha=alpha[i], parts=small[i], shape=shapes.get(i)
        )
        for i, (slot, window) in enumerate(zip(slots, windows, strict=True))
    ]


def _finish(
    pack: AssetPack, slots: Sequence[Slot], rgb: Tensor, alpha: Tensor, u: Tensor, v: Tensor
) -> dict[int, Tensor]:
    """Turn metal into metal, and return the relief of what will be seen through."""
    glossy = [index for index, slot in enumerate(slots) if slot.gloss]
    if not glossy:
        return {}
    at = to_device(torch.tensor(glossy), alpha.device)
    shapes = relief(alpha[at], u[at], v[at])
    metal = [row for row, index in enumerate(glossy) if slots[index].look == "metal"]
    if metal:
        rows = to_device(torch.tensor(metal), alpha.device)
        glosses = [gloss for gloss in (slots[glossy[row]].gloss for row in metal) if gloss]
        rgb[at[rows]] = forge(pack, rgb[at[rows]], shapes[rows], glosses)
    return {index: shapes[row] for row, index in enumerate(glossy) if slots[index].look != "metal"}


def _sprites(
    dice: Dice, pack: AssetPack, slots: Sequence[Slot], u: Tensor, v: Tensor, pixel: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    flips = to_device(torch.tensor([-1.0 if slot.pose.flip else 1.0 for slot in slots]), u.device)
    grid = torch.stack([u * flips[:, None, None], v], -1)
    is_small = [2 / step < _SMALL_SPRITE for step in pixel]
    rgb, alpha, part = (torch.empty(len(slots), n, *u.shape[1:], device=u.device) for n in (3, 1, 1))
    for source, wanted in ((pack.sprites, False), (pack.small_sprites, True)):
        rows = [index for index, flag in enumerate(is_small) if flag == wanted]
        if not rows:
            continue
        at = to_device(torch.tensor(rows), u.device)
        picture = source[to_device(torch.tensor([slots[index].sprite for index in rows]), u.device)].float()
        drawn = F.grid_sample(picture[:, :4], grid[at], align_corners=False).div_(255)
        rgb[at], alpha[at] = drawn[:, :3], drawn[:, 3:]
        part[at] = F.grid_sample(picture[:, 4:], grid[at], mode="nearest", align_corners=False)
    painted = [index for index, slot in enumerate(slots) if slot.skin]
    if painted:
        at = to_device(torch.tensor(painted), u.device)
        skins = [skin for skin in (slots[index].skin for index in painted) if skin]
        other = paint_skins(dice, pack, skins, u[at], v[at], [pixel[index] for index in painted])
        rgb[at] = other * (0.35 + rgb[at].mean(1, keepdim=True))
    return retone(rgb, [slot.tone for slot in slots if slot.tone]), alpha, part


def _shapes(
    dice: Dice, pack: AssetPack, kind: str, slots: Sequence[Slot], u: Tensor, v: Tensor, pixel: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    width, per_pixel = columns([(slot.width, 1 / step) for slot, step in zip(slots, pixel, strict=True)], u.device)
    field, part = shape_field(dice, kind, u, v, width)
    alpha = (field * per_pixel + 0.5).clamp(0, 1)[:, None]
    rgb = paint_skins(dice, pack, _skins(slots), u, v, pixel)
    if all(slot.part_skins for slot in slots):
        for index in (1, 2):
            skins = [slot.part_skins[index - 1] for slot in slots]
            rgb = torch.where(part[:, None] == index, paint_skins(dice, pack, skins, u, v, pixel), rgb)
    return rgb * shade(_lights(slots), field, u, v)[:, None], alpha, part[:, None]


def _wires(
    dice: Dice,
    pack: AssetPack,
    slots: Sequence[Slot],
    windows: Sequence[_Window],
    u: Tensor,
    v: Tensor,
    side: int,
) -> tuple[Tensor, Tensor]:
    corners = [np.array([window.left, window.top]) for window in windows]
    curves = [_wire_pixels(slot, side) - corner for slot, corner in zip(slots, corners, strict=True)]
    alpha, lit = draw_wires(curves, [_wire_width(slot, side) for slot in slots], u.shape[-1], dice.device)
    rgb = paint_skins(dice, pack, _skins(slots), u, v, [2 / (slot.pose.size * side) for slot in slots])
    (amount,) = columns([(light.amount + light.shine,) for light in _lights(slots)], u.device)
    return rgb * (1 + amount[:, None] * (1.3 * lit - 0.35)), alpha


def _skins(slots: Sequence[Slot]) -> list[Skin]:
    return [skin for skin in (slot.skin for slot in slots) if skin]


def _lights(slots: Sequence[Slot]) -> list[Light]:
    return [light for light in (slot.light for slot in slots) if light]


def _wire_width(slot: Slot, side: int) -> float:
    return max(1.0, slot.width * side / 2)


def _wire_pixels(slot: Slot, side: int) -> Float[np.ndarray, "P 2"]:
    """Lay a wire's curve onto the canvas, in pixels."""
    assert slot.curve is not None
    pose = slot.pose
    c, s = math.cos(pose.turn), math.sin(pose.turn)
    curve = slot.curve @ np.array([[c, s], [-s, c]]) * pose.size + (pose.x, pose.y)
    return (curve + 1) * side / 2


def _window(slot: Slot, side: int, sides: Sequence[int]) -> _Window:
    """Find the smallest tile that holds all of an object that is on the canvas."""
    if slot.kind == "wire":
        points = _wire_pixels(slot, side)
        margin = _wire_width(slot, side) / 2 + 2
    else:
        points, margin = _corners(slot, side), 2.0
    low = np.clip(points.min(0) - margin, 0, side - 4)
    high = np.clip(points.max(0) + margin, low + 4, side)
    left, top = (int(x) // 4 * 4 for x in low)
    need = max(float(high[0]) - left, float(high[1]) - top)
    tile = next(size for size in sides if size >= min(need, side))
    return _Window(top=min(top, side - tile), left=min(left, side - tile), side=tile)


def _corners(slot: Slot, side: int) -> Float[np.ndarray, "4 2"]:
    """Find where the corners of an object's own box lie on the canvas: the inverse of `_local_coordinates`."""
    pose = slot.pose
    wide, high = (slot.width, 1.0) if slot.kind == "book" else _REACH[slot.kind]
    slack = 3 * pose.bend + 0.01
    corners = np.array([(x * (wide + slack), y * (high + slack)) for x in (-1, 1) for y in (-1, 1)])
    corners = corners / (1 - corners @ (pose.tilt_u, pose.tilt_v))[:, None]
    across = corners[:, 0] / pose.stretch
    down = (corners[:, 1] - pose.lean * corners[:, 0]) * pose.stretch
    c, s = math.cos(pose.turn), math.sin(pose.turn)
    x, y = c * across - s * down, s * across + c * down
    return (np.stack([pose.x + pose.size * x, pose.y + pose.size * y], 1) + 1) * side / 2


def _local_coordinates(
    dice: Dice, slots: Sequence[Slot], windows: Sequence[_Window], side: int
) -> tuple[Float[Tensor, "N t t"], Float[Tensor, "N t t"]]:
    """Map tile pixels to each object's own coordinates: place, turn, stretch, lean, perspective, bend."""
    t = windows[0].side
    rows = [
        (
            *((window.left + 0.5) / side * 2 - 1 - slot.pose.x, (window.top + 0.5) / side * 2 - 1 - slot.pose.y),
            *(1 / slot.pose.size, math.cos(slot.pose.turn), math.sin(slot.pose.turn), slot.pose.stretch),
            *(slot.pose.lean, slot.pose.tilt_u, slot.pose.tilt_v),
        )
        for slot, window in zip(slots, windows, strict=True)
    ]
    x0, y0, scale, cos, sin, stretch, lean, tilt_u, tilt_v = columns(rows, dice.device)
    axis = torch.arange(t, device=dice.device) * (2 / side)
    x, y = (axis[None, None, :] + x0) * scale, (axis[None, :, None] + y0) * scale
    u = (cos * stretch) * x + (sin * stretch) * y
    v = (cos / stretch) * y - (sin / stretch) * x + lean * u
    depth = (1 + tilt_u * u.clamp(-2, 2) + tilt_v * v.clamp(-2, 2)).clamp_(min=0.4)
    u, v = u / depth, v / depth
    bent = [index for index, slot in enumerate(slots) if slot.pose.bend]
    if bent:
        at = to_device(torch.tensor(bent), dice.device)
        (amount,) = columns([(slots[index].pose.bend,) for index in bent], dice.device)
        field = smooth_field(dice, len(bent), 2, t, 2).clamp(-3, 3)
        u[at] += field[:, 0] * amount
        v[at] += field[:, 1] * amount
    return u, v


__all__ = ["Drawing", "draw_objects"]
