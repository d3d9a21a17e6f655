"""Robot arms with grippers, posed: robosuite's models, bent so that the gripper is where a scene wants it.

An arm is compiled once; posing it moves joints (damped least squares towards a point and a direction) and hands out
its pieces where they then are, so that a scene holds still meshes and no joints. Arm and gripper are two things: "robot
arm" with links as parts, "robot gripper" with fingers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.catalogues import prevailing_colour
from maskwright.train.tabletop.pieces import Piece, Surface
from maskwright.train.tabletop.simulator import load_simulator
from maskwright.train.tabletop.things import Thing

_GRIPPER = "gripper_"
# Arm and gripper; those of robosuite 1.5 that MuJoCo's parser takes as they are.
_PAIRS = (
    ("panda", "panda_gripper"), ("panda", "robotiq_gripper_140"), ("ur5e", "robotiq_gripper_140"),
    ("ur5e", "rethink_gripper"), ("sawyer", "rethink_gripper"), ("iiwa", "robotiq_gripper_140"),
    ("kinova3", "panda_gripper"), ("jaco", "jaco_three_finger_gripper"), ("xarm7", "panda_gripper"),
)  # fmt: skip
_VISUAL_GROUP = 1
# Visual meshes have up to 480,000 vertices; what is finer than this is no pixel at a robot's distance.
_FINENESS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAsset:
    """An arm and a gripper on disk."""

    key: str
    arm: Path
    gripper: Path
    source: SceneSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosedArm:
    """Arm and gripper in the scene's frame, and where the gripper is and looks; `flange` is where it is screwed on."""

    arm: Thing
    gripper: Thing
    grip: Float[np.ndarray, " 3"]
    flange: Float[np.ndarray, " 3"]
    approach: Float[np.ndarray, " 3"]
    across: Float[np.ndarray, " 3"]


def find_arms(folders: Iterable[Path]) -> list[ArmAsset]:
    """Find robosuite's arms below some folders."""
    found = []
    for folder in folders:
        for assets in sorted(folder.rglob("robosuite/models/assets")):
            for arm, gripper in _PAIRS:
                paths = assets / "robots" / arm / "robot.xml", assets / "grippers" / f"{gripper}.xml"
                if all(path.is_file() for path in paths):
                    source = SceneSource(what=f"robosuite: {arm}, {gripper}", licence="MIT")
                    found.append(ArmAsset(key=f"{arm}/{gripper}", arm=paths[0], gripper=paths[1], source=source))
    return found


def pose_arm(
    asset: ArmAsset,
    rng: np.random.Generator,
    *,
    base: Float[np.ndarray, " 3"],
    heading: float,
    target: Float[np.ndarray, " 3"],
    approach: Float[np.ndarray, " 3"],
    recolour: tuple[float, float, float] | None = None,
) -> PosedArm:
    """Stand an arm at `base`, turned by `heading` about z, its gripper near `target` and pointing along `approach`.

    What lies out of reach is approached as far as it goes; an arm that would pass below its base is bent again.
    """
    mujoco, model, geoms = _load(asset.arm, asset.gripper)
    data = mujoco.MjData(model)
    c, s = np.cos(heading), np.sin(heading)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    goal, direction = turn.T @ (target - base), turn.T @ approach
    best: tuple[float, np.ndarray] | None = None
    for _ in range(6):
        error = _reach(mujoco, model, data, rng, goal, direction)
        if best is None or error < best[0]:
            best = error, data.qpos.copy()
        if error < 0.02:
            break
    assert best is not None
    data.qpos[:] = best[1]
    mujoco.mj_kinematics(model, data)
    pieces: dict[bool, list[Piece]] = {False: [], True: []}
    for geom, (is_gripper, piece) in geoms.items():
        matrix = turn @ data.geom_xmat[geom].reshape(3, 3)
        pieces[is_gripper].append(piece.moved(matrix, turn @ data.geom_xpos[geom] + base))
    if recolour is not None:
        bright = [p for p in pieces[False] if min(p.surface.rgb) > 0.5]
        pieces[False] = [
            replace(p, surface=replace(p.surface, rgb=recolour)) if p in bright else p for p in pieces[False]
        ]
    site = model.site(f"{_GRIPPER}grip_site").id
    frame = turn @ data.site_xmat[site].reshape(3, 3)
    return PosedArm(
        arm=_thing("robot arm", pieces[False]),
        gripper=_thing("robot gripper", pieces[True]),
        grip=turn @ data.site_xpos[site] + base,
        flange=turn @ data.body("right_hand").xpos + base,
        approach=frame[:, 2],
        across=frame[:, 0],
    )


def _thing(name: str, pieces: list[Piece]) -> Thing:
    parts = list(dict.fromkeys(piece.part for piece in pieces))
    hulls = tuple(tuple(i for i, piece in enumerate(pieces) if piece.part == part) for part in parts)
    return Thing(name=name, pieces=tuple(pieces), colour=prevailing_colour(pieces), hulls=hulls)


