"""Pieces of things: triangles of one surface, made as solids of revolution, prisms and tubes, or read from OBJ.

A piece has the part of its thing that it belongs to. Lengths are metres, z is up. No simulator, no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from maskwright.core.errors import InputError

_TEXTURE_SIDE = 512
Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Optic:
    """What light does at glass or polished metal, beyond what a simulator draws (`optics`).

    `bend` displaces what is behind glass, as a share of its size; `rim` darkens its edge; `mirror` and `shine` say how
    much of the room and of lamps is reflected, `blur` how unclear.
    """

    kind: Literal["glass", "metal"]
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bend: float = 0.0
    rim: float = 0.0
    mirror: float = 1.0
    shine: float = 0.5
    blur: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """What a piece looks like: a colour, or a picture that is multiplied by it."""

    rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)
    alpha: float = 1.0
    picture: UInt8[np.ndarray, "h w 3"] | None = None
    specular: float = 0.3
    shininess: float = 0.4
    reflectance: float = 0.0
    emission: float = 0.0
    optic: Optic | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Triangles of one surface; `part` names the part of its thing, None for the body."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    surface: Surface
    uv: Float[np.ndarray, "V 2"] | None = None
    part: str | None = None

    def moved(self, matrix: Float[np.ndarray, "3 3"], offset: Numbers = (0, 0, 0)) -> "Piece":
        """Turn and scale by a matrix, then shift."""
        return replace(self, vertices=self.vertices @ np.asarray(matrix).T + np.asarray(offset))

    def area(self) -> float:
        """The area of all triangles, both sides counted once."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def bounds(pieces: Sequence[Piece]) -> Float[np.ndarray, "2 3"]:
    """The lowest and highest corner of all pieces together."""
    low = np.min([p.vertices.min(0) for p in pieces], axis=0)
    high = np.max([p.vertices.max(0) for p in pieces], axis=0)
    return np.stack([low, high])


def hull_points(pieces: Sequence[Piece], *, thinnest: float = 0.003) -> Float[np.ndarray, "P 3"]:
    """Points whose convex hull stands for the pieces in collisions: the extremes along a few dozen directions.

    Flat things are thickened to `thinnest`, because a hull needs a volume.
    """
    points = np.concatenate([p.vertices[np.unique(p.faces)] for p in pieces])
    extremes = points[np.unique((points @ _DIRECTIONS.T).argmax(0))]
    low, high = points.min(0), points.max(0)
    for axis in np.nonzero(high - low < thinnest)[0]:
        shift = np.zeros(3)
        shift[axis] = thinnest / 2
        extremes = np.concatenate([extremes - shift, extremes + shift])
    return extremes


def _directions() -> Float[np.ndarray, "D 3"]:
    """Directions spread over the sphere (Fibonacci), and the axes."""
    k = np.arange(48) + 0.5
    z, turn = 1 - 2 * k / 48, k * math.pi * (3 - math.sqrt(5))
    ring = np.sqrt(1 - z**2)
    return np.concatenate([np.stack([ring * np.cos(turn), ring * np.sin(turn), z], 1), np.eye(3), -np.eye(3)])


_DIRECTIONS = _directions()


