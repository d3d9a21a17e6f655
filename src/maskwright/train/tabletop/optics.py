"""Glass that bends what is behind it and metal that mirrors the room, painted over what the simulator drew.

The simulator's renderer knows neither. From the distance of each pixel the surface's direction follows; a second
drawing without glass and mirrors says what is behind and around. Glass shows that displaced, tinted and dark at its
rim, metal shows the table where its surface looks down and a picture of the room where it looks up. One surface deep:
of glass behind glass only a hint is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from maskwright.train.tabletop.pieces import Optic

_SMOOTHING = 5  # pixels over which facets of a surface are rounded
_FRESNEL, _HINT = 0.04, 0.22
_LAMP_SHARPNESS = 180.0
_ROW, _ROOM_SIDE = 256, 96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """Where a camera is: its axes (right, up, backwards) as columns, and its focal length in pixels."""

    position: Float[np.ndarray, " 3"]
    axes: Float[np.ndarray, "3 3"]
    focal: float

    def places(self, depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
        """What each pixel sees, in the camera's frame: right, down, ahead."""
        height, width = depth.shape
        x = (np.arange(width) + 0.5 - width / 2) / self.focal
        y = (np.arange(height) + 0.5 - height / 2) / self.focal
        return np.stack([depth * x[None], depth * y[:, None], depth], -1)

    def to_world(self, directions: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Turn directions of the camera's frame into those of the world."""
        return (directions * [1, -1, -1]) @ self.axes.T

    def pixels_of(self, world: Float[np.ndarray, "P 3"], size_hw: tuple[int, int]) -> Float[np.ndarray, "P 2"]:
        """Where points are seen, x and y; behind the camera far outside."""
        local = ((world - self.position) @ self.axes) * [1, -1, -1]
        ahead = np.where(local[:, 2] > 0.01, local[:, 2], 0.01)
        middle = np.array([size_hw[1] / 2, size_hw[0] / 2])
        return local[:, :2] / ahead[:, None] * self.focal + middle - 0.5


def shine(
    image: UInt8[np.ndarray, "H W 3"],
    bare: UInt8[np.ndarray, "H W 3"],
    depth: Float[np.ndarray, "H W"],
    surfaces: Int[np.ndarray, "H W"],
    optics: Sequence[Optic],
    sight: Sight,
    room: UInt8[np.ndarray, "h w 3"] | None,
    lamps: Sequence[Float[np.ndarray, " 3"]],
) -> UInt8[np.ndarray, "H W 3"]:
    """Paint what `surfaces` numbers (-1: nothing to paint) with its optic; `bare` is the scene without these.

    `room` is mirrored by what looks up, a plain light room without it; `lamps` are places that shine.
    """
    shown = surfaces >= 0
    if not shown.any():
        return image
    places = sight.places(depth)
    normals = surface_normals(places, surfaces)
    painted = image.astype(np.float32)
    around = _Around(bare.astype(np.float32), sight, _room(room), lamps)
    for is_glass in (False, True):  # glass shows the metal behind it
        for number in np.unique(surfaces[shown]):
            if (optics[number].kind == "glass") == is_glass:
                at = np.nonzero(surfaces == number)
                paint = _glass if is_glass else _metal
                painted[at] = paint(optics[number], at, places[at], normals[at], painted, around)
    return np.clip(painted, 0, 255).astype(np.uint8)


def surface_normals(places: Float[np.ndarray, "H W 3"], surfaces: Int[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 3"]:
    """Directions of surfaces, towards the camera, from differences between pixels of one surface."""
    across, down = (_slopes(places, surfaces, axis) for axis in (1, 0))
    normals = np.cross(down, across)
    away = (normals * places).sum(-1, keepdims=True) > 0
    normals = np.where(away, -normals, normals)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    known = (surfaces >= 0) & np.isfinite(normals).all(-1)
    normals = np.where(known[..., None], normals, 0).astype(np.float32)
    smooth = cv2.blur(normals, (_SMOOTHING, _SMOOTHING))
    length = np.linalg.norm(smooth, axis=-1, keepdims=True)
    return np.where(length > 1e-6, smooth / np.maximum(length, 1e-6), [0, 0, -1])


def _slopes(places: np.ndarray, surfaces: np.ndarray, axis: int) -> Float[np.ndarray, "H W 3"]:
    """Mean difference to those neighbours along an axis that are of the same surface."""
    step = np.diff(places, axis=axis)
    same = np.diff(surfaces, axis=axis) == 0
    step = step * same[..., None]
    before = [(0, 0)] * 3
    after = [(0, 0)] * 3
    before[axis], after[axis] = (1, 0), (0, 1)
    total = np.pad(step, before) + np.pad(step, after)
    count = np.pad(same, before[:2]).astype(int) + np.pad(same, after[:2])
    return total / np.maximum(count, 1)[..., None]


@dataclass(frozen=True, slots=True, eq=False)
class _Around:
    """What is behind and around: the scene without glass and mirrors, the room, the lamps."""

    bare: Float[np.ndarray, "H W 3"]
    sight: Sight
    room: Float[np.ndarray, "h w 3"]
    lamps: Sequence[Float[np.ndarray, " 3"]]

    def at(self, xy: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 3"]:
        """What is seen at some places of the bare picture; its border is mirrored outwards."""
        return _sampled(self.bare, xy)

    def mirrored(
        self, points: Float[np.ndarray, "P 3"], directions: Float[np.ndarray, "P 3"], blur: float
    ) -> Float[np.ndarray, "P 3"]:
        """What a ray from a point meets: the table at z = 0, or the room."""
        height, width = self.room.shape[:2]
        turn = np.arctan2(directions[:, 1], directions[:, 0]) / np.pi
        rise = np.arcsin(np.clip(directions[:, 2], -1, 1)) / (np.pi / 2)
        room = cv2.GaussianBlur(self.room, (0, 0), 1 + blur * width / 8)
        above = _sampled(room, np.stack([(turn + 1) * width, (1 - np.maximum(rise, 0)) * height], 1))
        falls = np.minimum(directions[:, 2], -1e-3)
        far = np.clip(np.maximum(points[:, 2], 0) / -falls, 0, 1.5)
        hit = points + far[:, None] * directions
        below = self.at(self.sight.pixels_of(hit, self.bare.shape[:2]))
        share = np.clip(0.5 + directions[:, 2:] * 6, 0, 1)
        return below * (1 - share) + above * share

    def lit(self, points: np.ndarray, directions: np.ndarray) -> Float[np.ndarray, "P 1"]:
        """How much of a lamp is mirrored."""
        total = np.zeros((len(points), 1))
        for lamp in self.lamps[:2]:
            towards = lamp - points
            towards /= np.linalg.norm(towards, axis=1, keepdims=True) + 1e-9
            total += np.exp(_LAMP_SHARPNESS * ((towards * directions).sum(1, keepdims=True) - 1))
        return total


def _glass(
    optic: Optic,
    at: tuple[np.ndarray, ...],
    places: Float[np.ndarray, "P 3"],
    normals: Float[np.ndarray, "P 3"],
    painted: Float[np.ndarray, "H W 3"],
    around: _Around,
) -> Float[np.ndarray, "P 3"]:
    facing, mirror, world = _reflection(places, normals, around.sight)
    rim = 1 - facing
    size = max(4.0, float(np.sqrt(len(at[0]))))
    xy = np.stack([at[1], at[0]], 1).astype(float)
    behind = around.at(xy + optic.bend * size * rim * normals[:, :2])
    tint = np.array(optic.tint) ** (0.35 + 1.4 * rim)
    fresnel = np.clip(_FRESNEL + 0.9 * rim**4, 0, 0.8) * optic.mirror
    seen = behind * tint * (1 - optic.rim * rim**2) * (1 - fresnel)
    light = around.mirrored(world, mirror, optic.blur) * fresnel + 230 * optic.shine * around.lit(world, mirror)
    return (1 - _HINT) * seen + _HINT * painted[at] + light


def _metal(
    optic: Optic,
    at: tuple[np.ndarray, ...],
    places: Float[np.ndarray, "P 3"],
    normals: Float[np.ndarray, "P 3"],
    painted: Float[np.ndarray, "H W 3"],
    around: _Around,
) -> Float[np.ndarray, "P 3"]:
    _, mirror, world = _reflection(places, normals, around.sight)
    seen = around.mirrored(world, mirror, optic.blur) * np.array(optic.tint)
    return optic.mirror * seen + (1 - optic.mirror) * painted[at] + 255 * optic.shine * around.lit(world, mirror)


def _reflection(places: np.ndarray, normals: np.ndarray, sight: Sight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much each pixel faces the camera, where its mirror looks (world), and where it is (world)."""
    ahead = places / np.linalg.norm(places, axis=1, keepdims=True)
    facing = np.clip(-(ahead * normals).sum(1, keepdims=True), 0, 1)
    mirror = sight.to_world(ahead + 2 * facing * normals)
    return facing, mirror, sight.to_world(places) + sight.position


def _sampled(picture: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Read a picture at some places, mirrored outwards at its border."""
    height, width = picture.shape[:2]
    padded = np.pad(xy, ((0, -len(xy) % _ROW), (0, 0))).reshape(-1, _ROW, 2)  # OpenCV takes 32,767 rows at most
    x, y = (_folded(padded[..., axis], side).astype(np.float32) for axis, side in ((0, width), (1, height)))
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[: len(xy)]


def _folded(at: np.ndarray, side: int) -> np.ndarray:
    at = np.abs(np.nan_to_num(at)) % (2 * (side - 1))
    return np.minimum(at, 2 * (side - 1) - at)


def _room(picture: np.ndarray | None) -> Float[np.ndarray, "h w 3"]:
    """A picture of the room; without one a light ceiling, darker walls and a window."""
    if picture is not None:
        scale = _ROOM_SIDE / max(picture.shape[:2])  # finer would be noise on what is round
        return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    room = np.repeat(np.linspace(225, 90, 64, dtype=np.float32)[:, None], 128, 1)
    room[20:44, 30:52] = 250
    return np.repeat(room[..., None], 3, 2)


__all__ = ["Sight", "shine", "surface_normals"]
