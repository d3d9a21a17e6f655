"""Things that stand on a table, made from nothing but numbers: blocks, crockery, packages, tools, cables, bins.

Each is drawn from a seed with a size, a colour that its name promises, a material, and parts with names. What a thing
is called, what its pieces look like and where they are is decided here; where it stands and how it is lit is not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.train.tabletop.colours import COLOUR_NAMES, draw_colour, name_picture
from maskwright.train.tabletop.pieces import Piece, Surface, box, prism, revolve, torus, tube

Pictures = Sequence[UInt8[np.ndarray, "h w 3"]]
_UPRIGHT_COLOURS = tuple(c for c in COLOUR_NAMES if c not in ("brown", "gray"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thing:
    """Something with a name: pieces about an origin of its own, lowest point at z = 0."""

    name: str
    pieces: tuple[Piece, ...]
    colour: str | None = None
    material: str | None = None
    # What a collision sees: convex bodies, each from these groups of pieces; empty means one hull of everything.
    hulls: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A colour by name with its value, and a material with how it shines."""

    colour: str
    rgb: tuple[float, float, float]
    material: str | None
    surface: Surface


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wardrobe:
    """Pictures that things may wear: wood, and photographs for packages."""

    wood: Pictures = field(default_factory=tuple)
    photos: Pictures = field(default_factory=tuple)


_SHINE = {
    "plastic": (0.5, 0.6), "metal": (0.95, 0.85), "ceramic": (0.8, 0.8), "glass": (0.9, 0.9), "rubber": (0.08, 0.1),
    "fabric": (0.0, 0.0), "wood": (0.15, 0.2), "paper": (0.03, 0.05), "cardboard": (0.03, 0.05),
}  # fmt: skip


def draw_look(rng: np.random.Generator, materials: Sequence[str | None], *, colours: Sequence[str] = ()) -> Look:
    """Draw a colour and one of some materials."""
    colour = str(rng.choice(colours or _UPRIGHT_COLOURS))
    material = materials[int(rng.integers(len(materials)))]
    if material == "metal" and not colours:
        colour = str(rng.choice(["gray", "gray", "black", colour]))
    rgb = draw_colour(rng, colour)
    specular, shininess = _SHINE.get(material or "", (0.3, 0.4))
    # A see-through thing shows what is behind it, so its colour is thin; it is called transparent, not glass.
    alpha = float(rng.uniform(0.18, 0.42)) if material == "transparent" else 1.0
    if material == "transparent":
        specular, shininess = 1.0, 0.95
    surface = Surface(rgb=rgb, alpha=alpha, specular=specular, shininess=shininess)
    return Look(colour=colour, rgb=rgb, material=material, surface=surface)


def _other(rng: np.random.Generator, look: Look, materials: Sequence[str | None] = ("plastic",)) -> Surface:
    """A surface of another colour, for a small part."""
    return draw_look(rng, materials, colours=[c for c in COLOUR_NAMES if c != look.colour]).surface


def _piece(
    shape: tuple[np.ndarray, ...], surface: Surface, part: str | None = None, at: Sequence[float] = (0, 0, 0)
) -> Piece:
    vertices, faces = shape[0] + np.asarray(at), shape[1]
    return Piece(vertices=vertices, faces=faces, uv=shape[2] if len(shape) > 2 else None, surface=surface, part=part)


def _thing(name: str, look: Look, *pieces: Piece) -> Thing:
    return Thing(name=name, pieces=pieces, colour=look.colour, material=look.material)


