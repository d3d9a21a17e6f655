"""The scene of the demo episode: a table, an arm of capsules and boxes, a mug, a bottle, a carton, a ball, a bin.

Everything is made here: solids of revolution, boxes, and textures that are computed. No file from elsewhere.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.testing.demo_motion import (
    BASE_XY,
    BIN_XY,
    FOREARM,
    HAND,
    SHOULDER_Z,
    UPPER,
    Moment,
)
from maskwright.train.tabletop.pieces import revolve, tube

CAMERAS = ("front", "wrist")
FOVY_DEGREES = {"front": 40.0, "wrist": 66.0}
# What gets a mask, in the order in which masks are listed. Bodies carry these names; "table" and "wall" get none.
LABELS = {
    "arm": "robot arm",
    "gripper": "gripper",
    "mug": "mug",
    "bottle": "bottle",
    "carton": "carton",
    "ball": "ball",
    "bin": "bin",
}
_WOOD_SIDE = 512

_XML = f"""
<mujoco>
  <statistic extent="1" center="0 0 0.1"/>
  <visual>
    <global offwidth="1280" offheight="960"/>
    <quality shadowsize="4096" offsamples="4"/>
    <headlight ambient="0.34 0.34 0.36" diffuse="0.16 0.16 0.16" specular="0 0 0"/>
    <map znear="0.02" zfar="12"/>
  </visual>
  <asset>
    <material name="white" rgba="0.90 0.90 0.88 1" specular="0.35" shininess="0.5"/>
    <material name="dark" rgba="0.13 0.14 0.16 1" specular="0.4" shininess="0.5"/>
    <material name="orange" rgba="0.93 0.45 0.10 1" specular="0.3" shininess="0.4"/>
    <material name="steel" rgba="0.62 0.64 0.67 1" specular="0.6" shininess="0.7"/>
    <material name="rubber" rgba="0.20 0.20 0.22 1" specular="0.05" shininess="0.1"/>
    <material name="blue" rgba="0.13 0.33 0.60 1" specular="0.25" shininess="0.4"/>
    <material name="red" rgba="0.74 0.10 0.09 1" specular="0.5" shininess="0.7"/>
    <material name="green" rgba="0.10 0.42 0.22 1" specular="0.6" shininess="0.8"/>
    <material name="cream" rgba="0.92 0.88 0.76 1" specular="0.1" shininess="0.2"/>
    <material name="yellow" rgba="0.80 0.86 0.18 1" specular="0.05" shininess="0.1"/>
    <material name="card" rgba="0.72 0.54 0.34 1" specular="0.05" shininess="0.1"/>
    <material name="tape" rgba="0.88 0.80 0.62 1" specular="0.3" shininess="0.5"/>
    <material name="plaster" rgba="0.86 0.85 0.82 1" specular="0" shininess="0"/>
    <material name="floor" rgba="0.40 0.42 0.44 1" specular="0" shininess="0"/>
  </asset>
  <worldbody>
    <light pos="0.5 -0.9 1.7" dir="-0.25 0.5 -1" diffuse="0.62 0.60 0.55" specular="0.5 0.5 0.5" castshadow="true"/>
    <light pos="0.9 1.1 1.3" dir="-0.5 -0.6 -0.9" diffuse="0.22 0.24 0.28" specular="0.1 0.1 0.1" castshadow="false"/>
    <camera name="front" pos="0.98 -0.33 0.62" fovy="{FOVY_DEGREES["front"]}"/>
    <body name="wall"><geom type="box" size="0.02 3 2" pos="-1.3 0 0.8" material="plaster"/></body>
    <body name="ground"><geom type="box" size="4 4 0.01" pos="0 0 -0.76" material="floor"/></body>
    <body name="table" pos="0 0 -0.02"/>
    <body name="bin" pos="{BIN_XY[0]} {BIN_XY[1]} 0" euler="0 0 8">
      <geom type="box" size="0.095 0.075 0.003" pos="0 0 0.003" material="blue"/>
      <geom type="box" size="0.004 0.075 0.042" pos="0.095 0 0.042" material="blue"/>
      <geom type="box" size="0.004 0.075 0.042" pos="-0.095 0 0.042" material="blue"/>
      <geom type="box" size="0.099 0.004 0.042" pos="0 0.075 0.042" material="blue"/>
      <geom type="box" size="0.099 0.004 0.042" pos="0 -0.075 0.042" material="blue"/>
      <geom type="box" size="0.103 0.006 0.004" pos="0 0.077 0.084" material="blue"/>
      <geom type="box" size="0.103 0.006 0.004" pos="0 -0.077 0.084" material="blue"/>
      <geom type="box" size="0.006 0.083 0.004" pos="0.097 0 0.084" material="blue"/>
      <geom type="box" size="0.006 0.083 0.004" pos="-0.097 0 0.084" material="blue"/>
    </body>
    <body name="mug" mocap="true"/>
    <body name="bottle" pos="-0.17 -0.27 0"/>
    <body name="carton" pos="0.19 0.03 0" euler="0 0 28">
      <geom type="box" size="0.048 0.034 0.055" pos="0 0 0.055" material="card"/>
      <geom type="box" size="0.049 0.008 0.0555" pos="0 0 0.0552" material="tape"/>
    </body>
    <body name="ball" pos="0.235 -0.235 0.033"><geom type="sphere" size="0.033" material="yellow"/></body>
    <body name="arm" pos="{BASE_XY[0]} {BASE_XY[1]} 0">
      <geom type="cylinder" size="0.085 0.012" pos="0 0 0.012" material="dark"/>
      <geom type="cylinder" size="0.062 0.045" pos="0 0 0.065" material="white"/>
      <body name="arm_turret" pos="0 0 {SHOULDER_Z}">
        <joint name="yaw" axis="0 0 1"/>
        <geom type="cylinder" size="0.052 0.035" pos="0 0 -0.035" material="orange"/>
        <geom type="cylinder" size="0.048 0.062" euler="90 0 0" material="dark"/>
        <body name="arm_upper">
          <joint name="shoulder" axis="0 -1 0"/>
          <geom type="capsule" size="0.040" fromto="0.02 0 0 {UPPER - 0.02} 0 0" material="white"/>
          <geom type="cylinder" size="0.041" fromto="0.10 0 0 0.125 0 0" material="orange"/>
          <body name="arm_fore" pos="{UPPER} 0 0">
            <joint name="elbow" axis="0 -1 0"/>
            <geom type="cylinder" size="0.042 0.052" euler="90 0 0" material="dark"/>
            <geom type="capsule" size="0.033" fromto="0.02 0 0 {FOREARM - 0.02} 0 0" material="white"/>
            <geom type="cylinder" size="0.034" fromto="0.12 0 0 0.14 0 0" material="orange"/>
            <body name="arm_wrist" pos="{FOREARM} 0 0">
              <joint name="wrist" axis="0 -1 0"/>
              <geom type="cylinder" size="0.034 0.042" euler="90 0 0" material="dark"/>
              <geom type="cylinder" size="0.029" fromto="0 0 0 0.065 0 0" material="steel"/>
              <body name="gripper" pos="0.06 0 0">
                <joint name="roll" axis="1 0 0"/>
                <camera name="wrist" pos="0.0 0 0.075" fovy="{FOVY_DEGREES["wrist"]}"/>
                <geom type="box" size="0.016 0.062 0.026" pos="0.016 0 0" material="dark"/>
                <geom type="box" size="0.012 0.014 0.010" pos="0.004 0 0.034" material="steel"/>
                <body name="gripper_left" pos="0.032 0 0">
                  <joint name="left" type="slide" axis="0 1 0"/>
                  <geom type="box" size="0.036 0.0055 0.013" pos="0.036 0.0065 0" material="steel"/>
                  <geom type="box" size="0.020 0.004 0.014" pos="0.070 0.004 0" material="rubber"/>
                </body>
                <body name="gripper_right" pos="0.032 0 0">
                  <joint name="right" type="slide" axis="0 -1 0"/>
                  <geom type="box" size="0.036 0.0055 0.013" pos="0.036 -0.0065 0" material="steel"/>
                  <geom type="box" size="0.020 0.004 0.014" pos="0.070 -0.004 0" material="rubber"/>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def build_scene(mujoco: Any) -> Any:
    """Compile the scene; geoms belong to bodies whose names begin with a key of `LABELS`, or to none of these."""
    spec = mujoco.MjSpec.from_string(_XML)
    spec.compiler.degree = True
    _add_table(mujoco, spec)
    mug = spec.body("mug")
    profile = [(0, 0.0), (0.031, 0.0), (0.036, 0.006), (0.036, 0.092), (0.0345, 0.094), (0.0325, 0.092), (0.032, 0.009),
               (0, 0.009)]  # fmt: skip
    _add_mesh(mujoco, spec, mug, "mug_body", revolve(profile, sides=40)[:2], "red")
    turn = np.linspace(-1.25, 1.25, 14)
    handle = np.column_stack([0.033 + 0.026 * np.cos(turn), 0 * turn, 0.048 + 0.027 * np.sin(turn)])
    _add_mesh(mujoco, spec, mug, "mug_handle", tube(handle, 0.0052), "red")
    bottle = spec.body("bottle")
    outline = [(0, 0.0), (0.034, 0.0), (0.037, 0.006), (0.037, 0.13), (0.030, 0.165), (0.014, 0.185), (0.0135, 0.222),
               (0, 0.222)]  # fmt: skip
    _add_mesh(mujoco, spec, bottle, "bottle_body", revolve(outline, sides=40)[:2], "green")
    label = [(0.0374, 0.035), (0.0378, 0.037), (0.0378, 0.105), (0.0374, 0.107)]
    _add_mesh(mujoco, spec, bottle, "bottle_label", revolve(label, sides=40)[:2], "cream")
    bottle.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[0.0165, 0.012, 0], pos=[0, 0, 0.222], material="cream")
    _aim(mujoco, spec.camera("front"), np.array([-0.06, 0.015, 0.14]), np.array([0, 0, 1.0]))
    _aim(mujoco, spec.camera("wrist"), np.array([HAND - 0.06, 0, 0.006]), np.array([0, 0, 1.0]))
    return spec.compile()


