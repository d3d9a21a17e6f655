"""The room around a table: table top, floor, walls, and the lamps that light it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.colours import COLOUR_NAMES, Rgb, draw_colour, name_colour, name_picture
from maskwright.train.tabletop.layout import Lamp, Placed, TexturePicture
from maskwright.train.tabletop.pieces import Piece, Surface, box
from maskwright.train.tabletop.things import Thing

_TABLE_HALF, _FLOOR = 0.75, -0.75


def draw_room(
    rng: np.random.Generator, textures: Sequence[TexturePicture], photos: Sequence[TexturePicture]
) -> tuple[list[Placed], list[SceneSource]]:
    """A table top at z = 0, a floor below and walls around, each plain, textured or, for walls, a photograph."""
    used: list[SceneSource] = []
    placed = [_table(rng, textures, used)]
    floor = _slab("floor", rng, textures, used, [6, 6, 0.02], repeat=rng.uniform(2, 8))
    placed.append(Placed(thing=floor, position=np.array([0, 0, _FLOOR])))
    reach = rng.uniform(1.1, 2.4)
    for turn in range(4):
        c, s = round(math.cos(turn * math.pi / 2)), round(math.sin(turn * math.pi / 2))
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], float)
        wall = _wall(rng, textures, photos, used, [2 * reach, 0.02, 3.4])
        at = rotation @ np.array([0, reach, 0.6])
        placed.append(Placed(thing=replace(wall, hulls=()), position=at, rotation=rotation))
    return placed, used


def _table(rng: np.random.Generator, textures: Sequence[TexturePicture], used: list[SceneSource]) -> Placed:
    half = rng.uniform(0.55, 1.0, 2) * _TABLE_HALF
    thick = rng.uniform(0.02, 0.06)
    top = _slab("table", rng, textures, used, [2 * half[0], 2 * half[1], thick], repeat=rng.uniform(0.7, 2.5))
    surface = Surface(rgb=draw_colour(rng, str(rng.choice(["gray", "black", "white", "brown"]))))
    legs = []
    for x in (-1, 1):
        for y in (-1, 1):
            vertices, faces, _ = box([0.05, 0.05, 0.7])
            at = np.array([x * (half[0] - 0.05), y * (half[1] - 0.05), -thick / 2 - 0.35])
            legs.append(Piece(vertices=vertices + at, faces=faces, surface=surface))
    table = replace(top, pieces=(*top.pieces, *legs), hulls=((0,),))
    return Placed(thing=table, position=np.array([0, 0, -thick / 2]))


def _wall(
    rng: np.random.Generator,
    textures: Sequence[TexturePicture],
    photos: Sequence[TexturePicture],
    used: list[SceneSource],
    size: Sequence[float],
) -> Thing:
    """A wall; one that carries a photograph has no name, because what it shows is no wall."""
    if not photos or rng.random() > 0.5:
        return _slab("wall", rng, textures, used, size, repeat=rng.uniform(1, 4), plain=0.6)
    photo = photos[int(rng.integers(len(photos)))]
    used.append(photo.source)
    surface = Surface(picture=photo.pixels, emission=rng.uniform(0.3, 0.7), specular=0, shininess=0)
    vertices, faces, uv = box(size)
    return Thing(name="", pieces=(Piece(vertices=vertices, faces=faces, uv=uv, surface=surface),))


def _slab(
    name: str,
    rng: np.random.Generator,
    textures: Sequence[TexturePicture],
    used: list[SceneSource],
    size: Sequence[float],
    *,
    repeat: float,
    plain: float = 0.3,
) -> Thing:
    """A large flat thing, plain or textured."""
    vertices, faces, uv = box(size)
    gloss = float(rng.choice([0, 0, 0.05, 0.15])) if name == "table" else 0.0
    if not textures or rng.random() < plain:
        rgb = _plain_colour(rng)
        surface = Surface(rgb=rgb, specular=rng.uniform(0, 0.5), reflectance=gloss)
        colour, material = name_colour(rgb), None
    else:
        picture = textures[int(rng.integers(len(textures)))]
        used.append(picture.source)
        tint = float(rng.uniform(0.6, 1.0))
        rgb = (tint, tint, tint)
        surface = Surface(picture=picture.pixels, rgb=rgb, specular=rng.uniform(0, 0.4), reflectance=gloss)
        colour, material = name_picture(picture.pixels, rgb), picture.material
    piece = Piece(vertices=vertices, faces=faces, uv=uv * repeat * np.array([1, size[1] / size[0]]), surface=surface)
    return Thing(name=name, pieces=(piece,), colour=colour, material=material, hulls=((0,),))


def _plain_colour(rng: np.random.Generator) -> Rgb:
    """A colour of rooms: mostly pale or dark and dull, now and then strong."""
    if rng.random() < 0.25:
        return draw_colour(rng, str(rng.choice(COLOUR_NAMES)))
    value = float(np.clip(rng.normal(0.65, 0.22), 0.05, 1))
    shade = np.clip(value * (1 + rng.normal(0, 0.06, 3)), 0, 1)
    return float(shade[0]), float(shade[1]), float(shade[2])


def draw_lamps(rng: np.random.Generator) -> tuple[tuple[Lamp, ...], float]:
    """One to three lamps of warm or cold white; the first casts shadows, soft ones in half of all scenes."""
    lamps: list[Lamp] = []
    total = rng.uniform(0.65, 1.25)
    shares = rng.dirichlet(np.ones(int(rng.integers(1, 4))) * 2)
    is_soft = rng.random() < 0.5
    for k, share in enumerate(sorted(shares.tolist(), reverse=True)):
        around, out = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 1.2)
        position = np.array([out * math.cos(around), out * math.sin(around), rng.uniform(1.2, 2.2)])
        warmth = rng.normal(0, 0.08)
        rgb = np.clip(total * share * np.array([1 + warmth, 1, 1 - warmth]), 0, 1)
        target = np.array([*rng.normal(0, 0.15, 2), 0])
        casts_shadow = bool(k == 0 or (not is_soft and rng.random() < 0.4))
        lamp = Lamp(position=position, target=target, rgb=_rgb(rgb), casts_shadow=casts_shadow)
        lamps += _softened(rng, lamp) if is_soft and k == 0 else [lamp]
    return tuple(lamps), float(rng.uniform(0.22, 0.5))


def _rgb(values: np.ndarray) -> Rgb:
    return float(values[0]), float(values[1]), float(values[2])


def _softened(rng: np.random.Generator, lamp: Lamp) -> list[Lamp]:
    """A lamp with a size: three weaker ones beside each other, whose shadows add up to one with a soft rim."""
    size = rng.uniform(0.03, 0.16)
    turn = rng.uniform(0, 2 * math.pi) + np.arange(3) * 2 * math.pi / 3
    shifts = size * np.stack([np.cos(turn), np.sin(turn), rng.normal(0, 0.3, 3)], 1)
    rgb = _rgb(np.array(lamp.rgb) / 3)
    return [replace(lamp, position=lamp.position + shift, rgb=rgb) for shift in shifts]


__all__ = ["draw_lamps", "draw_room"]