def revolve(profile: Sequence[tuple[float, float]], *, sides: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn a profile of (radius, height) about z; return vertices, faces and uv (around, along)."""
    line = np.asarray(profile, float)
    # Corners are doubled so that they stay sharp; runs of small bends are shaded smoothly.
    line = _with_sharp_corners(line)
    turn = np.linspace(0, 2 * math.pi, sides + 1)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    along = along / max(along[-1], 1e-9)
    x = line[:, None, 0] * np.cos(turn)
    y = line[:, None, 0] * np.sin(turn)
    vertices = np.stack([x, y, np.broadcast_to(line[:, None, 1], x.shape)], -1).reshape(-1, 3)
    uv = np.stack(np.broadcast_arrays(turn / (2 * math.pi), along[:, None]), -1).reshape(-1, 2)
    return vertices, _grid_faces(len(line), sides + 1), uv


def _with_sharp_corners(line: np.ndarray) -> np.ndarray:
    points = [line[0]]
    for before, here, after in zip(line[:-2], line[1:-1], line[2:], strict=True):
        u, v = here - before, after - here
        cosine = float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v) + 1e-12))
        points += [here] if cosine > 0.8 else [here, here]
    return np.stack([*points, line[-1]])


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, up, across = corner + 1, corner + columns, corner + columns + 1
    faces = np.stack([np.stack([corner, right, across], 1), np.stack([corner, across, up], 1)], 1).reshape(-1, 3)
    return faces


def box(size: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A box about the origin with six separate faces, each with the whole picture."""
    half = np.asarray(size, float) / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    vertices, uv = [], []
    for axis in range(3):
        for side in (-1, 1):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            corners = np.zeros((4, 3))
            corners[:, axis], corners[:, a], corners[:, b] = side, square[:, 0], square[:, 1]
            if axis == 1:  # keep pictures upright on the sides
                picture = np.stack([corners[:, 0] * -side, corners[:, 2]], 1)
            elif axis == 0:
                picture = np.stack([corners[:, 1] * side, corners[:, 2]], 1)
            else:
                picture = corners[:, :2]
            vertices.append(corners[:: 1 if side > 0 else -1] * half)
            uv.append(picture[:: 1 if side > 0 else -1] / 2 + 0.5)
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(6)])
    return np.concatenate(vertices), faces, np.concatenate(uv)


