"""Renders the picture in the package: a still life on a wooden table, for a first mask without a picture of your own.

A sphere tracer over signed distances, in numpy: every object is a function from points to distances, the colour under a
pixel follows from its normal, two lights, soft shadows and occlusion. The picture is committed
(`maskwright/assets/tabletop.jpg`) with the objects' true masks beside it; this program made both:

    python -m maskwright.testing.tabletop src/maskwright/assets/tabletop
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image as PillowImage

from maskwright.masks import encode, to_coco

Points = Float[np.ndarray, "L 3"]
Distances = Float[np.ndarray, " L"]
Colours = Float[np.ndarray, "L 3"]

SIZE_HW = (640, 960)
_EYE = np.array([0.3, -8.2, 4.3], np.float32)
_TARGET = np.array([0.05, 0.2, 0.85], np.float32)
_KEY_LIGHT = np.array([-0.55, -0.5, 0.85], np.float32) / np.linalg.norm([0.55, 0.5, 0.85])
_FILL_LIGHT = np.array([0.8, -0.5, 0.45], np.float32) / np.linalg.norm([0.8, 0.5, 0.45])
_FAR = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object: its name, the distance to its surface, its colour there, and how much it shines."""

    name: str
    distance: Callable[[Points], Distances]
    colour: Callable[[Points], Colours]
    shine: float = 0.04
    sharpness: float = 40.0


def render(size_hw: tuple[int, int] = SIZE_HW) -> tuple[UInt8[np.ndarray, "H W 3"], Int[np.ndarray, "H W"]]:
    """Render the scene, and tell the object (index into `SCENE`, -1 for none) at the upper left of each pixel."""
    height, width = size_hw
    rays = _camera_rays(2 * height, 2 * width)  # 4 rays a pixel
    origins = np.broadcast_to(_EYE, rays.shape)
    points, which = _march(origins, rays)
    colours = _shade(points, rays, which)
    linear = colours.reshape(height, 2, width, 2, 3).mean((1, 3))
    film = _develop(linear, np.random.default_rng(7))
    return film, which.reshape(height, 2, width, 2)[:, 0, :, 0]


def _camera_rays(height: int, width: int) -> Points:
    forward = _unit(_TARGET - _EYE)
    right = _unit(np.cross(forward, [0, 0, 1]))
    up = np.cross(right, forward)
    x = (np.arange(width) + 0.5) / width - 0.5
    y = (0.5 - (np.arange(height) + 0.5) / height) * height / width
    rays = forward[None, None] * 1.15 + x[None, :, None] * right + y[:, None, None] * up
    return _unit(rays.reshape(-1, 3)).astype(np.float32)


def _march(origins: Points, rays: Points) -> tuple[Points, Int[np.ndarray, " L"]]:
    """Walk along each ray by the distance to the nearest surface until it touches one."""
    travelled = np.full(len(rays), 3.0, np.float32)
    going = np.arange(len(rays))
    for _ in range(110):
        step = _scene_distance(origins[going] + travelled[going, None] * rays[going])
        travelled[going] += 0.9 * step
        going = going[(step > 1e-3) & (travelled[going] < _FAR)]
        if not going.size:
            break
    points = origins + travelled[:, None] * rays
    nearest = np.stack([thing.distance(points) for thing in SCENE])
    which = nearest.argmin(0)
    which[(nearest.min(0) > 0.02)] = -1
    return points, which


def _scene_distance(points: Points) -> Distances:
    nearest = SCENE[0].distance(points)
    for thing in SCENE[1:]:
        np.minimum(nearest, thing.distance(points), out=nearest)
    return nearest


def _shade(points: Points, rays: Points, which: Int[np.ndarray, " L"]) -> Colours:
    colours = np.zeros_like(points)
    for index, thing in enumerate(SCENE):
        chosen = which == index
        if chosen.any():
            colours[chosen] = _shade_thing(thing, points[chosen], rays[chosen])
    haze = np.clip((points[:, 1:2] - 3.0) / 14.0, 0, 0.5)
    return colours * (1 - haze) + haze * np.array([0.62, 0.60, 0.58], np.float32)