def _reach(
    mujoco: Any, model: Any, data: Any, rng: np.random.Generator, goal: np.ndarray, direction: np.ndarray
) -> float:
    """Bend from a random start; return the distance left, more if the arm passes below its base."""
    limited = model.jnt_limited.astype(bool)
    low = np.where(limited, model.jnt_range[:, 0], -2.5)
    high = np.where(limited, model.jnt_range[:, 1], 2.5)
    arm = np.array([not model.joint(j).name.startswith(_GRIPPER) for j in range(model.njnt)])
    middle, half = np.clip((low + high) / 2, -3, 3), (high - low) / 2
    data.qpos[:] = np.where(arm, middle + half * rng.uniform(-0.45, 0.45, model.njnt), 0)
    data.qpos[~arm] = (low + (high - low) * rng.uniform(0.3, 1.0))[~arm] if _opens(model) else 0
    site = model.site(f"{_GRIPPER}grip_site").id
    jacp, jacr = np.zeros((3, model.nv)), np.zeros((3, model.nv))
    for _ in range(80):
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_jacSite(model, data, jacp, jacr, site)
        ahead = data.site_xmat[site].reshape(3, 3)[:, 2]
        miss = np.concatenate([goal - data.site_xpos[site], 0.4 * np.cross(ahead, direction)])
        jacobian = np.concatenate([jacp, 0.4 * jacr])[:, arm]
        step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(6), miss)
        step *= min(1.0, 0.4 / (np.abs(step).max() + 1e-9))
        data.qpos[arm] = np.clip(data.qpos[arm] + step, low[arm], high[arm])
    mujoco.mj_kinematics(model, data)
    lowest = float(data.xpos[2:, 2].min())
    facing = float(data.site_xmat[site].reshape(3, 3)[:, 2] @ direction)
    return float(np.linalg.norm(goal - data.site_xpos[site])) + max(0.0, -0.02 - lowest) * 5 + max(0.0, 0.6 - facing)


def _opens(model: Any) -> bool:
    """Whether the fingers slide; linked knuckles would come apart if each were moved alone."""
    fingers = [j for j in range(model.njnt) if model.joint(j).name.startswith(_GRIPPER)]
    return len(fingers) == 2


@lru_cache(maxsize=16)
def _load(arm: Path, gripper: Path) -> tuple[Any, Any, dict[int, tuple[bool, Piece]]]:
    """Compile an arm with its gripper and take its visible pieces, each in the frame of its geom."""
    mujoco = load_simulator()
    spec = mujoco.MjSpec.from_file(str(arm))
    hand = spec.body("right_hand")
    spec.attach(mujoco.MjSpec.from_file(str(gripper)), frame=hand.add_frame(), prefix=_GRIPPER)
    model = spec.compile()
    geoms: dict[int, tuple[bool, Piece]] = {}
    for geom in range(model.ngeom):
        if model.geom_group[geom] != _VISUAL_GROUP or model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
            continue
        body = model.body(model.geom_bodyid[geom]).name
        is_gripper = body.startswith(_GRIPPER)
        geoms[geom] = is_gripper, _geom_piece(model, geom, _part(body, is_gripper))
    return mujoco, model, geoms


def _part(body: str, is_gripper: bool) -> str | None:
    if not is_gripper:
        return "base#0" if "base" in body else f"link#{body}"
    words = body.removeprefix(_GRIPPER)
    moving = ("finger", "knuckle", "thumb", "index", "pinky")
    if not any(word in words for word in moving):
        return None
    side = next((s for s in ("left", "right", "thumb", "index", "pinky", "l_", "r_") if s in words), words)
    return f"finger#{side}"


def _geom_piece(model: Any, geom: int, part: str | None) -> Piece:
    mesh = model.geom_dataid[geom]
    start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    first, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    material = model.geom_matid[geom]
    rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
    surface = Surface(rgb=tuple(float(x) for x in rgba[:3]), specular=0.5, shininess=0.5)  # type: ignore[arg-type]
    vertices, triangles = coarser(
        model.mesh_vert[start : start + count].astype(float), model.mesh_face[first : first + faces], _FINENESS
    )
    return Piece(vertices=vertices, faces=triangles, surface=surface, part=part)


def coarser(
    vertices: Float[np.ndarray, "V 3"], faces: np.ndarray, fineness: float
) -> tuple[Float[np.ndarray, "W 3"], np.ndarray]:
    """Merge vertices that share a cell of a grid, and drop the triangles that collapse."""
    cells = np.round(vertices / fineness).astype(np.int64)
    _, keep, merged = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    triangles = merged.reshape(-1)[faces]
    a, b, c = triangles.T
    triangles = triangles[(a != b) & (b != c) & (a != c)]
    return vertices[keep], np.unique(triangles, axis=0)


__all__ = ["ArmAsset", "PosedArm", "coarser", "find_arms", "pose_arm"]
