"""`PolicyRecipe`: how a frame and its masks become what a policy sees. It travels with the data as JSON.

A value only. The pixels are made in `policy_inputs`, by one function on the robot, in a `DataLoader` and in files.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from maskwright.core.codec import from_json, to_json
from maskwright.core.errors import InputError, RecordError, SettingError
from maskwright.core.shapes import SizeHW

Padding = Literal["constant", "edge", "shift"]
Changes = Literal["episode", "frame"]
ColourRGB = tuple[int, int, int]
FILE = "policy_recipe.json"
_MOST_SIDE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRule:
    """A window around an object's centroid, as `PolicyRecipe.size_hw` is wide for its height.

    It holds the object and `margin` of its reach more on each side, or has always `side_px` pixels of the frame in
    height, so that things keep their scale. Where it leaves the frame, `padding` fills it with the recipe's colour,
    goes on with the frame's edge, or shifts the window inside as far as it fits.
    """

    margin: float = 0.3
    side_px: int | None = None
    padding: Padding = "constant"

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 10:
            raise SettingError(f"the margin of a crop is a share of the object, 0 to 10; got {self.margin:g}")
        if self.padding not in get_args(Padding):
            raise SettingError(f"padding is one of {', '.join(get_args(Padding))}; got {self.padding!r}")
        if self.side_px is not None and not 1 <= self.side_px <= _MOST_SIDE:
            raise SettingError(f"the window of a crop has 1 to {_MOST_SIDE} pixels, got {self.side_px}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantBackground:
    """All that is no object gets one colour."""

    colour_rgb: ColourRGB = (0, 0, 0)

    def __post_init__(self) -> None:
        _check_colour(self.colour_rgb)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurredBackground:
    """All that is no object is blurred, by a Gaussian of that width in pixels of the output."""

    sigma_px: float = 8.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma_px <= 200:
            raise SettingError(f"a blur has a width above 0 and at most 200 pixels, got {self.sigma_px:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseBackground:
    """All that is no object becomes clouds of colour, about `cell_px` wide, other ones by episode or by frame."""

    cell_px: int = 16
    seed: int = 0
    changes: Changes = "episode"

    def __post_init__(self) -> None:
        if not 1 <= self.cell_px <= 512:
            raise SettingError(f"the cells of noise have 1 to 512 pixels, got {self.cell_px}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureBackground:
    """All that is no object becomes a part of some other picture.

    `digest` names the pictures (`Backdrops.digest`), so that others are not taken for them.
    """

    digest: str
    seed: int = 0
    changes: Changes = "episode"


Background = ConstantBackground | BlurredBackground | NoiseBackground | PictureBackground


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRule:
    """The patches of a vision transformer: squares of `side_px`; one is attended with `threshold` of it covered."""

    side_px: int = 16
    threshold: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.side_px <= 512:
            raise SettingError(f"a patch has 1 to 512 pixels a side, got {self.side_px}")
        if not 0 < self.threshold <= 1:
            raise SettingError(f"the threshold of patches is a share above 0 and at most 1, got {self.threshold:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRule:
    """Points of an object in metres, in the camera's frame (x right, y down, z ahead), `num_points` of them always.

    Focal lengths and centre are in pixels of the frame. With colour, a point has red, green and blue from 0 to 1 too.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    num_points: int = 1024
    has_colour: bool = False
    max_m: float | None = None

    def __post_init__(self) -> None:
        if not (self.fx > 0 and self.fy > 0):
            raise SettingError(f"focal lengths are above 0 pixels, got {self.fx:g} and {self.fy:g}")
        if self.num_points < 1:
            raise SettingError(f"a point cloud has at least 1 point, got {self.num_points}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecipe:
    """What is made of a frame.

    `slots` are labels, or names of tracks, in the order of the channels: each has its place whether the object is there
    or not. With `crop` each slot has a picture of its own, else the whole frame is one; `size_hw` is that of pictures.
    `background` is put behind the objects of all slots and of `keeps`, which have no slot. `channels` asks for the
    masks as channels, `patches` and `cloud` for theirs. `fill_rgb` is the colour of what lies outside the frame, and of
    the crop of an object that is not there. Of several masks of a slot all count, or the largest.

    Raises:
        SettingError: a part does not fit the others.
    """

    slots: tuple[str, ...]
    size_hw: SizeHW | None = None
    crop: CropRule | None = None
    background: Background | None = None
    keeps: tuple[str, ...] = ()
    channels: bool = False
    patches: PatchRule | None = None
    cloud: CloudRule | None = None
    fill_rgb: ColourRGB = (0, 0, 0)
    several: Literal["all", "largest"] = "all"
    version: Literal[1] = 1  # of what the pixels are: another number, other pixels

    def __post_init__(self) -> None:
        self._check_slots()
        _check_colour(self.fill_rgb)
        if self.crop is not None and self.size_hw is None:
            raise SettingError("crops need a size; give size_hw, for instance (224, 224)")
        if self.size_hw is not None and not all(1 <= side <= _MOST_SIDE for side in self.size_hw):
            raise SettingError(f"pictures have 1 to {_MOST_SIDE} pixels in height and width, got {self.size_hw}")
        if (
            self.patches is not None
            and self.size_hw is not None
            and any(s % self.patches.side_px for s in self.size_hw)
        ):
            side = self.patches.side_px
            raise SettingError(f"patches of {side} pixels must fill the picture, got {self.size_hw} (h, w)")

    def _check_slots(self) -> None:
        if not self.slots or not all(self.slots):
            raise SettingError("a recipe needs at least one slot: the label of an object, or the name of a track")
        twice = [name for name in self.slots if self.slots.count(name) > 1]
        if twice:
            raise SettingError(f"each slot is another object, got {twice[0]!r} twice")
        both = [name for name in self.keeps if name in self.slots]
        if both:
            raise SettingError(f"{both[0]!r} has a slot and is kept in any case; leave it out of what is kept besides")

    @property
    def names(self) -> tuple[str, ...]:
        """All objects whose masks are needed."""
        return self.slots + self.keeps

    def to_text(self) -> str:
        """Write the recipe as JSON."""
        return json.dumps(to_json(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str) -> "PolicyRecipe":
        """Read a recipe.

        Raises:
            RecordError: it is none.
        """
        try:
            return from_json(cls, json.loads(text))
        except ValueError as error:
            if isinstance(error, RecordError):
                raise
            raise RecordError(f"a recipe is JSON, and this is none ({error})") from error

    @classmethod
    def read(cls, path: Path | str) -> "PolicyRecipe":
        """Read the recipe of a data set that was written by one, or of a file.

        Raises:
            InputError: there is none, or it is damaged.
        """
        path = Path(path)
        places = (path / "meta" / FILE, path / FILE) if path.is_dir() else (path,)
        found = next((one for one in places if one.is_file()), None)
        if found is None:
            raise InputError(f"there is no {FILE}, which maskwright policy-inputs writes beside its pictures: {path}")
        try:
            return cls.from_text(found.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"the recipe cannot be read ({error}): {found}") from error


def _check_colour(colour_rgb: ColourRGB) -> None:
    if len(colour_rgb) != 3 or not all(0 <= one <= 255 for one in colour_rgb):
        raise SettingError(f"a colour is red, green and blue from 0 to 255, got {colour_rgb}")


__all__ = [
    "FILE",
    "Background",
    "BlurredBackground",
    "Changes",
    "CloudRule",
    "ColourRGB",
    "ConstantBackground",
    "CropRule",
    "NoiseBackground",
    "Padding",
    "PatchRule",
    "PictureBackground",
    "PolicyRecipe",
]
