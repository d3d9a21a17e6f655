"""What a robot episode shows: a tabletop on which an arm picks one thing up and puts it down among others.

Drawn from a seed before any simulator sees it. How the gripper moves is decided once things have come to rest, because
only then is known where they lie.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.catalogues import to_thing
from maskwright.train.tabletop.layout import Placed, TabletopAssets, TabletopPlan, View
from maskwright.train.tabletop.picking import PickingArm, Stop, draw_arm
from maskwright.train.tabletop.pieces import bounds
from maskwright.train.tabletop.plan import _about_z, _draw_mesh, _wardrobe
from maskwright.train.tabletop.room import draw_lamps, draw_room
from maskwright.train.tabletop.things import Thing, Wardrobe, container, draw_thing

_BASE_XY = np.array([-0.45, 0.0])
_NEAREST, _FURTHEST = 0.28, 0.56  # metres from the arm's base at which it can pick up and put down
_LOW_XY, _HIGH_XY = np.array([-0.16, -0.27]), np.array([0.20, 0.27])
_GAP = 0.012
# What a tracker can be asked about: at least so long in its second dimension, and a hand can hold at most so much.
_SLIMMEST, _LARGEST, _HAND_WIDTH = 0.024, 0.24, 0.09
_GRIP_DEPTH = 0.035  # how far fingers reach below the top of what they take
_MARGIN = 0.004
_TRIES = 40
# When the gripper is where, as shares of the episode: above the thing, at it, shut, lifted, above the goal, at it,
# open, away, at the end.
_SHARES = (0.22, 0.33, 0.39, 0.50, 0.68, 0.77, 0.81, 0.89, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodePlan:
    """A tabletop with an arm; `picked` is the place in `tabletop.placed` of what it takes, `first_part` of its base.

    The arm leaves from `home_xyz` and goes to `away_xyz`; what it takes is let go above `goal_xyz`, the floor of a
    container or the table. The camera goes from the one view of the tabletop to `last_view`.
    """

    tabletop: TabletopPlan
    arm: PickingArm
    picked: int
    first_part: int
    home_xyz: tuple[float, float, float]
    away_xyz: tuple[float, float, float]
    goal_xyz: tuple[float, float, float]
    rim: float
    last_view: View


def draw_episode(rng: np.random.Generator, assets: TabletopAssets) -> EpisodePlan | None:
    """Draw an episode; None where what was drawn cannot be picked up."""
    used: list[SceneSource] = []
    wardrobe = _wardrobe(rng, assets, used)
    room, sources = draw_room(rng, assets.textures, assets.photos)
    arm = draw_arm(rng, _BASE_XY)
    bins = _bin(rng, wardrobe) if rng.random() < 0.7 else []
    picked = _something_to_pick(rng, assets, wardrobe, used)
    if picked is None:
        return None
    things = [picked]
    things += [_something(rng, assets, wardrobe, used) for _ in range(int(rng.integers(4, 7)))]
    placed = _spread(rng, things, bins)
    if not placed or placed[0].thing is not picked:
        return None
    goal = bins[0].position if bins else _free_spot(rng, picked, placed)
    if goal is None:
        return None
    standing = [*room, *bins, *placed]
    parts = [Placed(thing=thing, position=np.array([0, 0, -2.0])) for thing in arm.parts]
    first, last = _cameras(rng)
    lamps, ambient = draw_lamps(rng)
    side = float(rng.choice([-1, 1]))
    return EpisodePlan(
        tabletop=TabletopPlan(
            placed=(*standing, *parts), lamps=lamps, ambient=ambient, crease=float(rng.uniform(0.2, 0.5)),
            views=(first,), sources=tuple(dict.fromkeys((*used, *sources))),
        ),
        arm=arm,
        picked=len(room) + len(bins),
        first_part=len(standing),
        home_xyz=(-0.12, 0.14 * side, float(rng.uniform(0.24, 0.3))),
        away_xyz=(float(rng.uniform(-0.06, 0.06)), -0.12 * side, float(rng.uniform(0.22, 0.3))),
        goal_xyz=(float(goal[0]), float(goal[1]), 0.006 if bins else 0.0),
        rim=float(bounds(bins[0].thing.pieces)[1, 2]) if bins else 0.0,
        last_view=last,
    )  # fmt: skip


def plan_motion(plan: EpisodePlan, points: Float[np.ndarray, "P 3"], duration_s: float) -> tuple[Stop, ...] | None:
    """Decide where the gripper is when, from the points of what it takes as they lie; None where no grip will hold.

    Between the third and the sixth stop the thing is in the hand.
    """
    turn, middle_xy, half = _narrowest(points)
    bottom, top = float(points[:, 2].min()), float(points[:, 2].max())
    away = math.hypot(*(middle_xy - plan.arm.base_xy))
    if half * 2 > _HAND_WIDTH or top - bottom < 0.02 or top > 0.3 or not _NEAREST - 0.03 < away < _FURTHEST + 0.03:
        return None
    x, y = float(middle_xy[0]), float(middle_xy[1])
    grip = max(bottom + 0.012, top - _GRIP_DEPTH)
    wide = min(half + 0.02, _HAND_WIDTH / 2 + 0.008)
    lifted = max(grip, plan.rim + grip - bottom) + 0.09
    gx, gy, floor = plan.goal_xyz
    let_go = grip - bottom + (max(floor, plan.rim * 0.6) if plan.rim else _MARGIN)
    places = (
        ((x, y, lifted), turn, wide), ((x, y, grip), turn, wide), ((x, y, grip), turn, half),
        ((x, y, lifted), turn, half), ((gx, gy, lifted), turn, half), ((gx, gy, let_go), turn, half),
        ((gx, gy, let_go), turn, wide), ((gx, gy, lifted + 0.02), turn, wide), (plan.away_xyz, turn, wide),
    )  # fmt: skip
    stops = [Stop(at_s=0.0, xyz=plan.home_xyz, turn=turn + 0.6, opening=wide)]
    for share, (xyz, turned, opening) in zip(_SHARES, places, strict=True):
        stops.append(Stop(at_s=share * duration_s, xyz=xyz, turn=turned, opening=opening))
    return tuple(stops)


def held_between(stops: Sequence[Stop]) -> tuple[float, float]:
    """From when to when the gripper holds the thing."""
    return stops[3].at_s, stops[6].at_s + 0.3 * (stops[7].at_s - stops[6].at_s)


def _narrowest(points: Float[np.ndarray, "P 3"]) -> tuple[float, Float[np.ndarray, " 2"], float]:
    """The direction in which the points are narrowest, the middle of their box along it, and half their width."""
    best: tuple[float, np.ndarray, float] | None = None
    for turn in np.linspace(0, math.pi, 36, endpoint=False).tolist():
        x, y = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        low, high = (points[:, :2] @ np.stack([x, y], 1)).min(0), (points[:, :2] @ np.stack([x, y], 1)).max(0)
        middle, half = (low + high) / 2, float(high[1] - low[1]) / 2
        if best is None or half < best[2] - 1e-4:
            best = turn, middle[0] * x + middle[1] * y, half
    assert best is not None
    turn = best[0] if best[0] < math.pi / 2 else best[0] - math.pi
    return turn, best[1], best[2]


def _something(rng: np.random.Generator, assets: TabletopAssets, wardrobe: Wardrobe, used: list[SceneSource]) -> Thing:
    """Something of a size that a camera across the table can tell."""
    for _ in range(_TRIES):
        source = None
        if assets.meshes and rng.random() < 0.4:
            mesh = _draw_mesh(rng, assets.meshes)
            thing, source = to_thing(mesh, rng), mesh.source
        else:
            thing = draw_thing(rng, wardrobe)
        low, high = bounds(thing.pieces)
        _, second, largest = np.sort(high - low)
        if second >= _SLIMMEST and largest <= _LARGEST and all(p.surface.alpha == 1 for p in thing.pieces):
            used += [source] if source is not None else []
            return thing
    return draw_thing(rng, wardrobe)


def _something_to_pick(
    rng: np.random.Generator, assets: TabletopAssets, wardrobe: Wardrobe, used: list[SceneSource]
) -> Thing | None:
    for _ in range(_TRIES):
        mine: list[SceneSource] = []
        thing = _something(rng, assets, wardrobe, mine)
        low, high = bounds(thing.pieces)
        width, depth, height = high - low
        if min(width, depth) < _HAND_WIDTH - 0.015 and max(width, depth) < 0.13 and 0.03 < height < 0.2:
            used += mine
            return thing
    return None


def _bin(rng: np.random.Generator, wardrobe: Wardrobe) -> list[Placed]:
    """A container at one side, within reach."""
    thing = container(rng, wardrobe)
    pieces = tuple(piece.moved(np.diag([0.72, 0.72, 0.85])) for piece in thing.pieces)
    at = np.array([rng.uniform(-0.06, 0.06), rng.choice([-1, 1]) * rng.uniform(0.16, 0.22), 0.0])
    return [Placed(thing=replace(thing, pieces=pieces), position=at, rotation=_about_z(rng.normal(0, 0.3)))]


def _spread(rng: np.random.Generator, things: Sequence[Thing], taken: Sequence[Placed]) -> list[Placed]:
    """Put things upright beside each other; what finds no room is left out, the first is within the arm's reach."""
    placed: list[Placed] = []
    for number, thing in enumerate(things):
        rotation = _about_z(rng.uniform(0, 2 * math.pi))
        for _ in range(_TRIES):
            at = rng.uniform(_LOW_XY, _HIGH_XY)
            is_near = _NEAREST < np.linalg.norm(at - _BASE_XY) < _FURTHEST
            others = (*taken, *placed)
            apart = all(np.linalg.norm(at - o.position[:2]) > _radius(thing) + _radius(o.thing) + _GAP for o in others)
            if apart and (is_near or number > 0):
                low = float(bounds(thing.pieces)[0, 2])
                position = np.array([*at, _MARGIN / 2 - low])
                placed.append(Placed(thing=thing, position=position, rotation=rotation, falls=True))
                break
    return placed


