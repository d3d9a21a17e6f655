"""Grippers made from numbers, of kinds that packages of arms do not have: suction cups, soft fingers, tweezers.

Each is made about the point that it grips, approaching along z and opening along x, and screwed onto an arm whose
own gripper it replaces. The body is a part without a name, fingers and cups are "finger" parts.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import InputError
from maskwright.train.tabletop.arms import PosedArm
from maskwright.train.tabletop.colours import draw_colour
from maskwright.train.tabletop.picking import Stop, draw_arm, place_arm
from maskwright.train.tabletop.pieces import Optic, Piece, Surface, box, revolve, tube
from maskwright.train.tabletop.things import Thing

_SHORTEST = 0.07


def with_gripper(arm: PosedArm, rng: np.random.Generator, kinds: tuple[str, ...]) -> PosedArm:
    """Take the gripper off an arm and screw on one of some kinds.

    Raises:
        InputError: there is no such kind.
    """
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind not in GRIPPERS:
        raise InputError(f"grippers that can be made are {', '.join(GRIPPERS)}; got {kind!r}")
    length = max(_SHORTEST, float((arm.grip - arm.flange) @ arm.approach))
    axes = np.stack([arm.across, np.cross(arm.approach, arm.across), arm.approach], 1)
    pieces = tuple(piece.moved(axes, arm.grip) for piece in GRIPPERS[kind](rng, length))
    return replace(arm, gripper=Thing(name="robot gripper", pieces=pieces))


def made_arms(rng: np.random.Generator, centre: Float[np.ndarray, " 3"]) -> list[PosedArm]:
    """One arm made from numbers, reaching over the table from its edge, pointing down; none where it cannot reach."""
    around = rng.uniform(0, 2 * math.pi)
    out = np.array([math.cos(around), math.sin(around)])
    arm = draw_arm(rng, centre[:2] - rng.uniform(0.4, 0.52) * out)
    at = centre[:2] + rng.uniform(-0.1, 0.1, 2)
    grip = (float(at[0]), float(at[1]), float(rng.uniform(0.04, 0.2)))
    turn = float(rng.uniform(-math.pi / 2, math.pi / 2))
    try:
        places = place_arm(arm, Stop(at_s=0.0, xyz=grip, turn=turn, opening=0.02))
    except ValueError:
        return []
    limbs = [(part, place) for part, place in zip(arm.parts, places, strict=True) if part.name == "robot arm"]
    pieces = [
        replace(piece, part=f"link#{k}").moved(place.rotation, place.position)
        for k, (part, place) in enumerate(limbs)
        for piece in part.pieces
    ]
    hulls = tuple(tuple(i for i, piece in enumerate(pieces) if piece.part == f"link#{k}") for k in range(len(limbs)))
    body = Thing(name="robot arm", pieces=tuple(pieces), hulls=hulls)
    point, across = np.array(grip), np.array([math.cos(turn), math.sin(turn), 0.0])
    return [
        PosedArm(
            arm=body,
            gripper=body,
            grip=point,
            flange=point + np.array([0, 0, arm.hand]),
            approach=np.array([0, 0, -1.0]),
            across=across,
        )
    ]


def _coat(rng: np.random.Generator, colours: tuple[str, ...], shine: float = 0.5) -> Surface:
    return Surface(rgb=draw_colour(rng, str(rng.choice(colours))), specular=shine, shininess=shine)


def _steel(rng: np.random.Generator) -> Surface:
    optic = Optic(kind="metal", mirror=float(rng.uniform(0.4, 0.75)), shine=0.6, blur=float(rng.uniform(0.1, 0.6)))
    return Surface(rgb=draw_colour(rng, "gray"), specular=0.9, shininess=0.8, optic=optic)


def _piece(shape: tuple[np.ndarray, ...], surface: Surface, part: str | None = None) -> Piece:
    return Piece(vertices=shape[0], faces=shape[1], surface=surface, part=part)


def _stem(rng: np.random.Generator, low: float, high: float) -> list[Piece]:
    """A wrist between two heights: a flange, a body, a collar of another colour."""
    body, collar = _coat(rng, ("black", "gray", "white", "orange")), _coat(rng, ("black", "gray", "blue", "red"))
    wide = rng.uniform(0.024, 0.036)
    bend = low + (high - low) * rng.uniform(0.3, 0.6)
    shapes = (
        ([(0, low), (wide * 0.7, low), (wide, bend), (wide, high), (0, high)], body),
        ([(0, bend), (wide * 1.06, bend), (wide * 1.06, bend + 0.012), (0, bend + 0.012)], collar),
    )
    return [_piece(revolve(profile, sides=28), surface) for profile, surface in shapes]


def suction(rng: np.random.Generator, length: float) -> list[Piece]:
    """One bellows cup on a thin pipe, or four on a cross."""
    rubber = _coat(rng, ("black", "blue", "red", "orange", "white"), 0.15)
    top = -length * rng.uniform(0.45, 0.6)
    is_single = rng.random() < 0.6
    spots = [(0.0, 0.0)] if is_single else [(s * 0.032, 0.0) for s in (-1, 1)] + [(0.0, s * 0.032) for s in (-1, 1)]
    wide = rng.uniform(0.012, 0.024) if is_single else rng.uniform(0.009, 0.013)
    pieces = _stem(rng, -length, top)
    for k, (x, y) in enumerate(spots):
        part = f"finger#{k}"
        folds = [(wide * (1.0 if i % 2 == 0 else 0.68), -0.006 * i) for i in range(int(rng.integers(3, 6)))]
        lip = [(wide * 0.4, 0.0), *folds, (wide * 0.3, folds[-1][1] - 0.004), (0, folds[-1][1] - 0.004)]
        pieces.append(_piece(revolve(lip, sides=24), rubber, part).moved(np.eye(3), (x, y, 0)))
        pipe = np.array([[x, y, z] for z in np.linspace(folds[-1][1], top, 5)])
        pieces.append(_piece(tube(pipe, wide * 0.28), _steel(rng), part))
    if not is_single:
        plate = box([0.09, 0.03, 0.008])
        pieces += [_piece((plate[0][:, order], plate[1]), _steel(rng)).moved(np.eye(3), (0, 0, top))
                   for order in ([0, 1, 2], [1, 0, 2])]  # fmt: skip
    return pieces


def soft(rng: np.random.Generator, length: float) -> list[Piece]:
    """Two to four bent fingers of silicone with ribs, on a palm."""
    silicone = _coat(rng, ("white", "orange", "blue", "green", "pink"), 0.25)
    count = int(rng.integers(2, 5))
    palm = -length * rng.uniform(0.55, 0.7)
    opened = rng.uniform(0.018, 0.045)
    pieces = _stem(rng, -length, palm)
    disk = [(0, palm - 0.008), (0.04, palm - 0.008), (0.04, palm), (0, palm)]
    pieces.append(_piece(revolve(disk, sides=28), _coat(rng, ("black", "gray", "white"))))
    share = np.linspace(0, 1, 24)
    for k in range(count):
        turn = 2 * math.pi * k / count
        out = 0.028 + (opened - 0.005) * np.sin(math.pi * share) + (opened - 0.028) * share
        path = np.stack([out * math.cos(turn), out * math.sin(turn), palm * (1 - share) + 0.008 * share], 1)
        pieces.append(_piece(tube(path, rng.uniform(0.008, 0.011)), silicone, f"finger#{k}"))
        for rib in path[3:-3:4]:
            ring = np.stack([rib, rib + (path[12] - path[11]) * 0.5])
            pieces.append(_piece(tube(ring, 0.0135), silicone, f"finger#{k}"))
    return pieces


def tweezers(rng: np.random.Generator, length: float) -> list[Piece]:
    """Two or three long needles that meet at their tips."""
    steel, palm = _steel(rng), -length * rng.uniform(0.65, 0.85)
    count, opened = int(rng.integers(2, 4)), rng.uniform(0.004, 0.03)
    pieces = _stem(rng, -length, palm)
    share = np.linspace(0, 1, 9)
    for k in range(count):
        turn = 2 * math.pi * k / count
        out = 0.02 * (1 - share) + opened * share + 0.012 * np.sin(math.pi * share)
        path = np.stack([out * math.cos(turn), out * math.sin(turn), palm * (1 - share) + 0.01 * share], 1)
        pieces.append(_piece(tube(path, rng.uniform(0.0016, 0.0035)), steel, f"finger#{k}"))
    return pieces


GRIPPERS: dict[str, Callable[[np.random.Generator, float], list[Piece]]] = {
    "suction": suction, "soft": soft, "tweezers": tweezers,
}  # fmt: skip

__all__ = ["GRIPPERS", "made_arms", "with_gripper"]
