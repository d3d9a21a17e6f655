"""A plan becomes a labelled picture: MuJoCo drops what falls, draws it, and says which pixel shows what.

Every visible thing is drawn a second time alone (together with others that it cannot overlap), so that occlusion is
counted, not guessed. Nothing here is random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from maskwright.train.scene_folder import LabelledObject, LabelledScene
from maskwright.train.tabletop.canvas import Canvas
from maskwright.train.tabletop.layout import Placed, TabletopPlan, View
from maskwright.train.tabletop.optics import Sight, shine
from maskwright.train.tabletop.pieces import Optic, Piece, Surface, hull_points
from maskwright.train.tabletop.shading import darken_creases
from maskwright.train.tabletop.simulator import load_simulator
from maskwright.train.tabletop.things import Thing

# Hidden pixels are counted at half the size: a quarter of the cost, and a share needs no more.
_SHRINK = 2
_TIMESTEP, _STEPS = 0.004, 330
_MIN_PIXELS = 20
# Square metres; meshes of catalogues hold triangles that are lines, which MuJoCo refuses.
_SMALLEST_AREA = 1e-7
_DENSITY = 400.0
# A view is kept if it shows so many small things and none fills more of it than this.
_FEWEST, _LARGEST_SHARE = 4, 0.55
_BACKDROP = ("floor", "wall")
_BODY, _NOTHING = 0, -1
# A part's key is its name, then perhaps "#" and what tells it from others of that name.
PART_NAMES = frozenset(
    {"handle", "lid", "drawer", "door", "finger", "link", "base", "plug", "tape", "paper", "string", "keyboard",
     "leaf", "flower"}
)  # fmt: skip


# A geom's name, its thing, its part, and what light does there.
_Owner = tuple[str, int, int, Optic | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
    """For each geom that is drawn: which thing, which part of it, and what light does there."""

    thing: Int[np.ndarray, " G"]
    part: Int[np.ndarray, " G"]
    part_keys: tuple[tuple[str, ...], ...]
    optics: tuple[Optic | None, ...]


def render_plan(
    plan: TabletopPlan, *, size_hw: tuple[int, int], wanted: int | None = None, steps: int = _STEPS
) -> list[LabelledScene]:
    """Simulate a plan and take its pictures with masks, parts, depth and words.

    With `wanted`, only views that show enough are kept, at most so many; there may be fewer.

    Raises:
        InputError: the simulator, or what it draws with, is missing.
    """
    mujoco = load_simulator()
    spec = _new_spec(mujoco, plan, size_hw)
    keys = tuple(_part_keys(placed.thing) for placed in plan.placed)
    owners: list[_Owner] = []
    for index, placed in enumerate(plan.placed):
        owners += _add_thing(mujoco, spec, index, placed, keys[index])
    model = spec.compile()
    data = mujoco.MjData(model)
    labels = _labels(model, owners, keys)
    for _ in range(steps):
        mujoco.mj_step(model, data)
    mujoco.mj_forward(model, data)
    canvas = Canvas(mujoco, model, size_hw)
    try:
        return _photographs(canvas, model, data, plan, labels, wanted)
    finally:
        canvas.close()


def _new_spec(mujoco: Any, plan: TabletopPlan, size_hw: tuple[int, int]) -> Any:
    spec = mujoco.MjSpec()
    spec.option.timestep = _TIMESTEP
    spec.option.iterations = 30
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.stat.extent, spec.stat.center = 1.0, [0, 0, 0]
    view = spec.visual
    view.global_.offheight, view.global_.offwidth = size_hw
    view.quality.shadowsize, view.quality.offsamples = 2048, 4
    view.map.znear, view.map.zfar = 0.01, 12.0
    ambient = plan.ambient
    view.headlight.ambient = [ambient] * 3
    view.headlight.diffuse = [0.12] * 3
    view.headlight.specular = [0.0] * 3
    for lamp in plan.lamps:
        direction = lamp.target - lamp.position
        spec.worldbody.add_light(
            pos=lamp.position, dir=direction / np.linalg.norm(direction), castshadow=lamp.casts_shadow,
            diffuse=lamp.rgb,
            specular=[min(1.0, 0.9 * c) for c in lamp.rgb], ambient=[0, 0, 0], cutoff=60, exponent=3,
        )  # fmt: skip
    for k, camera in enumerate(plan.views):
        quat = _quaternion(mujoco, _looking(camera))
        spec.worldbody.add_camera(name=f"view{k}", pos=camera.position, fovy=camera.fovy_degrees, quat=quat)
    return spec


def _looking(view: View) -> Float[np.ndarray, "3 3"]:
    """The camera's axes as columns: right, up, backwards."""
    back = view.position - view.target
    back = back / np.linalg.norm(back)
    right = np.cross(view.up, back)
    if np.linalg.norm(right) < 1e-6:  # straight down along `up`
        right = np.array([1.0, 0, 0])
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], 1)


