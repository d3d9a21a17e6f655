"""`maskwright policy-inputs`: what a policy trains on, from a data set and its masks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli import policy_options as policy
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.robot.policy_background import Backdrops
    from maskwright.robot.policy_recipe import PolicyRecipe
    from maskwright.workflows.policy_inputs import PolicyWritten

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="The frames: LeRobot, RLDS, video, a folder.")]
Store = Annotated[Path, typer.Argument(metavar="STORE", help="The mask store of that data set.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="What to write: a new or empty folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="What was written, as one JSON object on stdout.")]


@app.command(
    epilog="Example: maskwright policy-inputs ./dataset masks --slots mug,bin --crop 224 --channels -o policy",
    no_args_is_help=True,
)
def policy_inputs(
    dataset: Dataset,
    store: Store,
    slots: policy.Slots = None,
    instruction: policy.Instruction = None,
    crop: policy.Crop = None,
    size: policy.Size = None,
    margin: policy.Margin = 0.3,
    window: policy.Window = None,
    padding: policy.Padding = "constant",
    background: policy.Background = None,
    keep: policy.Keep = None,
    seed: policy.Seed = 0,
    channels: policy.Channels = False,
    patches: policy.Patches = None,
    cloud: policy.Cloud = None,
    points: policy.Points = None,
    recipe: policy.RecipeFile = None,
    to: policy.Format = "lerobot",
    exact: policy.Exact = False,
    episodes: options.Episodes = None,
    cameras: options.Cameras = None,
    out: Out = Path("policy"),
    as_json: AsJson = False,
) -> None:
    """Write what a policy trains on: crops of objects, masks as channels, other backgrounds, patches, point clouds.

    States, actions and times go along. An object that is not in a frame gives an empty crop and the flag that it is
    empty. The recipe is written beside the data, for the robot to make the same pixels. Ctrl+C keeps whole episodes;
    the same command goes on.
    """
    said = policy.RecipeText(
        slots=slots, instruction=instruction, crop=crop, size=size, margin=margin, window=window, padding=padding,
        background=background, keep=keep, seed=seed, channels=channels, patches=patches, cloud=cloud, points=points,
    )  # fmt: skip
    said.check(recipe)
    made, backdrops = _recipe(said, recipe, dataset, store)
    done = _write(dataset, store, made, out, backdrops, to, exact, (episodes, cameras), quiet=as_json)
    if as_json:
        typer.echo(json.dumps(_as_json(done)))
        return
    for line in done.lines():
        tell(line)


def _recipe(
    said: policy.RecipeText, recipe: Path | None, dataset: Path, store: Path
) -> "tuple[PolicyRecipe, Backdrops | None]":
    """Read the recipe that was named, or make the one that was said, and say how its slots were found."""
    from maskwright.robot.policy_recipe import PolicyRecipe
    from maskwright.workflows.policy_slots import slots_of

    try:
        backdrops = said.backdrops()
        if recipe is not None:
            return PolicyRecipe.read(recipe), backdrops
        found = slots_of(dataset, store, named=options.read_names(said.slots), instruction=said.instruction)
        for line in found.notes:
            tell(line)
        return said.recipe(found.slots, backdrops), backdrops
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


def _write(
    dataset: Path,
    store: Path,
    recipe: "PolicyRecipe",
    out: Path,
    backdrops: "Backdrops | None",
    to: str,
    exact: bool,
    selected: tuple[str | None, str | None],
    *,
    quiet: bool,
) -> "PolicyWritten":
    """Write, with a bar that goes along; Ctrl+C says how to go on."""
    from maskwright.workflows.annotate_plan import Selection
    from maskwright.workflows.policy_inputs import write_policy_inputs

    episodes, cameras = (options.read_names(text) or None for text in selected)
    last: list[int] = [0, 0]
    with progress_bar(f"{dataset} {out}", quiet=quiet) as progress:

        def note(done: int, total: int | None) -> None:
            last[:] = done, total or 0
            progress(done, total)

        try:
            return write_policy_inputs(
                dataset, store, recipe, out, format_name=_format(to), is_exact=exact, backdrops=backdrops,
                selection=Selection(episodes=episodes, cameras=cameras), progress=note,
            )  # fmt: skip
        except KeyboardInterrupt:
            some = f"{last[0]} of {last[1]} rows were written" if last[1] else "nothing was written yet"
            tell(f"stopped: {some}; whole episodes are kept. The same command goes on: {out}")
            raise


def _format(text: str) -> Any:
    from maskwright.workflows.policy_inputs import FORMATS

    if text not in FORMATS:
        raise typer.BadParameter(f"--to is one of {', '.join(FORMATS)}; got {text!r}")
    return text


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