def _free_spot(rng: np.random.Generator, thing: Thing, placed: Sequence[Placed]) -> np.ndarray | None:
    for _ in range(_TRIES):
        at = rng.uniform(_LOW_XY, _HIGH_XY)
        is_near = _NEAREST < np.linalg.norm(at - _BASE_XY) < _FURTHEST
        moved = np.linalg.norm(at - placed[0].position[:2]) > 0.15
        if is_near and moved and all(
            np.linalg.norm(at - other.position[:2]) > _radius(thing) + _radius(other.thing) for other in placed[1:]
        ):  # fmt: skip
            return at
    return None


def _radius(thing: Thing) -> float:
    """Half of the diagonal that a thing covers, a little less because corners seldom meet."""
    low, high = bounds(thing.pieces)
    return float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high))[:2])) * 0.9


def _cameras(rng: np.random.Generator) -> tuple[View, View]:
    """A camera across the table or beside it, at rest or, in one of three episodes, drifting slowly."""
    target = np.array([rng.uniform(-0.12, -0.02), rng.uniform(-0.05, 0.05), rng.uniform(0.06, 0.12)])
    around, up = math.radians(rng.uniform(-105, 105)), math.radians(rng.uniform(22, 50))
    fovy, distance = float(rng.uniform(38, 50)), float(rng.uniform(0.85, 1.1))
    drift = rng.uniform(-0.16, 0.16) if rng.random() < 1 / 3 else 0.0

    def at(turn: float, rise: float) -> View:
        offset = np.array([math.cos(turn) * math.cos(rise), math.sin(turn) * math.cos(rise), math.sin(rise)])
        return View(
            position=target + distance * offset, target=target, up=np.array([0, 0, 1.0]), fovy_degrees=fovy
        )  # fmt: skip

    return at(around, up), at(around + drift, up + drift / 4)


__all__ = ["EpisodePlan", "draw_episode", "held_between", "plan_motion"]