def _quaternion(mujoco: Any, rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 4"]:
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(rotation).ravel())
    return quat


def _part_keys(thing: Thing) -> tuple[str, ...]:
    """The parts of a thing in order; their index in the part map counts from 1."""
    return tuple(dict.fromkeys(piece.part for piece in thing.pieces if piece.part is not None))


def _add_thing(mujoco: Any, spec: Any, index: int, placed: Placed, keys: tuple[str, ...]) -> list[_Owner]:
    """Add a body with a geom for each surface and part; return what each geom is."""
    body = spec.worldbody.add_body(name=f"thing{index}", pos=placed.position, quat=_quaternion(mujoco, placed.rotation))
    owners: list[_Owner] = []
    for k, piece in enumerate(merged(placed.thing.pieces)):
        name = f"t{index}p{k}"
        _add_mesh(mujoco, spec, name, piece)
        _add_surface(mujoco, spec, name, piece.surface)
        body.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name,
            contype=0, conaffinity=0, mass=0,
        )  # fmt: skip
        part = 0 if piece.part is None else keys.index(piece.part) + 1
        owners.append((name, index, part, piece.surface.optic))
    if placed.falls:
        body.add_freejoint()
    if placed.falls or placed.thing.hulls:
        _add_hulls(mujoco, spec, body, index, placed.thing)
    return owners


def merged(pieces: Sequence[Piece]) -> list[Piece]:
    """Join pieces of one surface and part: a geom costs more than its triangles."""
    together: dict[tuple[Any, ...], list[Piece]] = {}
    for piece in pieces:
        surface = piece.surface
        look = (surface.rgb, surface.alpha, id(surface.picture), surface.specular, surface.emission, surface.optic)
        together.setdefault((*look, piece.part, piece.uv is None), []).append(piece)
    return [piece for piece in map(_joined, together.values()) if piece.area() > _SMALLEST_AREA]


def _joined(group: list[Piece]) -> Piece:
    starts = np.cumsum([0, *(len(piece.vertices) for piece in group)])
    return Piece(
        vertices=np.concatenate([piece.vertices for piece in group]),
        faces=np.concatenate([piece.faces + start for piece, start in zip(group, starts, strict=False)]),
        uv=None if group[0].uv is None else np.concatenate([p.uv for p in group if p.uv is not None]),
        surface=group[0].surface,
        part=group[0].part,
    )


def _add_mesh(mujoco: Any, spec: Any, name: str, piece: Piece) -> None:
    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    # A mesh has at least four vertices there; a lone triangle repeats its last.
    padding = np.repeat(piece.vertices[-1:], max(0, 4 - len(piece.vertices)), axis=0)
    mesh.uservert = np.concatenate([piece.vertices, padding]).astype(np.float32).ravel()
    mesh.userface = piece.faces.astype(np.int32).ravel()
    if piece.uv is not None and piece.surface.picture is not None:
        mesh.usertexcoord = piece.uv.astype(np.float32).ravel()
        mesh.userfacetexcoord = piece.faces.astype(np.int32).ravel()


def _add_surface(mujoco: Any, spec: Any, name: str, surface: Surface) -> None:
    material = spec.add_material(
        name=name, rgba=[*surface.rgb, surface.alpha], specular=surface.specular, shininess=surface.shininess,
        reflectance=surface.reflectance, emission=surface.emission,
    )  # fmt: skip
    if surface.picture is not None:
        height, width = surface.picture.shape[:2]
        texture = spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3, width=width, height=height
        )
        # As an attribute: the constructor takes the bytes one by one, which is 40 times slower.
        texture.data = np.ascontiguousarray(surface.picture[::-1]).tobytes()
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_hulls(mujoco: Any, spec: Any, body: Any, index: int, thing: Thing) -> None:
    groups = thing.hulls or (tuple(range(len(thing.pieces))),)
    for k, group in enumerate(groups):
        name = f"hull{index}_{k}"
        mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
        mesh.uservert = hull_points([thing.pieces[i] for i in group]).astype(np.float32).ravel()
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, density=_DENSITY, rgba=[0, 0, 0, 0],
            condim=6, friction=[0.8, 0.01, 0.004],
        )  # fmt: skip


