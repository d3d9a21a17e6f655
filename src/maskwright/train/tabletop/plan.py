"""What a robot tabletop shows: drawn from a seed, before any simulator sees it.

A plan says which things there are, where they start, which of them fall, where lamps and camera are, and which sources
it draws on. The same seed and assets give the same plan.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.arms import PosedArm, pose_arm
from maskwright.train.tabletop.catalogues import MeshAsset, to_thing
from maskwright.train.tabletop.colours import COLOUR_NAMES, draw_colour
from maskwright.train.tabletop.grippers import made_arms, with_gripper
from maskwright.train.tabletop.hard_things import HARD
from maskwright.train.tabletop.layout import (
    NO_CHALLENGE,
    Challenge,
    Placed,
    TabletopAssets,
    TabletopPlan,
    TexturePicture,
    View,
)
from maskwright.train.tabletop.pieces import bounds
from maskwright.train.tabletop.room import draw_lamps, draw_room
from maskwright.train.tabletop.things import Thing, Wardrobe, cabinet, cable, container, draw_thing

_VIEWS = {"oblique": 0.4, "front": 0.2, "top": 0.15, "wrist": 0.15, "close": 0.1}


# Of things that a hard scene drops, so many are hard; of its grippers, so many hold something.
_HARD_SHARE, _HARD_HELD, _HELD = 0.72, 0.7, 0.4
_NUM_CABLES, _NUM_CABLES_THIN = (0.45, 0.3, 0.15, 0.1), (0.15, 0.35, 0.3, 0.2)
_NUM_ARMS, _NUM_ARMS_HARD = (0.2, 0.62, 0.18), (0.0, 0.85, 0.15)


def draw_plan(
    rng: np.random.Generator, assets: TabletopAssets, *, num_views: int = 4, challenge: Challenge = NO_CHALLENGE
) -> TabletopPlan:
    """Draw a scene: a room, a table, robots, containers, things upon each other, cables; and where cameras are.

    Raises:
        InputError: the challenge names something that cannot be made.
    """
    used: list[SceneSource] = []
    wardrobe = _wardrobe(rng, assets, used)
    placed, room_sources = draw_room(rng, assets.textures, assets.photos)
    used += room_sources
    centre = np.array([rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06), 0.0])
    spread = rng.choice([0.13, 0.2, 0.3], p=[0.3, 0.4, 0.3])
    obstacles = _furnish(rng, wardrobe, centre, spread)
    placed += obstacles
    arms = _arms(rng, assets, centre, used, challenge)
    for arm in arms:
        placed += [Placed(thing=thing, position=np.zeros(3)) for thing in (arm.arm, arm.gripper)]
    held = _held(rng, wardrobe, arms, challenge)
    placed += held
    placed += _scatter(rng, assets, wardrobe, centre, spread, obstacles, used, challenge)
    for _ in range(int(rng.choice(4, p=_NUM_CABLES_THIN if "thin" in challenge.hard else _NUM_CABLES))):
        at = centre + np.array([*rng.uniform(-spread, spread, 2), 0])
        placed.append(Placed(thing=cable(rng, wardrobe), position=at))
    views = tuple(_view(rng, arms, centre, spread) for _ in range(num_views))
    lamps, ambient = draw_lamps(rng)
    crease = float(rng.uniform(0.1, 0.6))
    room = _some(rng, assets.photos, 1) if challenge != NO_CHALLENGE else []
    used += [picture.source for picture in room]
    return TabletopPlan(
        placed=tuple(placed),
        lamps=lamps,
        ambient=ambient,
        crease=crease,
        views=views,
        sources=tuple(dict.fromkeys(used)),
        room=room[0].pixels if room else None,
    )


def _wardrobe(rng: np.random.Generator, assets: TabletopAssets, used: list[SceneSource]) -> Wardrobe:
    """A few pictures for this scene's packages and wood."""
    photos = _some(rng, assets.photos, 4)
    wood = _some(rng, [t for t in assets.textures if t.material == "wood"], 3)
    used += [picture.source for picture in (*photos, *wood)]
    return Wardrobe(wood=tuple(t.pixels for t in wood), photos=tuple(p.pixels for p in photos))


def _some(rng: np.random.Generator, pictures: Sequence[TexturePicture], count: int) -> list[TexturePicture]:
    if not pictures:
        return []
    return [pictures[int(i)] for i in rng.integers(len(pictures), size=min(count, len(pictures)))]