def _turned(axis: str, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def _polygon(sides: int, radius: float) -> np.ndarray:
    turn = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    return radius * np.stack([np.cos(turn), np.sin(turn)], 1)


def _wooden(rng: np.random.Generator, wardrobe: Wardrobe) -> Look | None:
    """Bare wood with its own colour, when a picture of some is at hand."""
    if not wardrobe.wood:
        return None
    picture = wardrobe.wood[int(rng.integers(len(wardrobe.wood)))]
    surface = Surface(picture=picture, specular=0.15, shininess=0.2)
    return Look(colour=name_picture(picture) or "", rgb=(1, 1, 1), material="wood", surface=surface)


def cube(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A cube or a block of one colour, or of bare wood."""
    look = draw_look(rng, ["plastic", "plastic", "rubber", "wood", None, "transparent"])
    bare = _wooden(rng, wardrobe) if rng.random() < 0.2 else None
    look = bare or look
    side = rng.uniform(0.02, 0.065)
    if rng.random() < 0.6:
        return _uncoloured(_thing("cube", look, _piece(box([side] * 3), look.surface, at=(0, 0, side / 2))))
    size = side * rng.uniform(0.5, 1.8, 3)
    return _uncoloured(_thing("block", look, _piece(box(size), look.surface, at=(0, 0, size[2] / 2))))


def _uncoloured(thing: Thing) -> Thing:
    return replace(thing, colour=thing.colour or None)


def ball(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A ball of one colour."""
    look = draw_look(rng, ["plastic", "rubber", None, "transparent", "metal"])
    radius = rng.uniform(0.012, 0.05)
    arc = np.linspace(-math.pi / 2, math.pi / 2, 17)
    profile = [(radius * math.cos(a), radius * (1 + math.sin(a))) for a in arc.tolist()]
    return _thing("ball", look, _piece(revolve(profile, sides=28), look.surface))


def cylinder(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A cylinder, a peg, a rod, a disk or a coin: the same body with other proportions."""
    name, low, high, slim = {
        0: ("cylinder", 0.015, 0.035, (1.2, 2.5)), 1: ("peg", 0.006, 0.014, (4, 8)), 2: ("rod", 0.004, 0.01, (12, 30)),
        3: ("disk", 0.025, 0.06, (0.1, 0.25)), 4: ("coin", 0.01, 0.016, (0.12, 0.2)),
    }[int(rng.choice(5, p=[0.4, 0.2, 0.15, 0.15, 0.1]))]  # fmt: skip
    materials = ["metal"] if name == "coin" else ["plastic", "wood", "metal", None]
    look = draw_look(rng, materials, colours=["gray", "brown", "yellow"] if name == "coin" else ())
    radius = rng.uniform(low, high)
    height = radius * rng.uniform(*slim)
    profile = [(0, 0), (radius, 0), (radius, height), (0, height)]
    return _thing(name, look, _piece(revolve(profile, sides=28), look.surface))


def pointed(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A cone or a pyramid."""
    look = draw_look(rng, ["plastic", "wood", None])
    radius, height = rng.uniform(0.02, 0.05), rng.uniform(0.03, 0.09)
    if rng.random() < 0.5:
        return _thing("cone", look, _piece(revolve([(0, 0), (radius, 0), (0.001, height)]), look.surface))
    return _thing("pyramid", look, _piece(prism(_polygon(4, radius), height, taper=0), look.surface))


def ring(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A ring, or a roll of tape."""
    outer = rng.uniform(0.02, 0.05)
    if rng.random() < 0.5:
        look = draw_look(rng, ["plastic", "rubber", "metal", None])
        thick = outer * rng.uniform(0.1, 0.3)
        return _thing("ring", look, _piece(torus(outer, thick), look.surface, at=(0, 0, thick)))
    look = draw_look(rng, ["plastic", "paper"])
    inner, height = outer * rng.uniform(0.6, 0.85), rng.uniform(0.012, 0.05)
    roll = [(inner, 0), (outer, 0), (outer, height), (inner, height), (inner, 0)]
    core = [(inner * 0.93, 0), (inner, 0), (inner, height), (inner * 0.93, height), (inner * 0.93, 0)]
    cardboard = Surface(rgb=(0.6, 0.48, 0.33), specular=0.03)
    return _thing("tape", look, _piece(revolve(roll), look.surface), _piece(revolve(core), cardboard, "core"))


def brick(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A toy brick with studs."""
    look = draw_look(rng, ["plastic"])
    unit = rng.uniform(0.008, 0.02)
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(1, 3))
    height = unit * 1.2
    pieces = [_piece(box([columns * unit, rows * unit, height]), look.surface, at=(0, 0, height / 2))]
    stud = [(unit * 0.3, 0), (unit * 0.3, unit * 0.22), (0, unit * 0.22)]
    for i in range(columns):
        for j in range(rows):
            place = ((i - (columns - 1) / 2) * unit, (j - (rows - 1) / 2) * unit, height)
            pieces.append(_piece(revolve(stud, sides=14), look.surface, at=place))
    return _thing("brick", look, *pieces)


def crockery(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A mug, cup, bowl, plate, pot, vase or pan: a hollow body of revolution, some with a handle."""
    name = str(rng.choice(["mug", "mug", "cup", "bowl", "bowl", "plate", "pot", "vase", "pan"]))
    materials: dict[str, list[str | None]] = {
        "cup": ["plastic", "transparent", "transparent", "paper"], "pot": ["metal"], "pan": ["metal"],
        "bowl": ["ceramic", "plastic", "wood", "metal", "transparent"], "vase": ["ceramic", "transparent"],
    }  # fmt: skip
    look = draw_look(rng, materials.get(name, ["ceramic", "ceramic", "plastic", "metal"]))
    if look.material == "wood":
        look = _wooden(rng, wardrobe) or look
    radius, height, profile = _hollow(rng, name)
    inside = look.surface
    if name in ("mug", "bowl") and rng.random() < 0.35 and look.material == "ceramic":
        inside = replace(look.surface, rgb=draw_colour(rng, "white"))
    split = int(np.argmax([z for _, z in profile])) + 1
    pieces = [_piece(revolve(profile[:split]), look.surface), _piece(revolve(profile[split - 1 :]), inside)]
    if name == "mug":
        pieces.append(_piece(_ear(radius, height, rng), look.surface, "handle"))
    elif name == "pot":
        pieces += [_piece(_ear(radius, height, rng, side=side), look.surface, "handle") for side in (1, -1)]
    elif name == "pan":
        length = rng.uniform(0.12, 0.18)
        grip = np.stack([np.linspace(radius * 0.95, radius + length, 8), np.zeros(8), np.full(8, height * 0.8)], 1)
        pieces.append(_piece(tube(grip, rng.uniform(0.007, 0.012)), _other(rng, look), "handle"))
    return _uncoloured(_thing(name, look, *pieces))


def _hollow(rng: np.random.Generator, name: str) -> tuple[float, float, list[tuple[float, float]]]:
    """Draw radius, height and profile of a vessel: up the outside, over the rim, down the inside."""
    radius, height, foot, belly = {
        "mug": (rng.uniform(0.035, 0.05), rng.uniform(0.08, 0.11), rng.uniform(0.75, 1), 0.0),
        "cup": (rng.uniform(0.03, 0.042), rng.uniform(0.07, 0.13), rng.uniform(0.65, 0.85), 0.0),
        "bowl": (rng.uniform(0.055, 0.1), rng.uniform(0.04, 0.075), rng.uniform(0.4, 0.55), 0.16),
        "plate": (rng.uniform(0.07, 0.13), rng.uniform(0.012, 0.022), rng.uniform(0.55, 0.7), 0.0),
        "pot": (rng.uniform(0.07, 0.11), rng.uniform(0.07, 0.13), rng.uniform(0.9, 1), 0.0),
        "pan": (rng.uniform(0.08, 0.13), rng.uniform(0.03, 0.05), rng.uniform(0.75, 0.9), 0.0),
        "vase": (rng.uniform(0.03, 0.055), rng.uniform(0.12, 0.22), rng.uniform(0.5, 1), rng.uniform(-0.1, 0.35)),
    }[name]
    wall = rng.uniform(0.0025, 0.005)
    share = np.linspace(0, 1, 11)
    outer = [(radius * (foot + (1 - foot) * s + belly * math.sin(math.pi * s)), height * s) for s in share.tolist()]
    inner = [(r - wall, max(z, wall)) for r, z in reversed(outer)]
    return radius, height, [(0, 0), *outer, *inner, (0, wall)]


def _ear(radius: float, height: float, rng: np.random.Generator, *, side: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A handle beside a vessel."""
    turn = np.linspace(-math.pi / 2, math.pi / 2, 13)
    reach, span = rng.uniform(0.02, 0.032), height * rng.uniform(0.25, 0.36)
    path = np.stack([radius * 0.94 + reach * np.cos(turn), 0 * turn, height * 0.52 + span * np.sin(turn)], 1)
    return tube(path * [side, 1, 1], rng.uniform(0.003, 0.006))


def bottle(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A bottle or a jar with a lid, perhaps a label."""
    is_jar = rng.random() < 0.35
    look = draw_look(rng, ["plastic", "plastic", "transparent", "transparent", "metal"])
    radius = rng.uniform(0.03, 0.045) if is_jar else rng.uniform(0.022, 0.038)
    height = radius * (rng.uniform(1.8, 2.8) if is_jar else rng.uniform(3.5, 5.5))
    neck = radius * (0.85 if is_jar else rng.uniform(0.3, 0.5))
    bend = np.linspace(0, math.pi / 2, 6)
    shoulder = [
        (neck + (radius - neck) * math.cos(a), height * 0.72 + height * 0.14 * math.sin(a)) for a in bend.tolist()
    ]
    profile = [(0, 0), (radius, 0), *shoulder, (neck, height * 0.95), (0, height * 0.95)]
    lid = [(0, height * 0.9), (neck * 1.15, height * 0.9), (neck * 1.15, height), (0, height)]
    pieces = [_piece(revolve(profile), look.surface), _piece(revolve(lid), _other(rng, look), "lid")]
    if rng.random() < 0.5:
        low, high = height * rng.uniform(0.1, 0.2), height * rng.uniform(0.45, 0.68)
        label = [(radius * 1.01, low), (radius * 1.01, high)]
        picture = printed(rng, wardrobe, draw_look(rng, ["paper"]), 256, 512)
        pieces.append(_piece(revolve(label), Surface(picture=picture, specular=0.1), "label"))
    return _thing("jar" if is_jar else "bottle", look, *pieces)


def printed(
    rng: np.random.Generator, wardrobe: Wardrobe, look: Look, height: int, width: int, *, photo_share: float = 0.25
) -> UInt8[np.ndarray, "h w 3"]:
    """A printed label or a package's face: one colour in the main, a photograph, bars and letters on it."""
    base = np.array(look.rgb) * 255
    page = np.empty((height, width, 3), np.uint8)
    page[:] = base
    if wardrobe.photos and rng.random() < 0.7:
        photo = wardrobe.photos[int(rng.integers(len(wardrobe.photos)))]
        side = math.sqrt(photo_share * height * width)
        h, w = int(min(height * 0.9, side * rng.uniform(0.7, 1.3))), int(min(width * 0.9, side * rng.uniform(0.7, 1.3)))
        top, left = int(rng.integers(height - h)), int(rng.integers(width - w))
        size = min(photo.shape[:2])
        crop = int(size * rng.uniform(0.3, 0.9))
        y, x = int(rng.integers(photo.shape[0] - crop)), int(rng.integers(photo.shape[1] - crop))
        page[top : top + h, left : left + w] = cv2.resize(photo[y : y + crop, x : x + crop], (w, h))
    for _ in range(int(rng.integers(0, 3))):
        bar = (np.array(draw_colour(rng, str(rng.choice(COLOUR_NAMES)))) * 255).astype(int).tolist()
        y = int(rng.integers(height))
        cv2.rectangle(page, (0, y), (width, y + int(height * rng.uniform(0.02, 0.08))), bar, -1)
    ink = (255, 255, 255) if base.mean() < 120 else (20, 20, 20)
    for _ in range(int(rng.integers(1, 5))):
        word = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYZ"), int(rng.integers(3, 9))))
        scale, place = rng.uniform(0.4, 2.2), (int(rng.integers(width // 2)), int(rng.integers(20, height)))
        cv2.putText(page, word, place, int(rng.choice([0, 2, 3, 4])), scale, ink, int(rng.integers(1, 5)), cv2.LINE_AA)
    for row in range(int(height * 0.8), int(height * 0.95), 9):
        cv2.putText(page, "lorem ipsum dolor", (8, row), 0, 0.3, ink, 1, cv2.LINE_AA)
    return page


def package(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A printed carton or box, a plain cardboard box, a can with a label, or a book."""
    kind = str(rng.choice(["box", "carton", "cardboard", "can", "can", "book", "book"]))
    look = draw_look(rng, ["metal" if kind == "can" else "paper"])
    if kind == "can":
        radius, height = rng.uniform(0.026, 0.038), rng.uniform(0.06, 0.13)
        rim = Surface(rgb=draw_colour(rng, "gray"), specular=0.9, shininess=0.8)
        end = [(radius * 0.9, 0), (radius, 0.003)]
        ends = [(0, 0), *end, *[(r, height - z) for r, z in reversed(end)], (radius * 0.88, height - 0.004)]
        ends.append((0, height - 0.004))
        side = Surface(picture=printed(rng, wardrobe, look, 256, 512), specular=0.6, shininess=0.6)
        wall = [(radius * 1.005, 0.003), (radius * 1.005, height - 0.003)]
        return _thing("can", look, _piece(revolve(ends), rim, "lid"), _piece(revolve(wall), side))
    if kind == "cardboard":
        brown = Surface(rgb=(0.55 + rng.uniform(-0.1, 0.1), 0.42, 0.27), specular=0.03, shininess=0.05)
        size = rng.uniform(0.06, 0.2, 3)
        strip = Surface(rgb=(0.72, 0.6, 0.4), specular=0.4, shininess=0.6)
        tape = box([size[0] * 1.004, size[1] * 0.16, size[2] * 1.004])
        pieces = (_piece(box(size), brown, at=(0, 0, size[2] / 2)), _piece(tape, strip, "tape", (0, 0, size[2] / 2)))
        return Thing(name="box", pieces=pieces, colour="brown", material="cardboard")
    if kind == "book":
        size = np.array([rng.uniform(0.1, 0.17), rng.uniform(0.14, 0.24), rng.uniform(0.012, 0.04)])
        cover = Surface(picture=printed(rng, wardrobe, look, 384, 256, photo_share=0.15), specular=0.2)
        leaf, board = size * [0.97, 0.96, 0.86], [size[0], size[1], size[2] * 0.07]
        paper = Surface(rgb=(0.9, 0.87, 0.78), specular=0)
        pieces = [_piece(box(leaf), paper, "paper", (0.004, 0, size[2] / 2))]
        pieces += [_piece(box(board), cover, at=(0, 0, z)) for z in (board[2] / 2, size[2] - board[2] / 2)]
        pieces.append(_piece(box([0.004, size[1], size[2]]), look.surface, at=(-size[0] / 2, 0, size[2] / 2)))
        return _thing("book", look, *pieces)
    size = rng.uniform([0.05, 0.025, 0.07], [0.16, 0.07, 0.24])
    face = Surface(picture=printed(rng, wardrobe, look, 384, 256), specular=0.15, shininess=0.3)
    return _thing(kind, look, _piece(box(size), face, at=(0, 0, size[2] / 2)))


def tool(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A screwdriver, hammer, wrench, brush, spoon, knife, fork, pen, pencil or candle: something long with a grip."""
    name = str(
        rng.choice(["screwdriver", "hammer", "wrench", "brush", "spoon", "knife", "fork", "pen", "pencil", "candle"])
    )
    look = draw_look(rng, ["plastic", "plastic", "wood", "rubber"])
    steel = Surface(rgb=draw_colour(rng, "gray"), specular=0.95, shininess=0.85)
    length = rng.uniform(0.12, 0.24)
    lie = _turned("y", math.pi / 2)

    def along(profile: list[tuple[float, float]], surface: Surface, part: str | None) -> Piece:
        piece = _piece(revolve(profile, sides=18), surface, part)
        return piece.moved(lie)

    pieces: list[Piece]
    if name in ("pen", "pencil", "candle"):
        thick = {"pen": 0.005, "pencil": 0.0037, "candle": 0.011}[name]
        body = [(0, 0), (thick, 0), (thick, length * 0.85), (thick * 0.3, length * 0.97), (0, length)]
        pieces = [along(body, look.surface, None)]
        if name == "candle":
            pieces = [along([(0, 0), (thick, 0), (thick, length * 0.8), (0, length * 0.8)], look.surface, None)]
            pieces.append(along([(0.001, length * 0.8), (0.001, length * 0.86)], steel, "string"))
        material = {"pencil": "wood", "pen": "plastic"}.get(name)
        return replace(_thing(name, look, *pieces), material=material)
    grip = length * rng.uniform(0.4, 0.5)
    thick = rng.uniform(0.007, 0.015)
    handle = [(0, 0), (thick * 0.8, 0), (thick, grip * 0.3), (thick * 0.8, grip * 0.6), (thick, grip), (0, grip)]
    pieces = [along(handle, look.surface, "handle")]
    pieces.append(along([(0, grip), (thick * 0.4, grip), (thick * 0.4, length), (0, length)], steel, None))
    pieces += _head(rng, name, length, thick, steel, look)
    return _thing(name, look, *pieces)


def _head(rng: np.random.Generator, name: str, length: float, thick: float, steel: Surface, look: Look) -> list[Piece]:
    """What a tool has at its other end."""
    if name == "hammer":
        head = tube(np.stack([np.full(6, length), np.linspace(-0.05, 0.04, 6), np.zeros(6)], 1), thick * 1.2)
        return [_piece(head, steel, "head")]
    if name == "brush":
        bristle = Surface(rgb=draw_colour(rng, str(rng.choice(["white", "black", "brown"]))), specular=0)
        return [_piece(box([0.05, thick * 3, thick]), bristle, "head", (length + 0.025, 0, 0))]
    if name == "spoon":
        bowl = [(0.02 * math.cos(a), 0.008 * math.sin(a)) for a in np.linspace(-math.pi / 2, 0, 8).tolist()]
        cap = _piece(revolve(bowl), steel, "head", (0, 0, 0)).moved(np.diag([1.5, 1, 1]), (length + 0.028, 0, 0.004))
        return [cap]
    if name == "knife":
        return [_piece(box([0.1, 0.018, 0.0015]), steel, "head", (length + 0.04, 0.004, 0))]
    if name == "fork":
        prongs = [
            _piece(box([0.035, 0.002, 0.002]), steel, "head", (length + 0.028, y, 0))
            for y in (-8e-3, -3e-3, 3e-3, 8e-3)
        ]
        return [*prongs, _piece(box([0.012, 0.02, 0.002]), steel, "head", (length + 0.006, 0, 0))]
    if name == "wrench":
        jaws = [_piece(box([0.028, 0.008, 0.008]), steel, "head", (length + 0.02, y, 0)) for y in (-0.012, 0.012)]
        return [*jaws, _piece(box([0.012, 0.032, 0.008]), steel, "head", (length + 0.006, 0, 0))]
    return []


def fastener(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A hexagonal nut, a bolt, or a battery."""
    name = str(rng.choice(["nut", "bolt", "battery"]))
    if name == "battery":
        look = draw_look(rng, ["metal"], colours=_UPRIGHT_COLOURS)
        radius, height = rng.uniform(0.006, 0.016), rng.uniform(0.045, 0.06)
        steel = Surface(rgb=draw_colour(rng, "gray"), specular=0.9, shininess=0.8)
        tip = [(radius * 0.35, height), (radius * 0.35, height * 1.04), (0, height * 1.04)]
        body = [(0, 0), (radius, 0), (radius, height), (0, height)]
        return _thing(name, look, _piece(revolve(body), look.surface), _piece(revolve(tip), steel))
    look = draw_look(rng, ["metal"], colours=["gray", "gray", "black", "yellow"])
    radius = rng.uniform(0.008, 0.025)
    if name == "nut":
        thick = radius * 0.8
        hexagon, hole = _polygon(6, radius), _polygon(24, radius * 0.52)
        outer = prism(hexagon, thick)
        rim = _between(hexagon, hole, thick)
        sides = outer[1][8:]  # drop the two closed ends, whose place the rims take
        return _thing(
            "nut", look, _piece((outer[0], sides), look.surface), *[_piece(shape, look.surface) for shape in rim]
        )
    shaft, length = radius * 0.5, radius * rng.uniform(3, 6)
    head = _piece(prism(_polygon(6, radius), radius * 0.7), look.surface, "head")
    thread = [(0, 0), (shaft, 0), (shaft, length), (0, length)]
    return _thing("bolt", look, head, _piece(revolve(thread, sides=16), look.surface, at=(0, 0, radius * 0.7)))


def _between(outer: np.ndarray, inner: np.ndarray, height: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """The flat rings at z = 0 and z = height between two outlines, and the wall of the hole."""
    K = len(inner)
    angle = np.arctan2(inner[:, 1], inner[:, 0])
    sector = (angle % (2 * math.pi / len(outer))) - math.pi / len(outer)
    edge = np.linalg.norm(outer[0]) * math.cos(math.pi / len(outer)) / np.cos(sector)
    rim = np.stack([np.cos(angle), np.sin(angle)], 1) * edge[:, None]
    ring_index = np.arange(K)
    after = (ring_index + 1) % K
    faces = np.concatenate(
        [np.stack([ring_index, after, after + K], 1), np.stack([ring_index, after + K, ring_index + K], 1)]
    )
    shapes = []
    for z, order in ((height, faces), (0.0, faces[:, ::-1])):
        shapes.append((np.column_stack([np.concatenate([rim, inner]), np.full(2 * K, z)]), order))
    low, high = np.column_stack([inner, np.zeros(K)]), np.column_stack([inner, np.full(K, height)])
    shapes.append((np.concatenate([high, low]), faces))
    return shapes


def container(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A bin, tray, crate, basket or open box that others fall into: a floor and four walls."""
    name = str(rng.choice(["bin", "bin", "tray", "tray", "crate", "box", "basket"]))
    materials = {"crate": ["wood"], "box": ["cardboard"], "tray": ["plastic", "wood", "metal"]}
    look = draw_look(rng, materials.get(name, ["plastic"]))
    if look.material == "wood":
        look = _wooden(rng, wardrobe) or look
    if look.material == "cardboard":
        rgb = (0.55 + float(rng.uniform(-0.1, 0.1)), 0.42, 0.27)
        look = replace(look, colour="brown", rgb=rgb, surface=replace(look.surface, rgb=rgb))
    width, depth = rng.uniform(0.2, 0.36), rng.uniform(0.16, 0.28)
    height = rng.uniform(0.02, 0.04) if name == "tray" else rng.uniform(0.06, 0.14)
    wall = rng.uniform(0.003, 0.008) if name != "crate" else 0.01
    pieces = [_piece(box([width, depth, wall]), look.surface, at=(0, 0, wall / 2))]
    for side in (-1, 1):
        pieces.append(
            _piece(box([width, wall, height]), look.surface, "side", (0, side * (depth - wall) / 2, height / 2))
        )
        pieces.append(
            _piece(box([wall, depth, height]), look.surface, "side", (side * (width - wall) / 2, 0, height / 2))
        )
    hulls = tuple((i,) for i in range(5))
    if rng.random() < 0.25 and name in ("bin", "basket", "crate"):
        grip = np.stack([np.linspace(-0.04, 0.04, 9), np.zeros(9), 0.02 * np.sin(np.linspace(0, math.pi, 9))], 1)
        for side in (-1, 1):
            at = (0, side * (depth / 2 + 0.004), height * 0.85)
            pieces.append(_piece(tube(grip, 0.005), _other(rng, look), "handle", at))
    thing = Thing(name=name, pieces=tuple(pieces), colour=look.colour, material=look.material, hulls=hulls)
    return _uncoloured(thing)


def cabinet(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A small cabinet with drawers, one of them open perhaps, or with a door; each has a handle, and both are parts."""
    look = _wooden(rng, wardrobe) if rng.random() < 0.5 else None
    look = look or draw_look(rng, ["plastic", "wood", "metal"])
    front = look.surface if rng.random() < 0.5 else _other(rng, look)
    knob = _other(rng, look, ["metal"])
    width, depth, height = rng.uniform(0.18, 0.32), rng.uniform(0.15, 0.24), rng.uniform(0.16, 0.3)
    size, wall = (width, depth, height), _BOARD
    pieces = [
        _piece(box([width, depth, wall]), look.surface, at=(0, 0, wall / 2)),
        _piece(box([width, depth, wall]), look.surface, at=(0, 0, height - wall / 2)),
        _piece(box([width, wall, height]), look.surface, at=(0, depth / 2, height / 2)),
    ]
    pieces += [_piece(box([wall, depth, height]), look.surface, at=(s * width / 2, 0, height / 2)) for s in (-1, 1)]
    pieces += _door(rng, size, front, knob) if rng.random() < 0.35 else _drawers(rng, size, front, knob)
    # Boards collide each for itself, so that things fall into an open drawer; handles do not.
    hulls = tuple((i,) for i, piece in enumerate(pieces) if not (piece.part or "").startswith("handle"))
    thing = Thing(name="cabinet", pieces=tuple(pieces), colour=look.colour, material=look.material, hulls=hulls)
    return _uncoloured(thing)


_BOARD = 0.01


def _drawers(rng: np.random.Generator, size: tuple[float, float, float], front: Surface, knob: Surface) -> list[Piece]:
    """One to three drawers above each other, at most one of them pulled out."""
    width, depth, height = size
    count = int(rng.integers(1, 4))
    opened = int(rng.integers(count)) if rng.random() < 0.7 else -1
    each = (height - 2 * _BOARD) / count
    pieces = []
    for k in range(count):
        name = f"drawer#{k}"
        pull = rng.uniform(0.03, depth * 0.7) if k == opened else 0.0
        low, y = _BOARD + k * each, -depth / 2 - pull
        pieces.append(_piece(box([width - 0.008, _BOARD, each - 0.006]), front, name, (0, y, low + each / 2)))
        if pull:
            pieces.append(_piece(box([width - 0.03, depth, 0.004]), front, name, (0, y + depth / 2, low + 0.01)))
            for s in (-1, 1):
                at = (s * (width - 0.03) / 2, y + depth / 2, low + each * 0.35)
                pieces.append(_piece(box([0.004, depth, each * 0.6]), front, name, at))
        at = (0, y - _BOARD / 2, low + each / 2)
        pieces.append(_piece(_grip(rng, width), knob, f"handle#{k}", at))
    return pieces


def _door(rng: np.random.Generator, size: tuple[float, float, float], front: Surface, knob: Surface) -> list[Piece]:
    """A door on hinges at one side, closed or ajar, with an upright handle at the other."""
    width, depth, height = size
    hinge = float(rng.choice([-1, 1]))
    ajar = float(rng.choice([0.0, rng.uniform(0.2, 1.9)], p=[0.35, 0.65]))
    leaf = _piece(box([width, _BOARD, height - 0.006]), front, "door", (-hinge * width / 2, 0, 0))
    grip = _piece(_grip(rng, height), knob, "handle").moved(
        _turned("y", math.pi / 2), (-hinge * width * 0.88, -_BOARD / 2, 0)
    )
    at = (hinge * width / 2, -depth / 2 - _BOARD / 2, height / 2)
    return [piece.moved(_turned("z", hinge * ajar), at) for piece in (leaf, grip)]


def _grip(rng: np.random.Generator, width: float) -> tuple[np.ndarray, np.ndarray]:
    """A bar handle in front of a drawer or a door."""
    half, out = width * rng.uniform(0.12, 0.25), rng.uniform(0.015, 0.03)
    path = np.array([[-half, 0, 0], [-half, -out * 0.8, 0], [-half * 0.8, -out, 0], [half * 0.8, -out, 0],
                     [half, -out * 0.8, 0], [half, 0, 0]])  # fmt: skip
    return tube(path, rng.uniform(0.003, 0.006))


def cable(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """A cable, wire, rope or hose that lies about in bends and loops, some with a plug; a few pixels wide."""
    name, radius, materials = {
        0: ("cable", rng.uniform(0.0012, 0.004), ["rubber", "plastic"]),
        1: ("wire", rng.uniform(0.0006, 0.0015), ["metal", "plastic"]),
        2: ("rope", rng.uniform(0.002, 0.005), ["fabric"]),
        3: ("hose", rng.uniform(0.005, 0.009), ["rubber", "plastic"]),
        4: ("string", rng.uniform(0.0006, 0.0012), ["fabric"]),
    }[int(rng.choice(5, p=[0.42, 0.25, 0.13, 0.1, 0.1]))]
    look = draw_look(
        rng, materials, colours=["black", "black", "white", "red", "gray", "blue", "green", "yellow", "orange"]
    )
    path = _meander(rng, radius)
    pieces = [_piece(tube(path, radius, sides=8), look.surface)]
    if name == "cable" and rng.random() < 0.5:
        end, before = path[-1], path[-4]
        turn = math.atan2(end[1] - before[1], end[0] - before[0])
        plug = _piece(box([0.03, 0.014, 0.009]), look.surface, "plug").moved(
            _turned("z", turn), (end[0], end[1], 0.0045)
        )
        pieces.append(plug)
    return Thing(name=name, pieces=tuple(pieces), colour=look.colour, material=look.material)


def _meander(rng: np.random.Generator, radius: float) -> np.ndarray:
    """A smooth path on the table, rising a little where it crosses itself or spans the air."""
    steps = int(rng.integers(60, 220))
    length = rng.uniform(0.3, 1.2)
    bend = np.cumsum(rng.normal(0, 0.06, steps)) + rng.normal(0, 0.02)
    bend = np.convolve(bend, np.ones(9) / 9, "same") * rng.uniform(0.3, 1.0)
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(bend) * 0.3
    step = length / steps
    xy = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * step, 0)
    xy -= xy.mean(0)
    lift = np.interp(np.arange(steps), np.linspace(0, steps, 8), np.maximum(0, rng.normal(-0.5, 1, 8)))
    lift = np.convolve(lift, np.ones(15) / 15, "same") * rng.choice([0.002, 0.01, 0.05], p=[0.5, 0.3, 0.2])
    return np.column_stack([xy, radius + lift])


MAKERS: dict[Callable[[np.random.Generator, Wardrobe], Thing], float] = {
    cube: 0.17, ball: 0.09, cylinder: 0.1, pointed: 0.05, ring: 0.05, brick: 0.05, crockery: 0.16, bottle: 0.1,
    package: 0.13, tool: 0.07, fastener: 0.03,
}  # fmt: skip


def draw_thing(rng: np.random.Generator, wardrobe: Wardrobe) -> Thing:
    """Draw something small that can be dropped."""
    makers = list(MAKERS)
    return makers[int(rng.choice(len(makers), p=np.array(list(MAKERS.values())) / sum(MAKERS.values())))](rng, wardrobe)


__all__ = ["MAKERS", "Look", "Thing", "Wardrobe", "cabinet", "cable", "container", "draw_look", "draw_thing"]
