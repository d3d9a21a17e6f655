"""Generated scenes: objects over backgrounds with exact visible masks and parts, in batches, on any device.

A scene is painted back to front. `paint` makes the picture and its masks; `photometry.photograph` then does what a
camera does, so that one painted scene can be photographed more than once. Same seed, same device: same scenes.
"""

import math
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice, to_device
from maskwright.train.photometry import smooth_field
from maskwright.train.shapes import SHAPE_KINDS, shade, shape_field

BACKGROUNDS = {"photo": 0.3, "plane": 0.25, "patches": 0.18, "clutter": 0.12, "noise": 0.08, "gradient": 0.07}
# Below this half-size (of the frame's half) the half-resolution cut-outs are used, or they would alias.
_SMALL = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """A batch: pictures in 0..1, how much of each pixel each object covers, and the part index there.

    `extent` is the share of the height and width that the picture fills, from the top left; the rest is to be cut off.
    `words` are indices into the vocabulary for each object, its name, material and colour in any order, -1 where there
    is no further one. `occlusion` is the share of an object within the picture that others hide.
    """

    pictures: Float[Tensor, "B 3 S S"]
    extent: Float[Tensor, "B 2"]
    visible: Float[Tensor, "B O s s"]
    parts: UInt8[Tensor, "B O s s"]
    words: Int[Tensor, "B O W"] | None = None
    occlusion: Float[Tensor, "B O"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """What one layer of one picture holds."""

    kind: str
    size: float
    x: float
    y: float
    turn: float


def paint(dice: Dice, pack: AssetPack, *, batch: int, side: int, max_objects: int = 10) -> Scenes:
    """Paint `batch` scenes of `side` pixels; masks have half the side.

    All objects of one kind are drawn together, whatever picture and layer they belong to, and laid over each other
    afterwards: ten times fewer launches than layer by layer.
    """
    pictures = background(dice, pack, batch, side)
    extents = [_extent(dice) for _ in range(batch)]
    layers = _draw_layers(dice, pack, extents, side, max_objects)
    half = side // 2
    visible = torch.zeros(batch, max_objects, half, half, device=dice.device)
    for layer in range(max_objects):
        alpha = layers.alpha[:, layer].float()
        rgb = camouflage(dice, layers.rgb[:, layer].float(), alpha, pictures)
        pictures = cast_shadow(dice, pictures, alpha)
        clear = dice.chance(0.1, batch, 1, 1, 1)
        alpha_seen = alpha + clear * (see_through(dice, alpha) - alpha)
        pictures = pictures + (rgb - pictures) * alpha_seen
        cover = F.avg_pool2d(alpha, 2)
        visible *= 1 - cover
        visible[:, layer] = cover[:, 0]
    extent = to_device(torch.tensor(extents), dice.device)
    visible *= inside_extent(extent, half)
    return Scenes(pictures=pictures.clamp(0, 1.5), extent=extent, visible=visible, parts=layers.parts)


def inside_extent(extent: Float[Tensor, "B 2"], side: int) -> Float[Tensor, "B 1 s s"]:
    """One where a picture of that extent has pixels, zero beyond."""
    axis = (torch.arange(side, device=extent.device) + 0.5) / side
    rows, columns = axis[None, :, None] < extent[:, 0, None, None], axis[None, None, :] < extent[:, 1, None, None]
    return (rows & columns)[:, None].float()


def _extent(dice: Dice) -> tuple[float, float]:
    """Draw a picture's shape: mostly wide, some tall, some square."""
    kind = dice.number(0, 1)
    short = dice.number(0.55, 0.85)
    if kind < 0.55:
        return (short, 1.0)
    return (1.0, short) if kind < 0.8 else (1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layers:
    """Every object of a batch, drawn but not yet laid over each other. Half precision on a GPU: it is much memory."""

    rgb: Float[Tensor, "B O 3 S S"]
    alpha: Float[Tensor, "B O 1 S S"]
    parts: UInt8[Tensor, "B O s s"]


def _draw_layers(
    dice: Dice, pack: AssetPack, extents: list[tuple[float, float]], side: int, max_objects: int
) -> _Layers:
    batch = len(extents)
    slots = [
        (index * max_objects + layer, slot)
        for index, extent in enumerate(extents)
        for layer, slot in enumerate(_plan(dice, max_objects, extent))
    ]
    dtype = torch.float16 if dice.device.type == "cuda" else torch.float32
    total, half = batch * max_objects, side // 2
    rgb = torch.zeros(total, 3, side, side, device=dice.device, dtype=dtype)
    alpha = torch.zeros(total, 1, side, side, device=dice.device, dtype=dtype)
    parts = torch.zeros(total, half, half, device=dice.device, dtype=torch.uint8)
    chosen = _choose_sprites(dice, pack, batch, max_objects).flatten()
    order = sorted(slots, key=lambda item: item[1].kind)
    table = [(row, slot.x, slot.y, slot.size, slot.turn) for row, slot in order]
    places = to_device(torch.tensor(table, dtype=torch.float32), dice.device)
    start = 0
    for kind, run in _runs([slot.kind for _, slot in order]):
        place = places[start : start + run]
        start += run
        rows = place[:, 0].long()
        drawn, covered, part = _object(dice, pack, kind, place[:, 1:], chosen[rows], side)
        rgb[rows], alpha[rows] = drawn.to(dtype), covered.to(dtype)
        parts[rows] = part[:, 0, ::2, ::2].to(torch.uint8)
    shape = (batch, max_objects)
    return _Layers(rgb=rgb.unflatten(0, shape), alpha=alpha.unflatten(0, shape), parts=parts.unflatten(0, shape))


def _runs(kinds: list[str], most: int = 64) -> list[tuple[str, int]]:
    """Cut sorted kinds into runs of equal kind, none longer than `most` (memory)."""
    runs: list[tuple[str, int]] = []
    for kind, members in groupby(kinds):
        left = len(list(members))
        while left:
            runs.append((kind, min(left, most)))
            left -= runs[-1][1]
    return runs


def _choose_sprites(dice: Dice, pack: AssetPack, batch: int, max_objects: int) -> Int[Tensor, "B O"]:
    """Choose a cut-out for each slot; some repeat the one before: piles, rows, pairs."""
    chosen = torch.multinomial(pack.sprite_weights, batch * max_objects, replacement=True, generator=dice.field)
    chosen = chosen.view(batch, max_objects)
    repeat = dice.chance(0.25, batch, max_objects) > 0
    for layer in range(1, max_objects):
        chosen[:, layer] = torch.where(repeat[:, layer], chosen[:, layer - 1], chosen[:, layer])
    return chosen


def _plan(dice: Dice, max_objects: int, extent: tuple[float, float]) -> list[_Slot]:
    """Decide what one picture holds: mostly larger things behind, sometimes one thing alone."""
    crowd = dice.number(0, 1)
    count = 1 + dice.below(2) if crowd < 0.15 else 2 + dice.below(max_objects - 1)
    largest = dice.log_number(0.25, 0.9)
    sizes = [dice.log_number(0.06, largest) if dice.number(0, 1) < 0.7 else largest for _ in range(count)]
    if dice.number(0, 1) < 0.7:
        sizes.sort(reverse=True)
    slots: list[_Slot] = []
    for size in sizes:
        kind = dice.pick({"sprite": 0.68, "shape": 0.32})
        if kind == "shape":
            kind = dice.pick(SHAPE_KINDS)
        elif size < _SMALL:
            kind = "small sprite"
        turn = dice.number(-0.4, 0.4) if dice.number(0, 1) < 0.6 else dice.number(-math.pi, math.pi)
        y, x = (_place(dice, size, share) for share in extent)
        slots.append(_Slot(kind=kind, size=size, x=x, y=y, turn=turn))
    return slots


def _place(dice: Dice, size: float, share: float) -> float:
    """Draw a centre along one axis: within the picture, seldom so near its end that half of the object is lost."""
    low, high = -1 + 0.6 * size, -1 + 2 * share - 0.6 * size
    if low >= high or dice.number(0, 1) < 0.1:
        low, high = -1, -1 + 2 * share
    return dice.number(low, high)


def _object(
    dice: Dice, pack: AssetPack, kind: str, place: Float[Tensor, "B 4"], chosen: Tensor, side: int
) -> tuple[Float[Tensor, "B 3 S S"], Float[Tensor, "B 1 S S"], Float[Tensor, "B 1 S S"]]:
    """Draw one object into each frame: colour, coverage and part index."""
    u, v = local_coordinates(dice, place, side)
    if kind.endswith("sprite"):
        source = pack.small_sprites if kind.startswith("small") else pack.sprites
        picture = source[chosen].float()
        flip = dice.chance(0.5, len(place), 1, 1) * 2 - 1
        grid = torch.stack([u * flip, v], -1)
        drawn = F.grid_sample(picture[:, :4] / 255, grid, align_corners=False)
        part = F.grid_sample(picture[:, 4:], grid, mode="nearest", align_corners=False)
        alpha = drawn[:, 3:]
        rgb = restyle(dice, pack, drawn[:, :3], u, v)
        return rgb, alpha, part
    field, part = shape_field(dice, kind, u, v)
    alpha = (field * place[:, 2, None, None] * side / 2 + 0.5).clamp(0, 1)[:, None]
    rgb = skin(dice, pack, u, v)
    if kind == "compound":
        for index in (1, 2):
            rgb = torch.where(part[:, None] == index, skin(dice, pack, u, v), rgb)
    return rgb * shade(dice, field, u, v)[:, None], alpha, part[:, None]


def local_coordinates(
    dice: Dice, place: Float[Tensor, "B 4"], side: int
) -> tuple[Float[Tensor, "B S S"], Float[Tensor, "B S S"]]:
    """Map frame pixels to each object's own coordinates: place, turn, stretch, lean, perspective, bend."""
    B = len(place)
    cx, cy, size, turn = (place[:, i, None, None] for i in range(4))
    axis = (torch.arange(side, device=dice.device) + 0.5) / side * 2 - 1
    x, y = (axis[None, None, :] - cx) / size, (axis[None, :, None] - cy) / size
    lean = dice.uniform(-0.25, 0.25, B, 1, 1)
    stretch = torch.exp(dice.normal(B, 1, 1) * 0.15)
    u = (torch.cos(turn) * x + torch.sin(turn) * y) * stretch
    v = (torch.cos(turn) * y - torch.sin(turn) * x) / stretch + lean * u
    depth = (
        1 + dice.uniform(-0.25, 0.25, B, 1, 1) * u.clamp(-2, 2) + dice.uniform(-0.25, 0.25, B, 1, 1) * v.clamp(-2, 2)
    )
    u, v = u / depth.clamp(min=0.4), v / depth.clamp(min=0.4)
    bend = smooth_field(dice, B, 2, side, 2) * (0.05 * dice.chance(0.6, B, 1, 1, 1))
    return u + bend[:, 0], v + bend[:, 1]


def restyle(
    dice: Dice, pack: AssetPack, rgb: Float[Tensor, "B 3 S S"], u: Tensor, v: Tensor
) -> Float[Tensor, "B 3 S S"]:
    """Give a cut-out another look: hue, saturation, brightness, and for some another material under its own shading."""
    B = len(rgb)
    grey = rgb.mean(1, keepdim=True)
    saturation = dice.uniform(0.2, 1.4, B, 1, 1, 1)
    turned = torch.einsum("bij,bjhw->bihw", hue_rotation(dice, B), rgb - grey)
    own = grey + saturation * turned
    other = skin(dice, pack, u, v) * (0.35 + grey)
    own = torch.where(dice.chance(0.3, B, 1, 1, 1) > 0, other, own)
    gain = torch.exp(dice.uniform(-0.7, 0.25, B, 1, 1, 1))
    contrast = dice.uniform(0.5, 1.2, B, 1, 1, 1)
    return (((own - 0.5) * contrast + 0.5) * gain).clamp(0, 1.3)


def hue_rotation(dice: Dice, batch: int) -> Float[Tensor, "B 3 3"]:
    """Rotate colours about the grey axis, half of them by a little."""
    angle = torch.where(dice.chance(0.5, batch) > 0, dice.normal(batch) * 0.2, dice.uniform(-math.pi, math.pi, batch))
    c, s = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    identity = torch.eye(3, device=dice.device)
    cross = (identity.roll(1, 0) - identity.roll(1, 1)) / 3**0.5
    return c * identity + (1 - c) / 3 + s * cross


def skin(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Float[Tensor, "B 3 S S"]:
    """Cover local coordinates with a material, or with two in a pattern: keys, cloth, fur, labels, worn paint.

    Without patterns a network learns that an object has one colour, and takes a keyboard for its keys.
    """
    first, second = material(dice, pack, u, v), material(dice, pack, u, v)
    return first + (second - first) * pattern(dice, u, v)[:, None]


def pattern(dice: Dice, u: Tensor, v: Tensor) -> Float[Tensor, "B S S"]:
    """Draw where the second material shows, 0 to 1: nowhere for half of the objects, else stripes, tiles, a band
    or spots.
    """
    B, S, _ = u.shape
    turn = dice.uniform(0, math.pi, B, 1, 1)
    x, y = torch.cos(turn) * u + torch.sin(turn) * v, torch.cos(turn) * v - torch.sin(turn) * u
    period = torch.exp(dice.uniform(math.log(0.08), math.log(0.8), B, 1, 1))
    gap = dice.uniform(0.1, 0.5, B, 1, 1)
    across, along = (x / period).frac().abs() < gap, (y / period / dice.uniform(0.5, 2, B, 1, 1)).frac().abs() < gap
    middle = dice.uniform(-0.5, 0.5, B, 1, 1)
    band = (x - middle).abs() < dice.uniform(0.05, 0.5, B, 1, 1)
    spots = smooth_field(dice, B, 6, S)[:, 0] > dice.uniform(-0.5, 1, B, 1, 1)
    kind = dice.uniform(0, 1, B, 1, 1)
    shown = torch.where(
        kind < 0.12, across, torch.where(kind < 0.24, across | along, torch.where(kind < 0.38, band, spots))
    )
    return (shown & (kind < 0.5)).float() * dice.uniform(0.4, 1, B, 1, 1)


def material(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Float[Tensor, "B 3 S S"]:
    """Cover local coordinates with one material: a colour, a texture or a piece of a photograph, or a mixture."""
    B = len(u)
    colour = random_colour(dice, B)
    texture = sample_texture(dice, pack, u, v)
    tint = texture / texture.mean((1, 2, 3), keepdim=True).clamp(min=0.05) * colour
    style = dice.uniform(0, 1, B, 1, 1, 1)
    strength = dice.uniform(0, 1, B, 1, 1, 1)
    mixed = colour * (1 - strength) + tint * strength
    return torch.where(style < 0.35, mixed, torch.where(style < 0.7, texture, colour.expand_as(texture))).clamp(0, 1.3)


def random_colour(dice: Dice, batch: int) -> Float[Tensor, "B 3 1 1"]:
    """Draw a colour: real things are often dull, dark or nearly white."""
    vivid = dice.uniform(0, 1, batch, 3, 1, 1)
    level = dice.uniform(0.05, 0.95, batch, 1, 1, 1)
    dull = dice.uniform(0, 1, batch, 1, 1, 1) ** 0.5
    return vivid * (1 - dull) + level * dull


def sample_texture(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Float[Tensor, "B 3 S S"]:
    """Sample a texture or a photograph at local coordinates, at a random scale, turn and place."""
    B = len(u)
    split, total = pack.num_textures, len(pack.materials)
    pool = torch.where(dice.chance(0.5, B) > 0, dice.integers(split, B), split + dice.integers(total - split, B))
    bank = pack.materials[pool].float() / 255
    scale = torch.exp(dice.uniform(math.log(0.1), math.log(0.9), B, 1, 1))
    turn = dice.uniform(0, 2 * math.pi, B, 1, 1)
    c, s = torch.cos(turn) * scale, torch.sin(turn) * scale
    x = c * u - s * v + dice.uniform(-1, 1, B, 1, 1)
    y = s * u + c * v + dice.uniform(-1, 1, B, 1, 1)
    return F.grid_sample(bank, torch.stack([x, y], -1), padding_mode="reflection", align_corners=False)


def camouflage(dice: Dice, rgb: Tensor, alpha: Tensor, under: Tensor) -> Float[Tensor, "B 3 S S"]:
    """Give some objects the mean colour of what is behind them."""
    B = len(rgb)
    area = alpha.sum((2, 3), keepdim=True).clamp(min=1)
    behind = (under * alpha).sum((2, 3), keepdim=True) / area
    own = (rgb * alpha).sum((2, 3), keepdim=True) / area
    amount = dice.chance(0.15, B, 1, 1, 1) * dice.uniform(0.5, 1, B, 1, 1, 1)
    return rgb + amount * (behind - own)


def see_through(dice: Dice, alpha: Tensor) -> Tensor:
    """Make objects clear inside, less so at the rim, as glass and film are."""
    B, _, S, _ = alpha.shape
    small = F.avg_pool2d(alpha, 8)
    inner = F.interpolate(F.avg_pool2d(F.pad(small, (1,) * 4), 3, 1), size=(S, S), mode="bilinear")
    rim = (alpha - inner).clamp(0, 1) * 1.5
    opacity = dice.uniform(0.15, 0.6, B, 1, 1, 1)
    return (alpha * (opacity + rim)).clamp(0, 1)


def cast_shadow(dice: Dice, under: Tensor, alpha: Tensor) -> Tensor:
    """Darken what lies beside an object by a blurred, shifted copy of its outline."""
    B, _, S, _ = alpha.shape
    small = F.avg_pool2d(alpha, 8)
    soft = F.avg_pool2d(F.pad(small, (2,) * 4), 5, 1)
    small = small + dice.uniform(0, 1, B, 1, 1, 1) * (soft - small)
    dx, dy = dice.uniform(-0.08, 0.08, B), dice.uniform(-0.05, 0.12, B)
    theta = torch.zeros(B, 2, 3, device=alpha.device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 2], theta[:, 1, 2] = 1, 1, -dx, -dy
    grid = F.affine_grid(theta, [B, 1, S // 8, S // 8], align_corners=False)
    shifted = F.interpolate(F.grid_sample(small, grid, align_corners=False), size=(S, S), mode="bilinear")
    strength = dice.chance(0.65, B, 1, 1, 1) * dice.uniform(0.1, 0.65, B, 1, 1, 1)
    return under * (1 - strength * shifted)


def background(dice: Dice, pack: AssetPack, batch: int, side: int) -> Float[Tensor, "B 3 S S"]:
    """Paint what the objects stand on or before."""
    pictures = torch.zeros(batch, 3, side, side, device=dice.device)
    kinds = sorted(dice.pick(BACKGROUNDS) for _ in range(batch))
    order = torch.randperm(batch, generator=dice.field, device=dice.device)
    axis = (torch.arange(side, device=dice.device) + 0.5) / side * 2 - 1
    start = 0
    for kind, B in _runs(kinds):
        u, v = axis[None, None, :].expand(B, side, side), axis[None, :, None].expand(B, side, side)
        pictures[order[start : start + B]] = _BACKGROUND_PAINTERS[kind](dice, pack, u, v)
        start += B
    return pictures


def _photo(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    B = len(u)
    split = pack.num_textures
    picture = pack.materials[split + dice.integers(len(pack.materials) - split, B)].float() / 255
    zoom = dice.uniform(0.3, 1, B, 1, 1)
    x = (u * zoom + dice.uniform(-1, 1, B, 1, 1) * (1 - zoom)) * (dice.chance(0.5, B, 1, 1) * 2 - 1)
    y = v * zoom + dice.uniform(-1, 1, B, 1, 1) * (1 - zoom)
    sampled = F.grid_sample(picture, torch.stack([x, y], -1), padding_mode="reflection", align_corners=False)
    return restyle_lightly(dice, sampled)


def restyle_lightly(dice: Dice, rgb: Tensor) -> Tensor:
    """Change a photograph's hue and level without changing what it is of."""
    B = len(rgb)
    grey = rgb.mean(1, keepdim=True)
    turned = torch.einsum("bij,bjhw->bihw", hue_rotation(dice, B), rgb - grey)
    return ((grey + turned * dice.uniform(0.2, 1.1, B, 1, 1, 1)) * dice.uniform(0.6, 1.2, B, 1, 1, 1)).clamp(0, 1)


def _plane(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    """A wall and a floor or table in perspective."""
    B = len(u)
    horizon = dice.uniform(-1.3, 0.5, B, 1, 1) + dice.uniform(-0.15, 0.15, B, 1, 1) * u
    depth = (v - horizon + 0.25).clamp(min=0.1)
    floor = material(dice, pack, u / depth * 1.2, -1.2 / depth)
    wall = material(dice, pack, u, v)
    edge = ((v - horizon) * u.shape[-1] / 2 + 0.5).clamp(0, 1)[:, None]
    return wall * (1 - edge) + floor * edge


def _patches(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    """Regions of different materials that are no objects."""
    B, S, _ = u.shape
    picture = material(dice, pack, u, v)
    for _ in range(3):
        mask = (smooth_field(dice, B, 2, S) > dice.uniform(-0.3, 0.8, B, 1, 1, 1)).float()
        angle = dice.uniform(0, 2 * math.pi, B, 1, 1)
        straight = (torch.cos(angle) * u + torch.sin(angle) * v > dice.uniform(-0.6, 0.6, B, 1, 1)).float()[:, None]
        mask = torch.where(dice.chance(0.5, B, 1, 1, 1) > 0, mask, straight)
        picture = picture * (1 - mask) + material(dice, pack, u, v) * mask
    return picture


def _clutter(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    """Many small cut-outs that nobody asks about, over a material."""
    B = len(u)
    picture = material(dice, pack, u, v)
    for _ in range(2):
        chosen = torch.multinomial(pack.sprite_weights, B * 16, replacement=True, generator=dice.field)
        tiles = pack.small_sprites[chosen, :4].float() / 255
        side = tiles.shape[-1]
        sheet = tiles.view(B, 4, 4, 4, side, side).permute(0, 3, 1, 4, 2, 5).reshape(B, 4, 4 * side, 4 * side)
        turn, scale = dice.uniform(0, 2 * math.pi, B, 1, 1), dice.uniform(0.5, 1.2, B, 1, 1)
        x = scale * (torch.cos(turn) * u - torch.sin(turn) * v) + dice.uniform(-0.2, 0.2, B, 1, 1)
        y = scale * (torch.sin(turn) * u + torch.cos(turn) * v) + dice.uniform(-0.2, 0.2, B, 1, 1)
        drawn = F.grid_sample(sheet, torch.stack([x, y], -1), padding_mode="reflection", align_corners=False)
        picture = picture * (1 - drawn[:, 3:]) + restyle_lightly(dice, drawn[:, :3]) * drawn[:, 3:]
    return picture


def _noise(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    B, S, _ = u.shape
    field = torch.zeros(B, 1, S, S, device=dice.device)
    for cells in (2, 5, 12, 40):
        field = field + smooth_field(dice, B, cells, S) * dice.uniform(0, 1, B, 1, 1, 1)
    mix = torch.sigmoid(field)
    return random_colour(dice, B) * mix + random_colour(dice, B) * (1 - mix)


def _gradient(dice: Dice, pack: AssetPack, u: Tensor, v: Tensor) -> Tensor:
    B, S, _ = u.shape
    corners = random_colour(dice, B) + 0.15 * dice.normal(B, 3, 2, 2)
    return F.interpolate(corners, size=(S, S), mode="bilinear", align_corners=True).clamp(0, 1)


_BACKGROUND_PAINTERS = {
    "photo": _photo, "plane": _plane, "patches": _patches, "clutter": _clutter, "noise": _noise, "gradient": _gradient,
}  # fmt: skip


__all__ = ["BACKGROUNDS", "Scenes", "background", "inside_extent", "paint"]
