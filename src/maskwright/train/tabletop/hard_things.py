"""Things that are hard to see: of clear glass, of polished metal, and thinner than a pencil.

Glass and metal are the shapes of `things` with other surfaces, and some of their own; what light does there is painted
by `optics`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from maskwright.train.tabletop.pieces import Optic, Piece, Surface, revolve, torus, tube
from maskwright.train.tabletop.things import (
    Thing,
    Wardrobe,
    ball,
    bottle,
    crockery,
    cube,
    cylinder,
    draw_look,
    fastener,
    tool,
)

Maker = Callable[[np.random.Generator, Wardrobe], Thing]
_GLASS_NAMES = ("cup", "bowl", "vase", "plate", "mug", "bottle", "jar", "ball", "cube", "block", "cylinder", "disk")
_METAL_NAMES = (
    "cup", "bowl", "pot", "pan", "mug", "bottle", "ball", "cylinder", "disk", "spoon", "knife", "fork", "wrench", "nut",
    "bolt", "plate",
)  # fmt: skip
_KEPT_PARTS = ("lid", "label")
_METAL_TINTS = ((0.95, 0.95, 0.96), (0.82, 0.84, 0.87), (1.0, 0.82, 0.5), (0.95, 0.68, 0.52), (0.55, 0.56, 0.6))
_TRIES = 30


def glass_optic(rng: np.random.Generator, *, is_solid: bool) -> Optic:
    """Draw a glass: mostly clear, some tinted; solid glass turns what is behind it around."""
    tint = (1.0, 1.0, 1.0)
    if rng.random() < 0.25:
        r, g, b = 1 - rng.uniform(0, 0.6) * rng.uniform(0, 1, 3)
        tint = (float(r), float(g), float(b))
    bend = rng.uniform(0.8, 1.6) if is_solid else rng.uniform(0.05, 0.45)
    return Optic(
        kind="glass",
        tint=tint,
        bend=-float(bend) if rng.random() < 0.7 else float(bend),
        rim=float(rng.uniform(0.1, 0.7)),
        mirror=float(rng.uniform(0.3, 1.0)),
        shine=float(rng.uniform(0.2, 1.0)),
    )


def metal_optic(rng: np.random.Generator) -> Optic:
    """Draw a metal: steel, brass, copper or dark; some brushed."""
    tint = _METAL_TINTS[int(rng.choice(len(_METAL_TINTS), p=[0.4, 0.25, 0.12, 0.08, 0.15]))]
    return Optic(
        kind="metal",
        tint=tint,
        mirror=float(rng.uniform(0.75, 0.97)),
        shine=float(rng.uniform(0.3, 1.0)),
        blur=float(rng.choice([0.0, rng.uniform(0, 0.8)])),
    )


def of_glass(thing: Thing, optic: Optic) -> Thing:
    """Make a thing of glass, without its lid and label."""
    surface = Surface(rgb=optic.tint, alpha=0.12, specular=1.0, shininess=0.95, optic=optic)
    return _made_of(thing, surface, colour=None, material="glass")


def of_metal(thing: Thing, optic: Optic) -> Thing:
    """Make a thing of polished metal, without its lid and label."""
    red, green, blue = (0.75 * c for c in optic.tint)
    surface = Surface(rgb=(red, green, blue), specular=0.95, shininess=0.9, optic=optic)
    return _made_of(thing, surface, colour=None, material="shiny")


def _made_of(thing: Thing, surface: Surface, *, colour: str | None, material: str) -> Thing:
    pieces = tuple(
        piece if piece.part in _KEPT_PARTS else replace(piece, surface=surface, uv=None) for piece in thing.pieces
    )
    return replace(thing, pieces=pieces, colour=colour, material=material)


def glass_thing(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """Something of glass: a glass with or without a stem, a flask, a bottle, a bowl, a ball, a block."""
    maker = _one_of(
        rng, {stemmed: 0.2, flask: 0.12, tumbler: 0.18, crockery: 0.25, bottle: 0.17, ball: 0.04, cube: 0.04}
    )
    thing = _named(rng, wardrobe, maker, (*_GLASS_NAMES, "glass"))
    return of_glass(thing, glass_optic(rng, is_solid=maker in (ball, cube)))


def metal_thing(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """Something of polished metal: a pot, a bowl, a ball, a can, cutlery, a nut."""
    maker = _one_of(rng, {crockery: 0.4, ball: 0.12, cylinder: 0.14, bottle: 0.1, tool: 0.16, fastener: 0.08})
    return of_metal(_named(rng, wardrobe, maker, _METAL_NAMES), metal_optic(rng))


def _named(rng: np.random.Generator, wardrobe: Wardrobe, maker: Maker, names: Sequence[str]) -> Thing:
    thing = maker(rng, wardrobe)
    for _ in range(_TRIES):
        if thing.name in names:
            break
        thing = maker(rng, wardrobe)
    return thing


def tumbler(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A drinking glass with a thick bottom."""
    radius, height, wall = rng.uniform(0.026, 0.04), rng.uniform(0.07, 0.14), rng.uniform(0.0015, 0.003)
    foot = radius * rng.uniform(0.7, 1.0)
    outer = [(0, 0), (foot, 0), (radius, height)]
    inner = [(radius - wall, height), (foot - wall, 0.012), (0, 0.012)]
    return _turned_thing("glass", [outer, inner])


