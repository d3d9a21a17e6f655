"""How the arm of the demo episode moves: a timetable of gripper poses, and the joint angles that reach them.

The gripper points straight down all the time, so yaw, shoulder, elbow and wrist follow in closed form. Between two
stops it moves with minimum jerk, as people's hands do. No simulator: the mug follows the gripper while it is held, and
falls freely when it is let go.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

BASE_XY = (-0.42, 0.0)
SHOULDER_Z, UPPER, FOREARM, HAND = 0.17, 0.30, 0.27, 0.175  # metres; the hand is measured to between the fingertips
MUG_XY, BIN_XY = (0.05, -0.17), (-0.03, 0.25)
MUG_TURN = math.radians(-35)
FPS, NUM_FRAMES = 30, 120

_OPEN, _SHUT = 0.047, 0.036  # half the distance of the fingers; the mug's radius is 0.036
_GRIP_Z, _ABOVE, _BIN_Z = 0.062, 0.21, 0.135
_FALL_M_S2 = 9.81
_FLOOR_OF_BIN = 0.006


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints:
    """Angles in radians, and half the opening of the gripper in metres."""

    yaw: float
    shoulder: float
    elbow: float
    wrist: float
    roll: float
    opening: float

    def values(self) -> tuple[float, ...]:
        """The six numbers in the order of `JOINT_NAMES`."""
        return self.yaw, self.shoulder, self.elbow, self.wrist, self.roll, self.opening


JOINT_NAMES = ("yaw", "shoulder", "elbow", "wrist", "roll", "gripper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The arm and the mug at one time; `mug_turn` is about the vertical."""

    joints: Joints
    mug_xyz: tuple[float, float, float]
    mug_turn: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """Where the gripper is at a time: `turn` is the direction in which it opens."""

    at_s: float
    xyz: tuple[float, float, float]
    turn: float
    opening: float


_HOME = (-0.10, -0.02, 0.27)
_MUG_GRIP_TURN = MUG_TURN + math.pi / 2  # across the handle
_BIN_TURN = math.radians(20)
_STOPS = (
    _Stop(at_s=0.0, xyz=_HOME, turn=math.pi / 2, opening=_OPEN),
    _Stop(at_s=0.15, xyz=_HOME, turn=math.pi / 2, opening=_OPEN),
    _Stop(at_s=0.95, xyz=(*MUG_XY, _ABOVE), turn=_MUG_GRIP_TURN, opening=_OPEN),
    _Stop(at_s=1.4, xyz=(*MUG_XY, _GRIP_Z), turn=_MUG_GRIP_TURN, opening=_OPEN),
    _Stop(at_s=1.6, xyz=(*MUG_XY, _GRIP_Z), turn=_MUG_GRIP_TURN, opening=_SHUT),
    _Stop(at_s=2.05, xyz=(*MUG_XY, _ABOVE), turn=_MUG_GRIP_TURN, opening=_SHUT),
    _Stop(at_s=2.85, xyz=(*BIN_XY, _ABOVE + 0.02), turn=_BIN_TURN, opening=_SHUT),
    _Stop(at_s=3.15, xyz=(*BIN_XY, _BIN_Z), turn=_BIN_TURN, opening=_SHUT),
    _Stop(at_s=3.3, xyz=(*BIN_XY, _BIN_Z), turn=_BIN_TURN, opening=_OPEN),
    _Stop(at_s=3.6, xyz=(*BIN_XY, _ABOVE + 0.03), turn=_BIN_TURN, opening=_OPEN),
    _Stop(at_s=4.0, xyz=(-0.09, 0.1, 0.27), turn=math.pi / 3, opening=_OPEN),
)
_GRASPED_S, _RELEASED_S = 1.6, 3.22


def moment_at(time_s: float) -> Moment:
    """Say where everything is."""
    gripper = _gripper_at(time_s)
    held = _gripper_at(min(time_s, _RELEASED_S))
    turned = MUG_TURN + held.turn - _MUG_GRIP_TURN
    if time_s <= _GRASPED_S:
        return Moment(joints=reach(gripper.xyz, gripper.turn, gripper.opening), mug_xyz=(*MUG_XY, 0), mug_turn=MUG_TURN)
    x, y, z = held.xyz
    fallen = _FALL_M_S2 / 2 * max(0.0, time_s - _RELEASED_S) ** 2
    mug_z = max(_FLOOR_OF_BIN if fallen else 0.0, z - _GRIP_Z - fallen)
    return Moment(joints=reach(gripper.xyz, gripper.turn, gripper.opening), mug_xyz=(x, y, mug_z), mug_turn=turned)


def reach(xyz: tuple[float, float, float], turn: float, opening: float) -> Joints:
    """Find the angles that bring the point between the fingers to a place, hand down, elbow up.

    Raises:
        ValueError: it is out of reach.
    """
    x, y = xyz[0] - BASE_XY[0], xyz[1] - BASE_XY[1]
    yaw, out, up = math.atan2(y, x), math.hypot(x, y), xyz[2] + HAND - SHOULDER_Z
    distance = math.hypot(out, up)
    if distance > UPPER + FOREARM:
        raise ValueError(f"{distance:.3f} m from the shoulder is out of reach")
    at_shoulder = math.acos((UPPER**2 + distance**2 - FOREARM**2) / (2 * UPPER * distance))
    at_elbow = math.acos((UPPER**2 + FOREARM**2 - distance**2) / (2 * UPPER * FOREARM))
    shoulder = math.atan2(up, out) + at_shoulder
    elbow = at_elbow - math.pi
    # Pointing down, the roll turns against the yaw.
    return Joints(
        yaw=yaw, shoulder=shoulder, elbow=elbow, wrist=-math.pi / 2 - shoulder - elbow,
        roll=yaw + math.pi / 2 - turn, opening=opening,
    )  # fmt: skip


def _gripper_at(time_s: float) -> _Stop:
    index = bisect_right([stop.at_s for stop in _STOPS], time_s)
    if index >= len(_STOPS):
        return _STOPS[-1]
    before, after = _STOPS[max(0, index - 1)], _STOPS[index]
    part = (time_s - before.at_s) / (after.at_s - before.at_s) if index else 0.0
    share = part**3 * (10 - 15 * part + 6 * part**2)  # minimum jerk

    def between(a: float, b: float) -> float:
        return a + share * (b - a)

    x, y, z = (between(a, b) for a, b in zip(before.xyz, after.xyz, strict=True))
    return _Stop(
        at_s=time_s, xyz=(x, y, z), turn=between(before.turn, after.turn),
        opening=between(before.opening, after.opening),
    )  # fmt: skip


__all__ = ["FPS", "JOINT_NAMES", "NUM_FRAMES", "Joints", "Moment", "moment_at", "reach"]
