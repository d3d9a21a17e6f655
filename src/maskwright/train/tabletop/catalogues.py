"""Meshes that others made: household things of furniture catalogues and simulator packages, with names and licences.

Folders are given by the user; nothing of them is in this package. What is not known to be under a permissive licence is
not offered. A catalogue's name for a thing is turned into words of the vocabulary by the tables below; what has no such
name is left out.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from maskwright.core.errors import InputError
from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.colours import COLOUR_NAMES, draw_colour, name_colour, name_picture
from maskwright.train.tabletop.furniture_names import FURNITURE_NAMES
from maskwright.train.tabletop.pieces import Piece, bounds, read_obj
from maskwright.train.tabletop.things import Thing

_LARGEST = 0.3
_TOY_SIZE = (0.07, 0.16)
_MAX_OBJ_BYTES = 2_500_000
_CC_BY_3 = "CC-BY-3.0"
_FURNITURE_LICENCES = {
    "BlendSwap-CC-0": ("CC0-1.0", "BlendSwap contributors"),
    "BlendSwap-CC-BY": (_CC_BY_3, "BlendSwap contributors"),
    "KatorLegaz": ("CC-BY-3.0-US", "Andrew Kator and Jennifer Legaz"),
    "Reallusion": ("CC-BY-3.0-US", "Reallusion"),
    "Scopia": (_CC_BY_3, "Scopia Visual Interfaces Systems, s.l."),
}
# Words of a group's or a material's name that say what part of a thing it is.
_PART_WORDS = ("handle", "lid", "door", "drawer", "base", "screen", "wheel", "keyboard", "leaf", "flower")
_SMALLEST_PART, _MAX_PARTS = 0.03, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAsset:
    """A mesh on disk that can become a thing: where it is, what it is called, how large it really is."""

    key: str
    path: Path
    name: str
    material: str | None
    size: tuple[float, float, float] | None
    turn: tuple[float, ...] | None
    source: SceneSource


def find_meshes(folders: Iterable[Path]) -> list[MeshAsset]:
    """Find everything with a name and a licence below some folders.

    Raises:
        InputError: a folder is missing.
    """
    found: list[MeshAsset] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"there is no such folder of assets: {folder}")
        for catalogue in sorted(folder.rglob("PluginFurnitureCatalog.properties")):
            found += _furniture(catalogue)
        for package in sorted(folder.rglob("robosuite/models/assets/objects/meshes")):
            found += _robosuite(package)
    return found


def _furniture(catalogue: Path) -> list[MeshAsset]:
    """The things of one Sweet Home 3D catalogue (an .sh3f file, unzipped)."""
    library = catalogue.parent.name
    if library not in _FURNITURE_LICENCES:
        return []
    licence, author = _FURNITURE_LICENCES[library]
    rows: defaultdict[str, dict[str, str]] = defaultdict(dict)
    text = catalogue.read_text("latin-1").encode("latin-1").decode("unicode_escape", "replace")
    for match in re.finditer(r"^(\w+)#(\d+)=(.*)$", text, re.MULTILINE):
        rows[match[2]][match[1]] = match[3].strip()
    assets = []
    for row in rows.values():
        path = catalogue.parent / row.get("model", "").lstrip("/")
        words = FURNITURE_NAMES.get(row.get("name", ""))
        if words is None or not path.is_file() or path.stat().st_size > _MAX_OBJ_BYTES:
            continue
        width, depth, height = (float(row[side]) / 100 for side in ("width", "depth", "height"))
        turn = tuple(float(x) for x in row["modelRotation"].split()) if "modelRotation" in row else None
        source = SceneSource(what=f"sweethome3d-furniture: {library}, {author}", licence=licence)
        assets.append(
            MeshAsset(
                key=f"{library}/{path.stem}",
                path=path,
                name=words[0],
                material=words[1],
                size=(width, depth, height),
                turn=turn,
                source=source,
            )
        )
    return assets


_ROBOSUITE_NAMES = {
    "can": "can", "milk": "milk carton", "cereal": "cereal box", "bread": "bread", "lemon": "lemon", "bottle": "bottle",
}  # fmt: skip


def _robosuite(meshes: Path) -> list[MeshAsset]:
    source = SceneSource(what="robosuite: objects", licence="MIT")
    return [
        MeshAsset(
            key=f"robosuite/{stem}",
            path=meshes / f"{stem}.obj",
            name=name,
            material=None,
            size=None,
            turn=None,
            source=source,
        )
        for stem, name in _ROBOSUITE_NAMES.items()
        if (meshes / f"{stem}.obj").is_file()
    ]


@lru_cache(maxsize=256)
def _pieces(path: Path) -> tuple[Piece, ...]:
    return tuple(read_obj(path))


def to_thing(asset: MeshAsset, rng: np.random.Generator) -> Thing:
    """Make a thing of a mesh: true to size or a toy, perhaps recoloured, its colour named where one prevails."""
    pieces = _to_size(asset, _pieces(asset.path), rng)
    total = sum(piece.area() for piece in pieces)
    main = max(pieces, key=lambda piece: piece.area())
    if main.surface.picture is None and main.area() > 0.55 * total and rng.random() < 0.6:
        colour = draw_colour(rng, str(rng.choice(COLOUR_NAMES)))
        pieces = [
            replace(piece, surface=replace(piece.surface, rgb=colour)) if piece is main else piece for piece in pieces
        ]
    return Thing(
        name=asset.name,
        pieces=tuple(_with_parts(pieces, total)),
        colour=prevailing_colour(pieces),
        material=asset.material,
    )


def _to_size(asset: MeshAsset, pieces: Sequence[Piece], rng: np.random.Generator) -> list[Piece]:
    """Scale to the catalogue's measures, stand it on z = 0 and centre it."""
    if asset.turn is not None and len(asset.turn) == 9:
        # The catalogue turns y-up meshes; ours are z-up already.
        to_y = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
        matrix = to_y.T @ np.array(asset.turn).reshape(3, 3) @ to_y
        pieces = [piece.moved(matrix) for piece in pieces]
    low, high = bounds(pieces)
    extent = np.maximum(high - low, 1e-6)
    scale = np.array(asset.size) / extent if asset.size else np.full(3, 1.0)
    if asset.size is None and extent.max() > 0.5:
        scale = np.full(3, 0.18 / extent.max())
    largest = float((extent * scale).max())
    if largest > _LARGEST:
        scale = scale * rng.uniform(*_TOY_SIZE) / largest
    scale = scale * rng.uniform(0.85, 1.15)
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]) * scale
    return [piece.moved(np.diag(scale), shift) for piece in pieces]