def stemmed(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A wine glass: foot, stem and bowl."""
    foot, stem, radius = rng.uniform(0.028, 0.038), rng.uniform(0.06, 0.1), rng.uniform(0.026, 0.042)
    height, thick = rng.uniform(0.06, 0.11), rng.uniform(0.0025, 0.0045)
    arc = np.linspace(0, rng.uniform(1.7, 2.3), 12)
    bowl = [(max(thick, radius * math.sin(a)), stem + height * a / arc[-1]) for a in arc.tolist()]
    outer = [(0, 0), (foot, 0), (foot, 0.002), (thick, 0.008), (thick, stem), *bowl[1:]]
    inner = [(max(0.0005, r - 0.0015), z) for r, z in reversed(bowl[1:])]
    return _turned_thing("glass", [outer, [*inner, (0, stem + 0.004)]])


def flask(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A conical flask, a round one, or a test tube that stands."""
    kind = int(rng.integers(3))
    radius, height = rng.uniform(0.03, 0.05), rng.uniform(0.09, 0.15)
    neck = radius * rng.uniform(0.28, 0.4)
    if kind == 0:
        profile = [(0, 0), (radius, 0), (radius, 0.006), (neck, height * 0.65), (neck, height), (neck * 1.25, height)]
    elif kind == 1:
        arc = np.linspace(-math.pi / 2, math.acos(neck / radius), 12).tolist()
        ball_ = [(radius * math.cos(a), radius * (1 + math.sin(a))) for a in arc]
        profile = [*ball_, (neck, height), (neck * 1.25, height)]
    else:
        thin = rng.uniform(0.007, 0.012)
        tip = [(0, 0), (thin * 0.7, 0.002), (thin, thin)]
        return _turned_thing("tube", [[*tip, (thin, height), (thin * 1.2, height)]])
    return _turned_thing("bottle", [profile])


def _turned_thing(name: str, profiles: Sequence[Sequence[tuple[float, float]]]) -> Thing:
    plain = Surface()
    pieces = []
    for profile in profiles:
        vertices, faces, _ = revolve(profile, sides=48)
        pieces.append(Piece(vertices=vertices, faces=faces, surface=plain))
    return Thing(name=name, pieces=tuple(pieces))


def thin_thing(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """Something thin: a whisk, a rack, a ring or coil of wire, a hook, a rod, cutlery, a pen."""
    maker = _one_of(rng, {whisk: 0.15, rack: 0.16, loop: 0.15, coil: 0.14, hook: 0.1, needle: 0.18, slim_tool: 0.12})
    return maker(rng, wardrobe)


def _wire_look(rng: np.random.Generator) -> tuple[Surface, str | None, str | None]:
    """The surface of a wire, its colour and its material: bare metal, or coated."""
    if rng.random() < 0.5:
        optic = replace(metal_optic(rng), blur=0.4)
        red, green, blue = (0.7 * c for c in optic.tint)
        return Surface(rgb=(red, green, blue), specular=0.9, shininess=0.8, optic=optic), None, "metal"
    look = draw_look(rng, ["plastic"], colours=["black", "white", "red", "blue", "green", "gray", "orange"])
    return look.surface, look.colour, "plastic"


def _of_wires(rng: np.random.Generator, name: str, paths: Sequence[np.ndarray], radius: float) -> Thing:
    surface, colour, material = _wire_look(rng)
    pieces = []
    for path in paths:
        vertices, faces = tube(path, radius, sides=8)
        pieces.append(Piece(vertices=vertices, faces=faces, surface=surface))
    lowest = min(float(piece.vertices[:, 2].min()) for piece in pieces)
    moved = tuple(piece.moved(np.eye(3), (0, 0, -lowest)) for piece in pieces)
    return Thing(name=name, pieces=moved, colour=colour, material=material)


def whisk(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A balloon of wires on a thin handle, lying."""
    length, wide = rng.uniform(0.07, 0.11), rng.uniform(0.02, 0.034)
    share = np.linspace(0, 2 * math.pi, 40)
    paths = []
    for turn in np.linspace(0, math.pi, int(rng.integers(3, 6)), endpoint=False).tolist():
        along = length * (1 - np.cos(share)) / 2
        across = wide * np.sin(share) * (0.4 + 0.6 * along / length)
        paths.append(np.stack([along, across * math.cos(turn), across * math.sin(turn)], 1))
    paths.append(np.stack([np.linspace(-rng.uniform(0.08, 0.13), 0.01, 6), np.zeros(6), np.zeros(6)], 1))
    return _of_wires(rng, "whisk", paths, rng.uniform(0.0008, 0.0016))


def rack(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A rack of bars on feet, or one that stands."""
    width, depth = rng.uniform(0.09, 0.2), rng.uniform(0.07, 0.15)
    count, raised = int(rng.integers(4, 10)), rng.uniform(0.01, 0.05)
    paths = [
        np.array([[x, y, raised] for y in np.linspace(-depth / 2, depth / 2, 4)])
        for x in np.linspace(-width / 2, width / 2, count)
    ]
    for y in (-depth / 2, depth / 2):
        paths.append(np.array([[x, y, raised] for x in np.linspace(-width / 2, width / 2, 4)]))
        paths += [np.array([[x, y, z] for z in np.linspace(0, raised, 4)]) for x in (-width / 2, width / 2)]
    standing = _of_wires(rng, "rack", paths, rng.uniform(0.001, 0.0022))
    if rng.random() < 0.6:
        return standing
    upright = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    return replace(standing, pieces=tuple(p.moved(upright, (0, 0, depth / 2)) for p in standing.pieces))


def loop(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A thin ring, or a bunch of them."""
    surface, colour, material = _wire_look(rng)
    radius = rng.uniform(0.015, 0.055)
    pieces = []
    for k in range(int(rng.choice([1, 1, 2, 3]))):
        vertices, faces = torus(radius * rng.uniform(0.85, 1), rng.uniform(0.001, 0.002), sides=40)
        shift = (*rng.uniform(-0.01, 0.01, 2), 0.002 + 0.002 * k)
        pieces.append(Piece(vertices=vertices + np.array(shift), faces=faces, surface=surface))
    return Thing(name="ring", pieces=tuple(pieces), colour=colour, material=material)


def coil(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A coiled wire: a spring that lies or stands."""
    turns, radius, length = rng.uniform(3, 9), rng.uniform(0.008, 0.02), rng.uniform(0.04, 0.12)
    share = np.linspace(0, 1, int(22 * turns))
    round_, along = 2 * math.pi * turns * share, length * (share - 0.5)
    path = np.stack([along, radius * np.cos(round_), radius * np.sin(round_)], 1)
    if rng.random() < 0.4:
        path = path[:, [1, 2, 0]]
    return _of_wires(rng, "wire", [path], rng.uniform(0.0008, 0.0018))


def hook(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A bent wire: a hook, a hanger, a clip."""
    size = rng.uniform(0.03, 0.07)
    knots = np.cumsum(rng.uniform(-1, 1, (int(rng.integers(4, 7)), 2)), 0) * size * 0.6
    at = np.linspace(0, 1, len(knots))
    share = np.linspace(0, 1, 40)
    flat = np.stack([np.interp(share, at, knots[:, axis]) for axis in (0, 1)], 1)
    kernel = np.ones(7) / 7
    smooth = np.stack([np.convolve(np.pad(flat[:, axis], 3, "edge"), kernel, "valid") for axis in (0, 1)], 1)
    smooth -= smooth.mean(0)
    return _of_wires(rng, "hook", [np.column_stack([smooth, np.full(40, 0.002)])], rng.uniform(0.0009, 0.002))


def needle(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A stick or a rod, or several beside and across each other."""
    name = str(rng.choice(["stick", "rod", "pin"]))
    length = rng.uniform(0.05, 0.09) if name == "pin" else rng.uniform(0.1, 0.26)
    paths = []
    for k in range(1 if name == "pin" else int(rng.choice([1, 1, 2, 3]))):
        turn, shift = rng.normal(0, 0.5), rng.uniform(-0.01, 0.01)
        ahead = np.array([math.cos(turn), math.sin(turn)])
        line = np.linspace(-length / 2, length / 2, 5)[:, None] * ahead + np.array([0, shift])
        paths.append(np.column_stack([line, np.full(5, 0.003 * (k + 1))]))
    return _of_wires(rng, name, paths, rng.uniform(0.0008, 0.0025))


def slim_tool(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A pen, pencil, fork or knife, half as thick as usual."""
    thing = _named(rng, wardrobe, tool, ("pen", "pencil", "fork", "knife", "screwdriver", "spoon"))
    slim = np.diag([1.0, 0.55, 0.55])
    return replace(thing, pieces=tuple(piece.moved(slim) for piece in thing.pieces))


def _one_of(rng: np.random.Generator, makers: dict[Maker, float]) -> Maker:
    total = sum(makers.values())
    return list(makers)[int(rng.choice(len(makers), p=[share / total for share in makers.values()]))]


HARD: dict[str, Maker] = {"glass": glass_thing, "specular": metal_thing, "thin": thin_thing}

__all__ = ["HARD", "glass_thing", "metal_thing", "of_glass", "of_metal", "thin_thing"]