def _shade_thing(thing: Thing, points: Points, rays: Points) -> Colours:
    normals = _normals(thing, points)
    above = points + 0.012 * normals
    key = np.clip(normals @ _KEY_LIGHT, 0, 1) * _light_reaching(above, _KEY_LIGHT)
    fill = np.clip(normals @ _FILL_LIGHT, 0, 1)
    open_sky = _openness(above, normals)
    albedo = thing.colour(points)
    light = (
        key[:, None] * np.array([2.5, 2.3, 2.0], np.float32)
        + (0.35 * fill * open_sky)[:, None] * np.array([0.7, 0.85, 1.1], np.float32)
        + (open_sky * (0.45 + 0.25 * normals[:, 2]))[:, None] * np.array([0.62, 0.68, 0.78], np.float32)
        + (open_sky * 0.14 * np.clip(-normals[:, 2] + 0.4, 0, 1))[:, None] * np.array([0.9, 0.6, 0.35], np.float32)
    )
    mirrored = rays - 2 * (rays * normals).sum(-1, keepdims=True) * normals
    fresnel = thing.shine + (1 - thing.shine) * (1 - np.clip(-(rays * normals).sum(-1), 0, 1)) ** 5 * (thing.shine * 6)
    glint = np.clip(mirrored @ _KEY_LIGHT, 0, 1) ** thing.sharpness * thing.sharpness * 0.035 * (key > 0)
    reflected = fresnel[:, None] * (_surroundings(mirrored) * open_sky[:, None] + (4 * glint)[:, None])
    return albedo * light + reflected


def _normals(thing: Thing, points: Points) -> Points:
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    return _unit(sum(corner * thing.distance(points + 2e-3 * corner)[:, None] for corner in corners))  # pyrefly: ignore[bad-argument-type]


def _light_reaching(points: Points, light: Float[np.ndarray, " 3"]) -> Distances:
    """Estimate how much of an area light a point sees: 1 all, 0 none, by how narrowly the ray misses things."""
    seen = np.ones(len(points), np.float32)
    along = np.full(len(points), 0.02, np.float32)
    for _ in range(42):
        distance = _scene_distance(points + along[:, None] * light)
        seen = np.minimum(seen, 0.5 + 0.5 * np.clip(9.0 * distance / along, -1, 1))
        along += np.clip(distance, 0.03, 0.4)
    return seen * seen * (3 - 2 * seen)


def _openness(points: Points, normals: Points) -> Distances:
    shut = np.zeros(len(points), np.float32)
    for i in range(1, 6):
        reach = 0.11 * i
        shut += (reach - _scene_distance(points + reach * normals)).clip(0) * 0.75**i
    return np.clip(1 - 1.15 * shut, 0.08, 1)


def _surroundings(directions: Points) -> Colours:
    """What a mirror would show: a grey room with a bright window to the upper left."""
    room = 0.35 + 0.4 * directions[:, 2:3]
    height, side = directions[:, 2], directions[:, 0]
    window = (side < -0.15) & (side > -0.75) & (height > 0.25) & (height < 0.8) & (np.abs(side + 0.45) > 0.03)
    return np.clip(room, 0.1, 1) * np.array([0.8, 0.85, 0.95], np.float32) + window[:, None] * np.float32(3.0)