def _labels(model: Any, owners: Sequence[_Owner], keys: tuple[tuple[str, ...], ...]) -> _Labels:
    thing = np.full(model.ngeom, _NOTHING)
    part = np.zeros(model.ngeom, np.int64)
    optics: list[Optic | None] = [None] * model.ngeom
    for name, index, part_index, optic in owners:
        geom = model.geom(name).id
        thing[geom], part[geom], optics[geom] = index, part_index, optic
    return _Labels(thing=thing, part=part, part_keys=keys, optics=tuple(optics))


def _photographs(
    canvas: Canvas, model: Any, data: Any, plan: TabletopPlan, labels: _Labels, wanted: int | None
) -> list[LabelledScene]:
    kept: list[LabelledScene] = []
    for view in range(len(plan.views)):
        if wanted is None or len(kept) < wanted:
            scene = _photograph(canvas, model, data, view, plan, labels, choosy=wanted is not None)
            kept += [] if scene is None else [scene]
    return kept


def _photograph(
    canvas: Canvas, model: Any, data: Any, view: int, plan: TabletopPlan, labels: _Labels, *, choosy: bool
) -> LabelledScene | None:
    """Draw one view; None if it shows too little and that matters."""
    camera = f"view{view}"
    canvas.look(data, camera, shown=labels.thing >= 0)
    geoms, depth = canvas.geoms()
    things, parts = _segment(labels, geoms)
    if choosy and not _shows_enough(plan, things):
        return None
    image = darken_creases(canvas.colours(), depth, plan.views[view].fovy_degrees, plan.crease)
    image = _with_optics(canvas, data, view, plan, labels, image, geoms, depth)
    hidden = _hidden_shares(canvas, model, data, view, plan, labels, things)
    return _labelled(plan, labels, image, depth, things, parts, hidden)


def _with_optics(
    canvas: Canvas,
    data: Any,
    view: int,
    plan: TabletopPlan,
    labels: _Labels,
    image: UInt8[np.ndarray, "H W 3"],
    geoms: Int[np.ndarray, "H W"],
    depth: Float[np.ndarray, "H W"],
) -> UInt8[np.ndarray, "H W 3"]:
    """Paint glass and mirrors over a picture that has any."""
    has_optic = np.array([optic is not None for optic in (*labels.optics, None)])  # the last is no geom, -1
    if not has_optic[geoms].any():
        return image
    canvas.look(data, f"view{view}", shown=(labels.thing >= 0) & ~has_optic[:-1])
    bare = canvas.colours()
    canvas.look(data, f"view{view}", shown=labels.thing >= 0)
    height, fovy = image.shape[0], math.radians(plan.views[view].fovy_degrees)
    sight = Sight(
        position=data.cam_xpos[view].copy(), axes=data.cam_xmat[view].reshape(3, 3).copy(),
        focal=height / 2 / math.tan(fovy / 2),
    )  # fmt: skip
    numbers = [i for i, optic in enumerate(labels.optics) if optic is not None]
    number_of = np.full(len(has_optic), _NOTHING)
    number_of[numbers] = np.arange(len(numbers))
    optics = [optic for optic in labels.optics if optic is not None]
    lamps = [lamp.position for lamp in plan.lamps]
    return shine(image, bare, depth, number_of[geoms], optics, sight, plan.room, lamps)


def _hidden_shares(
    canvas: Canvas,
    model: Any,
    data: Any,
    view: int,
    plan: TabletopPlan,
    labels: _Labels,
    things: Int[np.ndarray, "H W"],
) -> dict[int, float]:
    """Which share of each thing that is seen others hide: seen together and seen alone are counted alike."""
    named = [int(i) for i in np.unique(things) if i >= 0 and plan.placed[i].thing.name not in ("", *_BACKDROP)]
    boxes = {index: _screen_box(model, data, plan, index, view, things.shape) for index in named}
    together, _ = _segment(labels, canvas.geoms(shrink=_SHRINK)[0])
    shares: dict[int, float] = {}
    for group in _apart(boxes):
        canvas.look(data, f"view{view}", shown=np.isin(labels.thing, group))
        alone, _ = _segment(labels, canvas.geoms(shrink=_SHRINK)[0])
        for index in group:
            whole = int((alone == index).sum())
            shares[index] = 1 - min(1.0, int((together == index).sum()) / whole) if whole else 0.0
    return shares


