"""The values of a tabletop: what may be drawn on, what stands where, lamps, cameras, and the plan that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.train.scene_folder import SceneSource
from maskwright.train.tabletop.arms import ArmAsset
from maskwright.train.tabletop.catalogues import MeshAsset
from maskwright.train.tabletop.colours import Rgb
from maskwright.train.tabletop.things import Thing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TexturePicture:
    """A picture for surfaces and packages: what kind of material it shows, and where it is from."""

    key: str
    material: str | None
    pixels: UInt8[np.ndarray, "h w 3"]
    source: SceneSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TabletopAssets:
    """Everything that scenes may draw on besides what they make themselves; all of it may be empty."""

    meshes: Sequence[MeshAsset] = ()
    arms: Sequence[ArmAsset] = ()
    photos: Sequence[TexturePicture] = ()
    textures: Sequence[TexturePicture] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a scene shows that is hard: kinds of `hard_things.HARD`, and grippers of `grippers.GRIPPERS` on its arms."""

    hard: tuple[str, ...] = ()
    grippers: tuple[str, ...] = ()


NO_CHALLENGE = Challenge()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A thing, where it starts and whether it falls from there."""

    thing: Thing
    position: Float[np.ndarray, " 3"]
    rotation: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    falls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lamp:
    """A light and where it shines."""

    position: Float[np.ndarray, " 3"]
    target: Float[np.ndarray, " 3"]
    rgb: Rgb
    casts_shadow: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A camera: where it is, what it looks at, how much it sees."""

    position: Float[np.ndarray, " 3"]
    target: Float[np.ndarray, " 3"]
    up: Float[np.ndarray, " 3"]
    fovy_degrees: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TabletopPlan:
    """A scene before physics; a thing without a name is background that nobody asks for.

    `crease` is the share of light that the innermost of a crease lacks; `room` is what glass and metal mirror.
    """

    placed: tuple[Placed, ...]
    lamps: tuple[Lamp, ...]
    ambient: float
    crease: float
    views: tuple[View, ...]
    sources: tuple[SceneSource, ...]
    room: UInt8[np.ndarray, "h w 3"] | None = None


__all__ = [
    "NO_CHALLENGE",
    "Challenge",
    "Lamp",
    "Placed",
    "TabletopAssets",
    "TabletopPlan",
    "TexturePicture",
    "View",
]
