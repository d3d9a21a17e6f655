"""A simple arm that picks something up and puts it down: its pieces, its joints, and where it is at what time.

The hand points straight down all the time, so shoulder, elbow and wrist follow in closed form. Between two stops it
moves with minimum jerk, as people's hands do. Made from numbers only; no simulator.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from maskwright.train.tabletop.colours import draw_colour
from maskwright.train.tabletop.pieces import Piece, Surface, box, revolve, tube
from maskwright.train.tabletop.things import Thing

_FINGER_LENGTH = 0.085
_PEDESTAL = 0.7
ARM_PARTS = ("base", "turret", "upper", "forearm", "hand", "left finger", "right finger")
_GRIPPER_PARTS = frozenset(("hand", "left finger", "right finger"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickingArm:
    """An arm: where it stands, how long its links are in metres, and a thing for each of `ARM_PARTS`.

    Each part lies along x from its joint; hand and fingers hang above the point between the fingertips, open along y.
    """

    base_xy: Float[np.ndarray, " 2"]
    shoulder_z: float
    upper: float
    forearm: float
    hand: float
    parts: tuple[Thing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where the gripper is at a time: it opens across the direction `turn`, `opening` to either side."""

    at_s: float
    xyz: tuple[float, float, float]
    turn: float
    opening: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Where a part is."""

    position: Float[np.ndarray, " 3"]
    rotation: Float[np.ndarray, "3 3"]


def draw_arm(rng: np.random.Generator, base_xy: Float[np.ndarray, " 2"]) -> PickingArm:
    """Draw an arm's proportions and colours."""
    upper, forearm = rng.uniform(0.34, 0.40), rng.uniform(0.31, 0.36)
    hand, thick = rng.uniform(0.19, 0.22), rng.uniform(0.9, 1.15)
    shoulder_z = rng.uniform(0.16, 0.26)
    body = _surface(rng, ["white", "gray", "black", "orange", "blue", "white"])
    joint, trim = _surface(rng, ["black", "gray"]), _surface(rng, ["orange", "blue", "red", "gray"])
    steel = Surface(rgb=draw_colour(rng, "gray"), specular=0.8, shininess=0.7)
    shapes = {
        "base": _base(body, joint, thick, shoulder_z),
        "turret": (_round(joint, (-0.065, 0.065), 0.052 * thick, axis="y"),),
        "upper": _link(upper, 0.042 * thick, body, joint, trim),
        "forearm": _link(forearm, 0.034 * thick, body, joint, trim),
        "hand": _hand(hand, thick, joint, steel),
        "left finger": _finger(1, steel, joint),
        "right finger": _finger(-1, steel, joint),
    }
    parts = tuple(
        Thing(name="robot gripper" if part in _GRIPPER_PARTS else "robot arm", pieces=shapes[part])
        for part in ARM_PARTS
    )
    return PickingArm(
        base_xy=base_xy, shoulder_z=shoulder_z, upper=upper, forearm=forearm, hand=hand, parts=parts
    )  # fmt: skip


def place_arm(arm: PickingArm, gripper: Stop) -> tuple[Placement, ...]:
    """Bend the arm so that the gripper is where a stop has it, the elbow up; a placement for each of `ARM_PARTS`.

    Raises:
        ValueError: it is out of reach.
    """
    x, y = gripper.xyz[0] - arm.base_xy[0], gripper.xyz[1] - arm.base_xy[1]
    yaw, out, up = math.atan2(y, x), math.hypot(x, y), gripper.xyz[2] + arm.hand - arm.shoulder_z
    distance = math.hypot(out, up)
    if not abs(arm.upper - arm.forearm) < distance < arm.upper + arm.forearm:
        raise ValueError(f"{distance:.3f} m from the shoulder is out of reach")
    bend = math.acos((arm.upper**2 + distance**2 - arm.forearm**2) / (2 * arm.upper * distance))
    raised = math.atan2(up, out) + bend
    elbow_out, elbow_up = arm.upper * math.cos(raised), arm.upper * math.sin(raised)
    lowered = math.atan2(up - elbow_up, out - elbow_out)
    shoulder = np.array([*arm.base_xy, arm.shoulder_z])
    ahead = np.array([math.cos(yaw), math.sin(yaw), 0])
    elbow = shoulder + elbow_out * ahead + np.array([0, 0, elbow_up])
    turned, grip = _turned(gripper.turn, 0), np.array(gripper.xyz)
    aside = turned[:, 1] * gripper.opening
    return (
        Placement(position=np.array([*arm.base_xy, 0.0]), rotation=np.eye(3)),
        Placement(position=shoulder, rotation=_turned(yaw, 0)),
        Placement(position=shoulder, rotation=_turned(yaw, raised)),
        Placement(position=elbow, rotation=_turned(yaw, lowered)),
        Placement(position=grip, rotation=turned),
        Placement(position=grip + aside, rotation=turned),
        Placement(position=grip - aside, rotation=turned),
    )