def pose(mujoco: Any, model: Any, data: Any, moment: Moment) -> None:
    """Put arm and mug where a moment has them."""
    joints = moment.joints
    for name in ("yaw", "shoulder", "elbow", "wrist", "roll"):
        data.joint(name).qpos[:] = getattr(joints, name)
    for name in ("left", "right"):
        data.joint(name).qpos[:] = joints.opening
    body = model.body("mug").mocapid[0]
    data.mocap_pos[body] = moment.mug_xyz
    data.mocap_quat[body] = [math.cos(moment.mug_turn / 2), 0, 0, math.sin(moment.mug_turn / 2)]
    mujoco.mj_forward(model, data)


def owner_of(body_name: str) -> str | None:
    """Name the thing that a body belongs to; None for table, wall and floor."""
    return next((key for key in LABELS if body_name == key or body_name.startswith(f"{key}_")), None)


def _add_table(mujoco: Any, spec: Any) -> None:
    picture = wood()
    texture = spec.add_texture(
        name="wood", type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3, width=_WOOD_SIDE, height=_WOOD_SIDE
    )
    texture.data = np.ascontiguousarray(picture).tobytes()
    material = spec.add_material(name="wood", specular=0.15, shininess=0.3, texrepeat=[1.3, 1.3])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "wood"
    spec.body("table").add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.62, 0.85, 0.02], material="wood")


