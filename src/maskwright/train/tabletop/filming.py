"""An episode becomes frames: things come to rest, the arm moves, and every frame says what each pixel shows.

Arm and fingers pass through things; what is in the hand goes with it, and falls once it is let go. Nothing here is
random.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from maskwright.train.tabletop.canvas import Canvas
from maskwright.train.tabletop.episode import EpisodePlan, held_between, plan_motion
from maskwright.train.tabletop.layout import View
from maskwright.train.tabletop.picking import Stop, gripper_at, place_arm
from maskwright.train.tabletop.render import (
    _STEPS,
    _TIMESTEP,
    _add_thing,
    _labels,
    _looking,
    _new_spec,
    _part_keys,
    _quaternion,
    _segment,
)
from maskwright.train.tabletop.shading import darken_creases
from maskwright.train.tabletop.simulator import load_simulator

_CAMERA = "view0"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilmedFrame:
    """A picture, and for each pixel the place in the plan of what it shows, -1 for nothing."""

    image: UInt8[np.ndarray, "H W 3"]
    things: Int[np.ndarray, "H W"]


def film(plan: EpisodePlan, *, size_hw: tuple[int, int], num_frames: int, fps: float) -> Iterator[FilmedFrame]:
    """Draw the frames of an episode one by one; none where the arm cannot do what was planned.

    Raises:
        InputError: the simulator, or what it draws with, is missing.
    """
    mujoco = load_simulator()
    spec = _new_spec(mujoco, plan.tabletop, size_hw)
    keys = tuple(_part_keys(placed.thing) for placed in plan.tabletop.placed)
    owners = []
    for index, placed in enumerate(plan.tabletop.placed):
        owners += _add_thing(mujoco, spec, index, placed, keys[index])
        spec.body(f"thing{index}").mocap = index >= plan.first_part
    model = spec.compile()
    data = mujoco.MjData(model)
    for _ in range(_STEPS):
        mujoco.mj_step(model, data)
    stops = plan_motion(plan, _points_of(model, data, plan), num_frames / fps)
    if stops is None or not _is_within_reach(plan, stops):
        return
    labels = _labels(model, owners, keys)
    canvas = Canvas(mujoco, model, size_hw)
    try:
        hand = _Hand(mujoco, model, data, plan, stops)
        for index in range(num_frames):
            hand.move(index / fps)
            _aim(mujoco, model, plan, index / max(1, num_frames - 1))
            mujoco.mj_forward(model, data)
            canvas.look(data, _CAMERA, shown=labels.thing >= 0)
            geoms, depth = canvas.geoms()
            image = darken_creases(canvas.colours(), depth, plan.last_view.fovy_degrees, plan.tabletop.crease)
            yield FilmedFrame(image=image, things=_segment(labels, geoms)[0])
    finally:
        canvas.close()


class _Hand:
    """Moves the arm, and with it what it holds, through the world's time."""

    def __init__(self, mujoco: Any, model: Any, data: Any, plan: EpisodePlan, stops: tuple[Stop, ...]) -> None:
        self._mujoco, self._model, self._data, self._plan, self._stops = mujoco, model, data, plan, stops
        self._taken_s, self._released_s = held_between(stops)
        self._start_s = float(data.time)
        self._held: tuple[np.ndarray, np.ndarray] | None = None

    def move(self, time_s: float) -> None:
        """Let the world go on until a time of the episode."""
        while self._data.time - self._start_s < time_s - _TIMESTEP / 2:
            now = float(self._data.time) - self._start_s
            self._hold(now)
            self._mujoco.mj_step(self._model, self._data)
        self._hold(time_s)
        placements = place_arm(self._plan.arm, gripper_at(self._stops, time_s))
        for part, placement in enumerate(placements, self._plan.first_part):
            body = self._model.body(f"thing{part}").mocapid[0]
            self._data.mocap_pos[body] = placement.position
            self._data.mocap_quat[body] = _quaternion(self._mujoco, placement.rotation)

    def _hold(self, time_s: float) -> None:
        """Keep the thing in the hand while it is held, as it lay when the fingers closed."""
        if not self._taken_s <= time_s <= self._released_s:
            return
        gripper = gripper_at(self._stops, time_s)
        turn, grip = _about_z(gripper.turn), np.array(gripper.xyz)
        body = self._model.body(f"thing{self._plan.picked}")
        joint = self._model.joint(int(body.jntadr[0]))
        start, speed = int(joint.qposadr[0]), int(joint.dofadr[0])
        if self._held is None:
            matrix = self._data.xmat[body.id].reshape(3, 3)
            self._held = turn.T @ (self._data.xpos[body.id] - grip), turn.T @ matrix
        offset, matrix = self._held
        self._data.qpos[start : start + 3] = grip + turn @ offset
        self._data.qpos[start + 3 : start + 7] = _quaternion(self._mujoco, turn @ matrix)
        self._data.qvel[speed : speed + 6] = 0


def _points_of(model: Any, data: Any, plan: EpisodePlan) -> Float[np.ndarray, "P 3"]:
    """The corners of what shall be picked up, where they lie now."""
    body = model.body(f"thing{plan.picked}").id
    points = np.concatenate([piece.vertices for piece in plan.tabletop.placed[plan.picked].thing.pieces])
    return points @ data.xmat[body].reshape(3, 3).T + data.xpos[body]


def _is_within_reach(plan: EpisodePlan, stops: tuple[Stop, ...]) -> bool:
    try:
        for time_s in np.linspace(0, stops[-1].at_s, 60).tolist():
            place_arm(plan.arm, gripper_at(stops, time_s))
    except ValueError:
        return False
    return True


def _aim(mujoco: Any, model: Any, plan: EpisodePlan, share: float) -> None:
    """Put the camera where it is after a share of the episode."""
    first, last = plan.tabletop.views[0], plan.last_view
    view = View(
        position=first.position + share * (last.position - first.position),
        target=first.target, up=first.up, fovy_degrees=first.fovy_degrees,
    )  # fmt: skip
    camera = model.camera(_CAMERA).id
    model.cam_pos[camera] = view.position
    model.cam_quat[camera] = _quaternion(mujoco, _looking(view))


def _about_z(turn: float) -> Float[np.ndarray, "3 3"]:
    c, s = math.cos(turn), math.sin(turn)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


__all__ = ["FilmedFrame", "film"]