def gripper_at(stops: Sequence[Stop], time_s: float) -> Stop:
    """Say where the gripper is at a time; before the first stop and after the last it rests."""
    index = bisect_right([stop.at_s for stop in stops], time_s)
    if index == 0 or index == len(stops):
        return stops[min(index, len(stops) - 1)]
    before, after = stops[index - 1], stops[index]
    part = (time_s - before.at_s) / (after.at_s - before.at_s)
    share = part**3 * (10 - 15 * part + 6 * part**2)  # minimum jerk

    def between(a: float, b: float) -> float:
        return a + share * (b - a)

    x, y, z = (between(a, b) for a, b in zip(before.xyz, after.xyz, strict=True))
    return Stop(
        at_s=time_s, xyz=(x, y, z), turn=between(before.turn, after.turn),
        opening=between(before.opening, after.opening),
    )  # fmt: skip


def _turned(yaw: float, raised: float) -> Float[np.ndarray, "3 3"]:
    """A frame whose x axis looks along `yaw` and is raised above the level, whose y axis stays level."""
    x = np.array([math.cos(raised) * math.cos(yaw), math.cos(raised) * math.sin(yaw), math.sin(raised)])
    y = np.array([-math.sin(yaw), math.cos(yaw), 0])
    return np.stack([x, y, np.cross(x, y)], 1)


def _surface(rng: np.random.Generator, colours: Sequence[str]) -> Surface:
    return Surface(rgb=draw_colour(rng, str(rng.choice(colours))), specular=0.5, shininess=0.6)


def _base(body: Surface, joint: Surface, thick: float, shoulder_z: float) -> tuple[Piece, ...]:
    """A column from the floor, in case the table ends before it, a foot and a trunk."""
    wide = 0.06 * thick
    foot = [(0, 0), (wide * 1.5, 0), (wide * 1.5, 0.022), (wide * 1.25, 0.03), (0, 0.03)]
    trunk = [(0, 0.03), (wide, 0.03), (wide, shoulder_z - 0.03), (wide * 0.8, shoulder_z), (0, shoulder_z)]
    column = [(0, -_PEDESTAL), (wide * 0.9, -_PEDESTAL), (wide * 0.9, 0), (0, 0)]
    return tuple(
        Piece(vertices=shape[0], faces=shape[1], surface=surface)
        for shape, surface in ((revolve(foot), joint), (revolve(trunk), body), (revolve(column), joint))
    )


def _link(length: float, radius: float, body: Surface, joint: Surface, trim: Surface) -> tuple[Piece, ...]:
    """A limb along x with a joint at its far end and a coloured ring."""
    return (
        _round(body, (0.0, length), radius, axis="x"),
        _round(joint, (-radius * 1.35, radius * 1.35), radius * 1.08, axis="y", at=(length, 0, 0)),
        _round(trim, (length * 0.3, length * 0.3 + 0.02), radius * 1.03, axis="x"),
    )


def _hand(hand: float, thick: float, joint: Surface, steel: Surface) -> tuple[Piece, ...]:
    """Wrist and palm above the fingers."""
    wrist = _round(steel, (_FINGER_LENGTH + 0.03, hand), 0.028 * thick, axis="z")
    palm, faces, _ = box([0.052, 0.15, 0.036])
    camera, its_faces, _ = box([0.022, 0.03, 0.02])
    return (
        wrist,
        Piece(vertices=palm + np.array([0, 0, _FINGER_LENGTH + 0.018]), faces=faces, surface=joint),
        Piece(vertices=camera + np.array([0.035, 0, _FINGER_LENGTH + 0.02]), faces=its_faces, surface=steel),
    )


def _finger(side: int, steel: Surface, rubber: Surface) -> tuple[Piece, ...]:
    """A finger whose inner face lies at y = 0."""
    bar, faces, _ = box([0.026, 0.011, _FINGER_LENGTH])
    pad, pad_faces, _ = box([0.028, 0.004, 0.03])
    return (
        Piece(
            vertices=bar + np.array([0, side * 0.0095, _FINGER_LENGTH / 2 - 0.008]), faces=faces, surface=steel
        ),
        Piece(vertices=pad + np.array([0, side * 0.002, 0.007]), faces=pad_faces, surface=rubber),
    )  # fmt: skip


def _round(
    surface: Surface, ends: tuple[float, float], radius: float, *, axis: str, at: Sequence[float] = (0, 0, 0)
) -> Piece:
    """A cylinder along an axis from the first end to the second."""
    column = {"x": 0, "y": 1, "z": 2}[axis]
    path = np.zeros((6, 3))
    path[:, column] = np.linspace(*ends, 6)
    vertices, faces = tube(path + np.asarray(at, float), radius, sides=24)
    return Piece(vertices=vertices, faces=faces, surface=surface)


__all__ = ["ARM_PARTS", "PickingArm", "Placement", "Stop", "draw_arm", "gripper_at", "place_arm"]
