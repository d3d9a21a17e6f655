"""The options of `maskwright policy-inputs`, each with its name in help, and how they become a recipe.

--slots mug,bin --crop 224 --channels                      a picture and two masks for each of two objects
--size 240x320 --background blur --keep "robot arm"        whole frames, blurred but for the objects and the arm
--cloud 525,525,319.5,239.5 --points 512                   512 points of each object, from depth
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli.options import read_names
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.robot.policy_background import Backdrops
    from maskwright.robot.policy_recipe import CloudRule, PolicyRecipe


def _option(name: str, metavar: str, help_text: str, **limits: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, **limits)


Slots = Annotated[
    str | None, _option("--slots", "LIST", "Labels or tracks, in the order of channels; default: all labels.")
]
Instruction = Annotated[
    str | None, _option("--instruction", "TEXT", "Slots by the things it names: 'put the mug into the bin'.")
]
Crop = Annotated[str | None, _option("--crop", "N|HxW", "A picture of that size around each slot's object.")]
Size = Annotated[str | None, _option("--size", "N|HxW", "Whole frames, scaled; default: as they are.")]
Margin = Annotated[float, _option("--margin", "SHARE", "Around the object, as a share of its reach.")]
Window = Annotated[
    int | None, _option("--window-px", "N", "Crop always that height of the frame: things keep scale.", min=1)
]
Padding = Annotated[str, _option("--padding", "RULE", "Of crops that leave the frame: constant, edge or shift.")]
Background = Annotated[
    str | None, _option("--background", "WHAT", "Put behind objects: R,G,B, blur, noise, or a folder of pictures.")
]
Keep = Annotated[str | None, _option("--keep", "LIST", "What else is no background: robot arm,gripper.")]
Seed = Annotated[int, _option("--seed", "N", "Of noise and pictures behind objects.", min=0)]
Channels = Annotated[bool, typer.Option("--channels", help="The slots' masks, as channels of their own.")]
Patches = Annotated[int | None, _option("--patches", "N", "How much of each patch of N pixels the masks cover.", min=1)]
Cloud = Annotated[
    str | None,
    _option("--cloud", "FX,FY,CX,CY", "Points of each object in metres, from depth; the camera's numbers in pixels."),
]
Points = Annotated[int | None, _option("--points", "N", "How many points a cloud has. [1024]", min=1)]
RecipeFile = Annotated[Path | None, _option("--recipe", "FILE", "A recipe as JSON, or an output that has one.")]
Format = Annotated[str, _option("--to", "FORMAT", "lerobot, lerobot-v2.1 or rlds.")]
Exact = Annotated[
    bool, typer.Option("--exact", help="PNG, bit for bit what the robot sees; default: video, or JPEG in RLDS.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeText:
    """What was written about the pictures."""

    slots: str | None
    instruction: str | None
    crop: str | None
    size: str | None
    margin: float
    window: int | None
    padding: str
    background: str | None
    keep: str | None
    seed: int
    channels: bool
    patches: int | None
    cloud: str | None
    points: int | None

    def check(self, recipe: Path | None) -> None:
        """Refuse what excludes each other.

        Raises:
            typer.BadParameter: something does.
        """
        said = (self.slots, self.instruction, self.crop, self.size, self.keep, self.channels, self.patches, self.cloud)
        if recipe is not None and any(said):
            raise typer.BadParameter("--recipe says all that the pictures are; leave out the other options about them")
        if recipe is not None and self.background is not None and not Path(self.background).is_dir():
            raise typer.BadParameter("beside --recipe, --background is the folder of pictures that the recipe means")
        if self.slots and self.instruction:
            raise typer.BadParameter("--slots and --instruction exclude each other; give one")
        if self.points is not None and self.cloud is None:
            raise typer.BadParameter("--points is how many points a cloud has; ask for one with --cloud FX,FY,CX,CY")

    def backdrops(self) -> "Backdrops | None":
        """Read the pictures to put behind objects, where a folder of them was named."""
        if self.background is None or not Path(self.background).is_dir():
            return None
        from maskwright.robot.policy_background import Backdrops

        return Backdrops.read(self.background)

    def recipe(self, slots: tuple[str, ...], backdrops: "Backdrops | None") -> "PolicyRecipe":
        """Make the recipe of some slots.

        Raises:
            SettingError: something cannot be read, or does not fit the rest.
        """
        from maskwright.robot.policy_recipe import CropRule, PatchRule, PolicyRecipe

        if self.crop and self.size:
            raise SettingError("--crop says the size of crops, and --size that of whole frames; give one")
        rule = CropRule(margin=self.margin, side_px=self.window, padding=self.padding)  # type: ignore[arg-type]
        return PolicyRecipe(
            slots=slots,
            size_hw=_size(self.crop or self.size),
            crop=rule if self.crop else None,
            background=_background(self.background, backdrops, self.seed),
            keeps=read_names(self.keep),
            channels=self.channels,
            patches=None if self.patches is None else PatchRule(side_px=self.patches),
            cloud=None if self.cloud is None else _cloud(self.cloud, self.points),
        )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(one.isdecimal() for one in sides):
        raise SettingError(f"a size is a number of pixels, or height x width such as 224x320; got {text!r}")
    return int(sides[0]), int(sides[-1])


def _cloud(text: str, num_points: int | None) -> "CloudRule":
    from maskwright.robot.policy_recipe import CloudRule

    try:
        fx, fy, cx, cy = (float(one) for one in text.split(","))
    except ValueError:
        raise SettingError(
            f"--cloud is the camera's focal lengths and centre in pixels, such as 525,525,319.5,239.5; got {text!r}"
        ) from None
    number: dict[str, Any] = {} if num_points is None else {"num_points": num_points}
    return CloudRule(fx=fx, fy=fy, cx=cx, cy=cy, **number)


def _background(text: str | None, backdrops: "Backdrops | None", seed: int) -> Any:
    from maskwright.robot import policy_recipe as kinds

    if text is None:
        return None
    if backdrops is not None:
        return kinds.PictureBackground(digest=backdrops.digest, seed=seed)
    if text == "blur":
        return kinds.BlurredBackground()
    if text == "noise":
        return kinds.NoiseBackground(seed=seed)
    parts = text.split(",")
    if len(parts) == 3 and all(one.strip().isdecimal() for one in parts):
        red, green, blue = (int(one) for one in parts)
        return kinds.ConstantBackground(colour_rgb=(red, green, blue))
    raise SettingError(f"--background is R,G,B, blur, noise or a folder of pictures; got {text!r}")


__all__ = ["RecipeText"]