def wood() -> UInt8[np.ndarray, "H W 3"]:
    """Paint planks of pale wood: streaks along x that differ from plank to plank."""
    rng = np.random.default_rng(4)
    side = _WOOD_SIDE
    y, x = np.mgrid[0:side, 0:side] / side
    planks = np.floor(y * 4).astype(int)
    grain = np.zeros((side, side))
    for scale, weight in ((18, 0.5), (60, 0.3), (160, 0.2)):
        rows = rng.normal(size=(4, scale + 2))
        at = (y * 4 % 1) * scale * 0.5 + 0.35 * np.sin(2 * np.pi * (x + rng.random())) * scale * 0.05 + 1
        low = np.clip(at.astype(int), 0, scale)
        part = at - low
        grain += weight * ((1 - part) * rows[planks, low] + part * rows[planks, low + 1])
    tone = rng.uniform(0.93, 1.05, 4)[planks] * (1 + 0.075 * grain)
    seam = np.abs(y * 4 - np.round(y * 4)) < 0.012
    shade = np.where(seam, 0.62 * tone, tone)
    return (np.clip(shade[..., None] * np.array([0.70, 0.53, 0.36]), 0, 1) * 255).astype(np.uint8)


def _add_mesh(
    mujoco: Any, spec: Any, body: Any, name: str, shape: tuple[np.ndarray, np.ndarray], material: str
) -> None:
    vertices, faces = shape
    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    mesh.uservert = vertices.astype(np.float32).ravel()
    mesh.userface = faces.astype(np.int32).ravel()
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=material, mass=0.1)


def _aim(mujoco: Any, camera: Any, target: Float[np.ndarray, " 3"], up: Float[np.ndarray, " 3"]) -> None:
    """Turn a camera towards a point of its body's frame."""
    back = np.asarray(camera.pos) - target
    back = back / np.linalg.norm(back)
    right = np.cross(up, back)
    right = right / np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], 1).ravel())
    camera.quat = quat


__all__ = ["CAMERAS", "FOVY_DEGREES", "LABELS", "build_scene", "owner_of", "pose", "wood"]