def prevailing_colour(pieces: Sequence[Piece]) -> str | None:
    """The colour of more than 60 % of the surface, if there is one."""
    areas: dict[str | None, float] = defaultdict(float)
    for piece in pieces:
        surface = piece.surface
        name = name_colour(surface.rgb) if surface.picture is None else name_picture(surface.picture, surface.rgb)
        areas[name] += piece.area()
    best = max(areas, key=lambda name: areas[name])
    return best if areas[best] > 0.6 * sum(areas.values()) else None


def _with_parts(pieces: Sequence[Piece], total: float) -> list[Piece]:
    """Keep as parts the larger pieces beside the largest one; each gets a name where its group tells one."""
    order = sorted(pieces, key=lambda piece: -piece.area())
    named = [replace(order[0], part=None)]
    for k, piece in enumerate(order[1:]):
        words = (piece.part or "").lower()
        known = next((word for word in _PART_WORDS if word in words), "piece")
        is_part = k < _MAX_PARTS and piece.area() > _SMALLEST_PART * total
        named.append(replace(piece, part=f"{known}#{k}" if is_part else None))
    return named


def held_out(keys: Mapping[str, object] | Iterable[str], *, share: int = 5) -> set[str]:
    """The keys of every `share`-th asset by a hash of its name: what training never sees."""
    return {key for key in keys if sum(ord(c) * (i + 7) for i, c in enumerate(key)) % share == 0}


__all__ = ["MeshAsset", "find_meshes", "held_out", "prevailing_colour", "to_thing"]