def prism(outline: Float[np.ndarray, "K 2"], height: float, *, taper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Raise a convex outline from z = 0; the top is scaled by `taper`, 0 makes a pyramid."""
    outline = np.asarray(outline, float)
    K = len(outline)
    bottom = np.column_stack([outline, np.zeros(K)])
    top = np.column_stack([outline * max(taper, 1e-3), np.full(K, height)])
    vertices, faces = [bottom, top], []
    fan = np.array([[0, i, i + 1] for i in range(1, K - 1)])
    faces += [fan[:, ::-1], fan + K]
    for i in range(K):
        j = (i + 1) % K
        faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + 2 * K + 4 * i)
        vertices.append(np.stack([bottom[i], bottom[j], top[j], top[i]]))
    return np.concatenate(vertices), np.concatenate(faces)


def tube(path: Float[np.ndarray, "K 3"], radius: float, *, sides: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """A round tube along a path, closed at its ends."""
    path = np.asarray(path, float)
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    side = _carried_normals(ahead)
    other = np.cross(ahead, side)
    turn = np.linspace(0, 2 * math.pi, sides + 1)[None, :, None]
    rings = path[:, None] + radius * (np.cos(turn) * side[:, None] + np.sin(turn) * other[:, None])
    caps = [np.broadcast_to(path[end], rings[0].shape)[None] for end in (0, -1)]
    rings = np.concatenate([caps[0], rings[:1], rings, rings[-1:], caps[1]])
    return rings.reshape(-1, 3), _grid_faces(len(rings), sides + 1)


def _carried_normals(ahead: np.ndarray) -> np.ndarray:
    """A direction across the path that turns no more than it must."""
    start = np.eye(3)[np.abs(ahead[0]).argmin()]
    normals = [start - (start @ ahead[0]) * ahead[0]]
    for direction in ahead[1:]:
        carried = normals[-1] - (normals[-1] @ direction) * direction
        normals.append(carried)
    stacked = np.stack(normals)
    return stacked / (np.linalg.norm(stacked, axis=1, keepdims=True) + 1e-12)


def torus(ring: float, radius: float, *, sides: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """A ring about z through tubes of `radius`."""
    circle = [
        (ring + radius * math.cos(a), radius * math.sin(a)) for a in np.linspace(math.pi, 3 * math.pi, 15).tolist()
    ]
    vertices, faces, _ = revolve(circle, sides=sides)
    return vertices, faces


def read_obj(path: Path) -> list[Piece]:
    """Read an OBJ file and its materials: a piece for each material; y is up in the file, z in the result.

    A piece's `part` is the name of its group, for callers that know what such names mean.

    Raises:
        InputError: the file has no triangles or is damaged.
    """
    positions: list[list[float]] = []
    textures: list[list[float]] = []
    corners: dict[str, list[list[tuple[int, int]]]] = {}
    materials: dict[str, Surface] = {}
    groups: dict[str, str] = {}
    current, group = "", ""
    try:
        for line in path.read_text("utf-8", errors="replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "v":
                positions.append([float(x) for x in rest.split()[:3]])
            elif word == "vt":
                textures.append([float(x) for x in rest.split()[:2]])
            elif word == "f":
                polygon = [_corner(token, len(positions), len(textures)) for token in rest.split()]
                corners.setdefault(current, []).append(polygon)
                groups.setdefault(current, group)
            elif word == "usemtl":
                current = rest.strip()
            elif word in ("g", "o"):
                group = rest.strip()
            elif word == "mtllib":
                materials.update(_read_mtl(path.parent / rest.strip()))
        pieces = [
            _indexed_piece(polygons, positions, textures, materials.get(name, Surface()), f"{groups[name]} {name}")
            for name, polygons in corners.items()
        ]
    except (ValueError, IndexError) as error:
        raise InputError(f"this OBJ file is damaged ({error}): {path}") from None
    if not pieces:
        raise InputError(f"this OBJ file has no faces: {path}")
    return pieces


def _corner(token: str, num_positions: int, num_textures: int) -> tuple[int, int]:
    fields = token.split("/")
    position = int(fields[0])
    texture = int(fields[1]) if len(fields) > 1 and fields[1] else 0
    return (
        position - 1 if position > 0 else num_positions + position,
        texture - 1 if texture > 0 else (num_textures + texture if texture < 0 else -1),
    )


def _indexed_piece(
    polygons: list[list[tuple[int, int]]],
    positions: list[list[float]],
    textures: list[list[float]],
    surface: Surface,
    part: str,
) -> Piece:
    triangles = [(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)]
    flat = np.array(triangles, np.int64).reshape(-1, 2)
    unique, faces = np.unique(flat, axis=0, return_inverse=True)
    y_up = np.array([positions[i] for i in unique[:, 0]])
    uv = None
    if textures and (unique[:, 1] >= 0).all():
        uv = np.array([textures[i] for i in unique[:, 1]])
    vertices = np.stack([y_up[:, 0], -y_up[:, 2], y_up[:, 1]], 1)
    return Piece(vertices=vertices, faces=faces.reshape(-1, 3), uv=uv, surface=surface, part=part)


def _read_mtl(path: Path) -> dict[str, Surface]:
    surfaces: dict[str, Surface] = {}
    name = ""
    if not path.exists():
        return surfaces
    for line in path.read_text("utf-8", errors="replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            name = rest.strip()
            surfaces[name] = Surface()
        elif name and word == "Kd":
            red, green, blue = (min(1.0, max(0.0, float(x))) for x in rest.split()[:3])
            surfaces[name] = replace(surfaces[name], rgb=(red, green, blue))
        elif name and word == "d":
            surfaces[name] = replace(surfaces[name], alpha=float(rest.split()[-1]))
        elif name and word == "map_Kd":
            picture = read_picture(path.parent / rest.split()[-1].replace("\\", "/"))
            surfaces[name] = replace(surfaces[name], picture=picture, rgb=(1.0, 1.0, 1.0))
    return surfaces


def read_picture(path: Path, *, side: int = _TEXTURE_SIDE) -> UInt8[np.ndarray, "h w 3"] | None:
    """Read a picture as RGB, at most `side` long; None where there is none that can be read."""
    raw = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if pixels is None:
        return None
    scale = side / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(pixels[:, :, ::-1])


__all__ = [
    "Optic",
    "Piece",
    "Surface",
    "bounds",
    "box",
    "hull_points",
    "prism",
    "read_obj",
    "read_picture",
    "revolve",
    "torus",
    "tube",
]