def _furnish(rng: np.random.Generator, wardrobe: Wardrobe, centre: np.ndarray, spread: float) -> list[Placed]:
    """Containers and drawers that stand before things fall."""
    placed: list[Placed] = []
    for maker, chance in ((container, 0.5), (container, 0.2), (cabinet, 0.22)):
        if rng.random() > chance:
            continue
        thing = maker(rng, wardrobe)
        for _ in range(8):
            reach = spread * 0.6 if maker is container else spread + 0.12
            at = centre + np.array([*rng.uniform(-reach, reach, 2), 0])
            if all(np.linalg.norm(at - other.position) > _radius(thing) + _radius(other.thing) for other in placed):
                turn = rng.uniform(0, 2 * math.pi) if maker is container else rng.normal(0, 0.5)
                placed.append(Placed(thing=thing, position=at, rotation=_about_z(turn)))
                break
    return placed


def _radius(thing: Thing) -> float:
    low, high = bounds(thing.pieces)
    return float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high))[:2])) * 0.8


def _about_z(turn: float) -> Float[np.ndarray, "3 3"]:
    c, s = math.cos(turn), math.sin(turn)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _any_rotation(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    q = rng.normal(size=4)
    w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _arms(
    rng: np.random.Generator,
    assets: TabletopAssets,
    centre: np.ndarray,
    used: list[SceneSource],
    challenge: Challenge,
) -> list[PosedArm]:
    """None, one or two arms at the table's edge, each reaching over it."""
    kinds = challenge.grippers
    if not assets.arms:
        return [with_gripper(arm, rng, kinds) for arm in made_arms(rng, centre)] if kinds else []
    count = int(rng.choice(3, p=_NUM_ARMS_HARD if kinds else _NUM_ARMS))
    asset = assets.arms[int(rng.integers(len(assets.arms)))]
    recolour = draw_colour(rng, str(rng.choice(COLOUR_NAMES))) if rng.random() < 0.2 else None
    posed = []
    heading = rng.uniform(0, 2 * math.pi)
    for k in range(count):
        used.append(asset.source)
        around = heading + k * rng.uniform(1.2, math.pi)
        base = centre - rng.uniform(0.42, 0.62) * np.array([math.cos(around), math.sin(around), 0])
        aside = rng.uniform(-0.15, 0.15, 2) + (
            0.1 * np.array([-math.cos(around), -math.sin(around)]) if count > 1 else 0
        )
        target = centre + np.array([*aside, rng.uniform(0.06, 0.3)])
        lean = rng.normal(0, 0.3, 2) if rng.random() < 0.8 else np.array([math.cos(around), math.sin(around)])
        approach = np.array([*lean, -1.0])
        arm = pose_arm(
            asset,
            rng,
            base=base,
            heading=around,
            target=target,
            approach=approach / np.linalg.norm(approach),
            recolour=recolour,
        )
        posed.append(with_gripper(arm, rng, kinds) if kinds else arm)
    return posed


def _draw(rng: np.random.Generator, wardrobe: Wardrobe, challenge: Challenge) -> Thing:
    """Something small, mostly of a hard kind where these are wanted."""
    if not challenge.hard or rng.random() > _HARD_SHARE:
        return draw_thing(rng, wardrobe)
    return HARD[challenge.hard[int(rng.integers(len(challenge.hard)))]](rng, wardrobe)


def _held(rng: np.random.Generator, wardrobe: Wardrobe, arms: Sequence[PosedArm], challenge: Challenge) -> list[Placed]:
    """Something small between the fingers of some grippers."""
    placed = []
    for arm in arms:
        if rng.random() > (_HARD_HELD if challenge.hard else _HELD):
            continue
        thing = _draw(rng, wardrobe, challenge)
        low, high = bounds(thing.pieces)
        shrink = min(1.0, 0.06 / float(np.sort(high - low)[1]))
        middle = (low + high) / 2
        rotation = np.stack([arm.across, np.cross(arm.approach, arm.across), arm.approach], 1) @ _about_z(
            rng.choice([0, math.pi / 2])
        )
        pieces = tuple(piece.moved(np.eye(3) * shrink, -middle * shrink) for piece in thing.pieces)
        held = replace(thing, pieces=pieces, hulls=())
        placed.append(Placed(thing=held, position=arm.grip + 0.005 * arm.approach, rotation=rotation))
    return placed


def _scatter(
    rng: np.random.Generator,
    assets: TabletopAssets,
    wardrobe: Wardrobe,
    centre: np.ndarray,
    spread: float,
    obstacles: Sequence[Placed],
    used: list[SceneSource],
    challenge: Challenge,
) -> list[Placed]:
    """Things to drop: most upright beside each other, some from above others, some into containers."""
    placed: list[Placed] = []
    bins = [o for o in obstacles if o.thing.name != "cabinet"]
    favourite = _draw(rng, wardrobe, challenge) if rng.random() < 0.2 else None
    for _ in range(int(rng.integers(5, 19))):
        if favourite is not None and rng.random() < 0.6:
            thing = favourite
        elif assets.meshes and rng.random() < (0.2 if challenge.hard else 0.5):
            mesh = _draw_mesh(rng, assets.meshes)
            used.append(mesh.source)
            thing = to_thing(mesh, rng)
        else:
            thing = _draw(rng, wardrobe, challenge)
        upright = rng.random() < (0.75 if thing.name not in ("screwdriver", "hammer", "wrench") else 0.2)
        rotation = _about_z(rng.uniform(0, 2 * math.pi)) @ (np.eye(3) if upright else _any_rotation(rng))
        corners = np.concatenate([piece.vertices for piece in thing.pieces]) @ rotation.T
        radius = float(np.abs(corners[:, :2]).max())
        into = bins[int(rng.integers(len(bins)))] if bins and rng.random() < 0.4 else None
        if into is not None:
            at = into.position[:2] + rng.uniform(-0.08, 0.08, 2)
        else:
            at = centre[:2] + rng.normal(0, spread, 2).clip(-2 * spread, 2 * spread)
        below = [p for p in (*placed, *obstacles) if np.linalg.norm(p.position[:2] - at) < radius + _radius(p.thing)]
        floor = max((p.position[2] + bounds(p.thing.pieces)[1, 2] for p in below), default=0.0)
        height = min(floor, 0.5) - float(corners[:, 2].min()) + 0.004
        placed.append(Placed(thing=thing, position=np.array([*at, height]), rotation=rotation, falls=True))
    return placed


def _draw_mesh(rng: np.random.Generator, meshes: Sequence[MeshAsset]) -> MeshAsset:
    """Draw a name, then a mesh of it: catalogues have dozens of chairs and one hammer."""
    name = str(rng.choice(sorted({mesh.name for mesh in meshes})))
    named = [mesh for mesh in meshes if mesh.name == name]
    return named[int(rng.integers(len(named)))]


def _view(rng: np.random.Generator, arms: Sequence[PosedArm], centre: np.ndarray, spread: float) -> View:
    """A camera from the front, from above, from a corner, near by, or at a wrist."""
    kind = str(rng.choice(list(_VIEWS), p=list(_VIEWS.values())))
    target = centre + np.array([*rng.normal(0, 0.05, 2), rng.uniform(0, 0.08)])
    fovy = float(rng.uniform(30, 62))
    if kind == "wrist" and arms:
        arm = arms[0]
        side = np.cross(arm.approach, arm.across)
        position = arm.grip - rng.uniform(0.1, 0.2) * arm.approach + rng.uniform(0.06, 0.1) * side
        return View(
            position=position, target=arm.grip + 0.12 * arm.approach, up=arm.across, fovy_degrees=rng.uniform(55, 80)
        )
    elevation = {"front": rng.uniform(8, 30), "top": rng.uniform(68, 89), "close": rng.uniform(15, 60)}.get(
        kind, rng.uniform(25, 60)
    )
    needed = (spread * 1.5 + 0.12) / math.tan(math.radians(fovy / 2))
    distance = needed * (rng.uniform(0.35, 0.6) if kind == "close" else rng.uniform(0.6, 1.05))
    around, up = rng.uniform(0, 2 * math.pi), math.radians(elevation)
    offset = np.array([math.cos(around) * math.cos(up), math.sin(around) * math.cos(up), math.sin(up)])
    roll = rng.normal(0, 0.06)
    return View(
        position=target + max(0.22, distance) * offset, target=target,
        up=np.array([math.sin(roll) * -offset[1], math.sin(roll) * offset[0], 1.0]), fovy_degrees=fovy,
    )  # fmt: skip


__all__ = ["draw_plan"]