def _develop(linear: Float[np.ndarray, "H W 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Expose as a camera does: lens falloff, a film curve, sRGB, a little noise."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    exposed = linear * 0.5 * (1 - 0.13 * (x * x + y * y))[:, :, None]
    curve = exposed * (2.51 * exposed + 0.03) / (exposed * (2.43 * exposed + 0.59) + 0.14)  # ACES fit (Narkowicz 2015)
    encoded = np.where(curve < 0.0031308, 12.92 * curve, 1.055 * np.clip(curve, 1e-6, None) ** (1 / 2.4) - 0.055)
    noisy = encoded + rng.normal(0, 0.007, encoded.shape)
    return (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8)


def _unit(vectors: Points) -> Points:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _at(points: Points, x: float, y: float, z: float = 0.0, turn_deg: float = 0.0) -> Points:
    """Move the points into the frame of an object that stands at x, y, z and is turned about the vertical."""
    moved = points - np.array([x, y, z], np.float32)
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turned = moved.copy()
    turned[:, 0] = cos * moved[:, 0] + sin * moved[:, 1]
    turned[:, 1] = -sin * moved[:, 0] + cos * moved[:, 1]
    return turned


def _noise(points: Points, scale: tuple[float, float, float]) -> Distances:
    """Smooth value noise in 0..1 on a lattice, `scale` cells a unit."""
    scaled = points * np.array(scale, np.float32)
    cell = np.floor(scaled).astype(np.int64)
    part = scaled - cell
    part = part * part * (3 - 2 * part)
    total = np.zeros(len(points), np.float32)
    for corner in np.ndindex(2, 2, 2):
        key = (cell + corner) @ np.array([73856093, 19349663, 83492791])
        value = ((key ^ (key >> 13)) * 1274126177 & 0xFFFF) / 65535.0
        weight = np.where(corner, part, 1 - part).prod(-1)
        total += (weight * value).astype(np.float32)
    return total


def _mix(share: Distances, first: tuple[float, float, float], second: tuple[float, float, float]) -> Colours:
    share = np.clip(share, 0, 1)[:, None]
    return ((1 - share) * np.array(first) + share * np.array(second)).astype(np.float32)


def _plain(red: float, green: float, blue: float, speckle: float = 0.06) -> Callable[[Points], Colours]:
    def colour(points: Points) -> Colours:
        shade = 1 + speckle * (_noise(points, (9, 9, 9)) - 0.5) + speckle * (_noise(points, (41, 41, 41)) - 0.5)
        return shade[:, None] * np.array([red, green, blue], np.float32)

    return colour


def _rounded_cylinder(points: Points, radius: float, low: float, high: float, rounding: float) -> Distances:
    across = np.hypot(points[:, 0], points[:, 1]) - radius + rounding
    along = np.abs(points[:, 2] - (low + high) / 2) - (high - low) / 2 + rounding
    outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    return np.minimum(np.maximum(across, along), 0) + outside - rounding


def _smooth_union(first: Distances, second: Distances, width: float) -> Distances:
    share = np.clip(0.5 + 0.5 * (second - first) / width, 0, 1)
    return second * (1 - share) + first * share - width * share * (1 - share)


def _table(points: Points) -> Distances:
    return points[:, 2].copy()


def _table_colour(points: Points) -> Colours:
    plank = np.floor(points[:, 1] / 1.35)
    shifted = points + plank[:, None] * np.array([3.7, 0, 9.1], np.float32)
    grain = (
        _noise(shifted, (0.5, 9, 1)) * 0.55 + _noise(shifted, (1.6, 34, 1)) * 0.3 + _noise(shifted, (5, 90, 1)) * 0.15
    )
    wood = _mix(grain, (0.30, 0.155, 0.075), (0.52, 0.31, 0.165)) * (0.88 + 0.24 * (plank % 3) / 2)[:, None]
    seam = np.abs(points[:, 1] / 1.35 - np.round(points[:, 1] / 1.35)) < 0.008
    return np.where(seam[:, None], wood * 0.3, wood).astype(np.float32)


def _wall(points: Points) -> Distances:
    return 5.5 - points[:, 1]


def _wall_colour(points: Points) -> Colours:
    return _mix(_noise(points, (0.4, 0.4, 0.5)), (0.40, 0.42, 0.42), (0.50, 0.51, 0.49))


def _mug(points: Points) -> Distances:
    local = _at(points, -1.95, 0.1, turn_deg=24)
    outside = _rounded_cylinder(local, 0.72, 0.0, 1.5, 0.06)
    hollow = _rounded_cylinder(local, 0.64, 0.12, 2.2, 0.05)
    body = np.maximum(outside, -hollow)
    ring = np.hypot(np.hypot(local[:, 0] + 0.74, local[:, 2] - 0.77) - 0.40, local[:, 1]) - 0.085
    handle = np.maximum(ring, -(np.hypot(local[:, 0], local[:, 1]) - 0.68))
    return _smooth_union(body, handle, 0.06)


def _mug_colour(points: Points) -> Colours:
    stripe = np.abs(points[:, 2] - 0.72) < 0.17
    return np.where(stripe[:, None], _plain(0.10, 0.26, 0.50)(points), _plain(0.86, 0.84, 0.79, 0.03)(points))


def _bottle(points: Points) -> Distances:
    local = _at(points, 1.05, 1.5)
    body = _rounded_cylinder(local, 0.52, 0.0, 2.0, 0.2)
    neck = _rounded_cylinder(local, 0.17, 1.6, 3.0, 0.03)
    lip = _rounded_cylinder(local, 0.215, 2.78, 2.95, 0.04)
    return np.minimum(_smooth_union(body, neck, 0.45), lip)


def _bottle_colour(points: Points) -> Colours:
    label = (np.abs(points[:, 2] - 1.0) < 0.42) & (np.abs(points[:, 0] - 1.05) < 0.50)
    print_line = label & (np.abs(np.abs(points[:, 2] - 1.0) - 0.31) < 0.03)
    cork = points[:, 2] > 2.94
    glass = np.broadcast_to(np.array([0.022, 0.10, 0.045], np.float32), points.shape)
    colour = np.where(label[:, None], _plain(0.80, 0.74, 0.58)(points), glass)
    colour = np.where(print_line[:, None], np.array([0.45, 0.08, 0.07], np.float32), colour)
    return np.where(cork[:, None], np.array([0.42, 0.27, 0.15], np.float32), colour).astype(np.float32)


def _apple(points: Points) -> Distances:
    local = _at(points, -0.55, -1.15, 0.5)
    ring = np.hypot(np.hypot(local[:, 0], local[:, 1]) - 0.21, local[:, 2] * (1.02 + 0.09 * local[:, 2])) - 0.375
    t = np.clip((local[:, 2] - 0.15) / 0.5, 0, 1)
    stem = np.hypot(np.hypot(local[:, 0] - 0.12 * t * t, local[:, 1]), local[:, 2] - 0.15 - 0.5 * t) - 0.028
    return np.minimum(ring, stem)


def _apple_colour(points: Points) -> Colours:
    local = _at(points, -0.55, -1.15, 0.5)
    angle = np.arctan2(local[:, 1], local[:, 0])
    streaks = _noise(np.stack([np.abs(angle) * 17, local[:, 2] * 1.5, angle * 0], -1), (1, 1, 1))
    blush = _noise(local, (1.1, 1.1, 1.4))
    share = 0.22 * streaks + 0.75 * np.clip(1.7 * blush - 0.62, 0, 1) * (0.55 + 0.45 * streaks)
    skin = _mix(share, (0.46, 0.018, 0.028), (0.62, 0.36, 0.07))
    stem = (np.hypot(local[:, 0], local[:, 1]) < 0.17) & (local[:, 2] > 0.24)
    return np.where(stem[:, None], np.array([0.17, 0.10, 0.05], np.float32), skin).astype(np.float32)


def _lemon(points: Points) -> Distances:
    local = _at(points, 0.95, -1.55, 0.36, turn_deg=28)
    body = np.linalg.norm(local / np.array([1.38, 1, 1], np.float32), axis=-1) - 0.36
    tip = np.linalg.norm((np.abs(local) - np.array([0.49, 0, 0])) * np.array([1, 1, 1]) * [1, 0, 0], axis=-1)
    tips = np.hypot(tip, np.hypot(local[:, 1], local[:, 2])) - 0.07
    bumps = 0.006 * (_noise(points, (26, 26, 26)) - 0.5)
    return (_smooth_union(body, tips, 0.16) - bumps) * 0.85


def _carton(points: Points) -> Distances:
    local = _at(points, 2.5, 0.15, 0.85, turn_deg=24)
    outside = np.abs(local) - np.array([0.62, 0.36, 0.85], np.float32) + 0.035
    return np.linalg.norm(np.maximum(outside, 0), axis=-1) + np.minimum(outside.max(-1), 0) - 0.035


def _carton_colour(points: Points) -> Colours:
    local = _at(points, 2.5, 0.15, 0.85, turn_deg=24)
    base = _plain(0.78, 0.36, 0.08)(points)
    band = np.abs(local[:, 2] + 0.28 + 0.10 * np.sin(4 * local[:, 0])) < 0.2
    front = local[:, 1] < -0.3
    sun = front & (np.hypot(local[:, 0], local[:, 2] - 0.35) < 0.26)
    colour = np.where(band[:, None], _plain(0.87, 0.84, 0.76)(points), base)
    return np.where(sun[:, None], np.array([0.86, 0.68, 0.12], np.float32), colour).astype(np.float32)


def _bowl(points: Points) -> Distances:
    local = _at(points, -0.55, 1.35, 0.98)
    shell = np.abs(np.linalg.norm(local, axis=-1) - 0.95) - 0.05
    cut = np.maximum(shell, local[:, 2] + 0.12)
    foot = _rounded_cylinder(local, 0.42, -0.98, -0.84, 0.03)
    return np.minimum(cut, foot) - 0.012


def _orange(x: float, y: float, z: float) -> Callable[[Points], Distances]:
    def distance(points: Points) -> Distances:
        return np.linalg.norm(_at(points, x, y, z), axis=-1) - 0.42

    return distance


SCENE: tuple[Thing, ...] = (
    Thing(name="table", distance=_table, colour=_table_colour, shine=0.03, sharpness=18),
    Thing(name="wall", distance=_wall, colour=_wall_colour, shine=0.0),
    Thing(name="mug", distance=_mug, colour=_mug_colour, shine=0.06, sharpness=140),
    Thing(name="bottle", distance=_bottle, colour=_bottle_colour, shine=0.09, sharpness=240),
    Thing(name="apple", distance=_apple, colour=_apple_colour, shine=0.05, sharpness=70),
    Thing(name="lemon", distance=_lemon, colour=_plain(0.80, 0.60, 0.045, 0.10), shine=0.04, sharpness=30),
    Thing(name="carton", distance=_carton, colour=_carton_colour, shine=0.02, sharpness=12),
    Thing(name="bowl", distance=_bowl, colour=_plain(0.30, 0.44, 0.46, 0.08), shine=0.06, sharpness=110),
    Thing(name="orange", distance=_orange(-0.83, 1.2, 0.86), colour=_plain(0.76, 0.30, 0.03, 0.14), shine=0.03),
    Thing(name="second orange", distance=_orange(-0.10, 1.45, 0.84), colour=_plain(0.78, 0.34, 0.03, 0.14), shine=0.03),
)


def main(stem: str) -> None:
    """Write STEM.jpg and STEM.json with the true mask of every object but table and wall."""
    pixels, owners = render()
    path = Path(stem)
    PillowImage.fromarray(pixels).save(path.with_suffix(".jpg"), quality=90, optimize=True, subsampling=0)
    truth = {
        thing.name: to_coco(encode(owners == i)) for i, thing in enumerate(SCENE) if thing.name not in ("table", "wall")
    }
    path.with_suffix(".json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