def _shows_enough(plan: TabletopPlan, things: Int[np.ndarray, "H W"]) -> bool:
    """Whether a few small things are seen and nothing but the room fills the picture."""
    indices, counts = np.unique(things, return_counts=True)
    names = [plan.placed[i].thing.name if i >= 0 else "" for i in indices]
    small = [
        count
        for name, count in zip(names, counts, strict=True)
        if name not in ("", "table", *_BACKDROP) and not name.startswith("robot") and count > 4 * _MIN_PIXELS
    ]
    largest = max((c for n, c in zip(names, counts, strict=True) if n not in ("table", *_BACKDROP)), default=0)
    return len(small) >= _FEWEST and largest < _LARGEST_SHARE * things.size


def _segment(labels: _Labels, geoms: Int[np.ndarray, "H W"]) -> tuple[Int[np.ndarray, "H W"], Int[np.ndarray, "H W"]]:
    """Thing and part of each pixel; -1 where there is none."""
    inside = geoms >= 0
    return np.where(inside, labels.thing[geoms], _NOTHING), np.where(inside, labels.part[geoms], _BODY)


def _screen_box(
    model: Any, data: Any, plan: TabletopPlan, index: int, view: int, size_hw: tuple[int, ...]
) -> tuple[float, float, float, float]:
    """The rectangle, in pixels, that a thing can cover; everything if it reaches behind the camera."""
    body = model.body(f"thing{index}").id
    points = np.concatenate([piece.vertices for piece in plan.placed[index].thing.pieces])
    world = points @ data.xmat[body].reshape(3, 3).T + data.xpos[body]
    local = (world - data.cam_xpos[view]) @ data.cam_xmat[view].reshape(3, 3)
    if local[:, 2].max() > -0.01:
        return -math.inf, -math.inf, math.inf, math.inf
    focal = size_hw[0] / 2 / math.tan(math.radians(plan.views[view].fovy_degrees / 2))
    x, y = local[:, 0] / -local[:, 2] * focal, local[:, 1] / local[:, 2] * focal
    return float(x.min()) - 2, float(y.min()) - 2, float(x.max()) + 2, float(y.max()) + 2


def _apart(boxes: dict[int, tuple[float, float, float, float]]) -> list[list[int]]:
    """Split things into groups within which no two rectangles meet."""
    groups: list[list[int]] = []
    for index, (x1, y1, x2, y2) in boxes.items():
        for group in groups:
            others = (boxes[other] for other in group)
            if all(x2 < a1 or a2 < x1 or y2 < b1 or b2 < y1 for a1, b1, a2, b2 in others):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _labelled(
    plan: TabletopPlan,
    labels: _Labels,
    image: UInt8[np.ndarray, "H W 3"],
    depth: Float[np.ndarray, "H W"],
    things: Int[np.ndarray, "H W"],
    parts: Int[np.ndarray, "H W"],
    hidden: dict[int, float],
) -> LabelledScene:
    """Number what is seen from 1; a thing of fewer than a handful of pixels is left to the background."""
    masks, part_map = np.zeros(things.shape, np.uint8), np.zeros(things.shape, np.uint8)
    objects = []
    for index in np.unique(things):
        seen: Bool[np.ndarray, "H W"] = things == index
        area = int(seen.sum())
        if index < 0 or not plan.placed[index].thing.name or area < _MIN_PIXELS:
            continue
        thing, number = plan.placed[index].thing, len(objects) + 1
        masks[seen] = number
        part_map[seen] = parts[seen]
        present = np.unique(parts[seen])
        named = {int(p): _part_name(labels.part_keys[index][p - 1]) for p in present if p > 0}
        objects.append(
            LabelledObject(
                index=number, name=thing.name, colour=thing.colour, material=thing.material,
                occlusion=hidden.get(int(index), 0.0), parts=named,
            )
        )  # fmt: skip
    depth_mm = np.clip(np.nan_to_num(depth) * 1000, 0, 65535).astype(np.uint16)
    return LabelledScene(image=image, masks=masks, objects=tuple(objects), parts=part_map, depth_mm=depth_mm)


def _part_name(key: str) -> str | None:
    name = key.partition("#")[0]
    return name if name in PART_NAMES else None


__all__ = ["PART_NAMES", "merged", "render_plan"]
