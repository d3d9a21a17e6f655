"""`maskwright policy-inputs`: what a policy trains on, from a data set and its masks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.robot.policy_background import Backdrops
    from maskwright.robot.policy_recipe import PolicyRecipe
    from maskwright.workflows.policy_inputs import PolicyWritten

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(
    epilog="Example: maskwright policy-inputs ./dataset masks --slots mug,bin --crop 224 --channels -o policy",
    no_args_is_help=True,
)
def policy_inputs(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="The frames: LeRobot, RLDS, video, a folder.")],
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The mask store of that data set.")],
    slots: Annotated[
        str | None,
        typer.Option(
            "--slots", metavar="LIST", help="Labels or tracks, in the order of channels; default: all labels."
        ),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", metavar="TEXT", help="Slots by the things it names: 'put the mug into the bin'."),
    ] = None,
    crop: Annotated[
        str | None, typer.Option("--crop", metavar="N|HxW", help="A picture of that size around each slot's object.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="N|HxW", help="Whole frames, scaled; default: as they are.")
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", metavar="SHARE", help="Around the object, as a share of its reach.")
    ] = 0.3,
    window: Annotated[
        int | None,
        typer.Option(
            "--window-px", metavar="N", min=1, help="Crop always that height of the frame: things keep scale."
        ),
    ] = None,
    padding: Annotated[
        str, typer.Option("--padding", metavar="RULE", help="Of crops that leave the frame: constant, edge or shift.")
    ] = "constant",
    background: Annotated[
        str | None,
        typer.Option(
            "--background", metavar="WHAT", help="Put behind objects: R,G,B, blur, noise, or a folder of pictures."
        ),
    ] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="LIST", help="What else is no background: robot arm,gripper.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of noise and pictures behind objects.")] = 0,
    channels: Annotated[bool, typer.Option("--channels", help="The slots' masks, as channels of their own.")] = False,
    patches: Annotated[
        int | None,
        typer.Option("--patches", metavar="N", min=1, help="How much of each patch of N pixels the masks cover."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="A recipe as JSON, or an output that has one.")
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="lerobot, lerobot-v2.1 or rlds.")] = "lerobot",
    exact: Annotated[
        bool, typer.Option("--exact", help="PNG, bit for bit what the robot sees; default: video, or JPEG in RLDS.")
    ] = False,
    episodes: options.Episodes = None,
    cameras: options.Cameras = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="What to write: a new or empty folder.")
    ] = Path("policy"),
    as_json: Annotated[bool, typer.Option("--json", help="What was written, as one JSON object on stdout.")] = False,
) -> None:
    """Write what a policy trains on: crops of objects, masks as channels, other backgrounds, patches.

    States, actions and times go along. An object that is not in a frame gives an empty crop and the flag that it is
    empty. The recipe is written beside the data, for the robot to make the same pixels. Ctrl+C keeps whole episodes;
    the same command goes on.
    """
    given: dict[str, Any] = {
        "crop": crop, "size": size, "margin": margin, "window": window, "padding": padding, "channels": channels,
        "patches": patches, "seed": seed, "keep": _names(keep),
    }  # fmt: skip
    if recipe is not None and any((slots, instruction, crop, size, keep, channels, patches)):
        raise typer.BadParameter("--recipe says all that the pictures are; leave out the other options about them")
    if recipe is not None and background is not None and not Path(background).is_dir():
        raise typer.BadParameter("beside --recipe, --background is the folder of pictures that the recipe means")
    if slots and instruction:
        raise typer.BadParameter("--slots and --instruction exclude each other; give one")

    from maskwright.workflows.policy_inputs import write_policy_inputs
    from maskwright.workflows.policy_slots import slots_of

    try:
        backdrops = _backdrops(background)
        if recipe is not None:
            made = _read_recipe(recipe)
        else:
            found = slots_of(dataset, store, named=_names(slots), instruction=instruction)
            for line in found.notes:
                tell(line)
            made = _recipe(found.slots, background, backdrops, **given)
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    with progress_bar(f"{dataset} {out}", quiet=as_json) as progress:
        last = [0, 0]

        def note(done: int, total: int | None) -> None:
            last[:] = done, total or 0
            progress(done, total)

        try:
            done = write_policy_inputs(
                dataset,
                store,
                made,
                out,
                format_name=_format(to),
                is_exact=exact,
                selection=_selection(episodes, cameras),
                backdrops=backdrops,
                progress=note,
            )
        except KeyboardInterrupt:
            some = f"{last[0]} of {last[1]} rows were written" if last[1] else "nothing was written yet"
            tell(f"stopped: {some}; whole episodes are kept. The same command goes on: {out}")
            raise
    if as_json:
        typer.echo(json.dumps(_as_json(done)))
        return
    for line in done.lines():
        tell(line)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _selection(episodes: str | None, cameras: str | None) -> Any:
    from maskwright.workflows.annotate_plan import Selection

    return Selection(episodes=_names(episodes) or None, cameras=_names(cameras) or None)


def _format(text: str) -> Any:
    from maskwright.workflows.policy_inputs import FORMATS

    if text not in FORMATS:
        raise typer.BadParameter(f"--to is one of {', '.join(FORMATS)}; got {text!r}")
    return text


def _read_recipe(path: Path) -> "PolicyRecipe":
    from maskwright.robot.policy_recipe import PolicyRecipe

    return PolicyRecipe.read(path)


def _recipe(
    slots: tuple[str, ...], background: str | None, backdrops: "Backdrops | None", **given: Any
) -> "PolicyRecipe":
    from maskwright.robot.policy_recipe import CropRule, PatchRule, PolicyRecipe

    if given["crop"] and given["size"]:
        raise SettingError("--crop says the size of crops, and --size that of whole frames; give one")
    rule = CropRule(margin=given["margin"], side_px=given["window"], padding=given["padding"])
    return PolicyRecipe(
        slots=slots,
        size_hw=_size(given["crop"] or given["size"]),
        crop=rule if given["crop"] else None,
        background=_background(background, backdrops, given["seed"]),
        keeps=given["keep"],
        channels=given["channels"],
        patches=None if given["patches"] is None else PatchRule(side_px=given["patches"]),
    )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(one.isdecimal() for one in sides):
        raise SettingError(f"a size is a number of pixels, or height x width such as 224x320; got {text!r}")
    return int(sides[0]), int(sides[-1])


def _backdrops(background: str | None) -> "Backdrops | None":
    if background is None or not Path(background).is_dir():
        return None
    from maskwright.robot.policy_background import Backdrops

    return Backdrops.read(background)


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


def _as_json(done: "PolicyWritten") -> dict[str, Any]:
    return {
        "out": str(done.out),
        "format": done.format,
        "episodes": done.num_episodes,
        "rows": done.num_rows,
        "cameras": list(done.cameras),
        "slots": list(done.slots),
        "left_out": list(done.left_out),
        **done.tally.as_json(),
    }
