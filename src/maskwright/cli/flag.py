"""`maskwright flag`: masks of a store that models and sensors get wrong, into a queue."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.datasets.depth import Unit

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright flag masks --depth scenes/depth", no_args_is_help=True)
def flag(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store of masks.")],
    depth: Annotated[
        Path | None,
        typer.Option(
            "--depth",
            metavar="FOLDER",
            help="A depth map for each frame, X.png or X.tiff; default: as the frames have.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="mm|m", help="Of the depth; default: integers are millimetres, floats metres."),
    ] = None,
    images: options.MovedImages = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the queue.")] = "hard",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Flag masks that are thin, see-through or mirroring, hidden in part, or a piece of a pattern.

    By their shape and by depth. Flagged masks wait in a queue of the review application, with the reasons, and the
    audit counts them; no mask is changed.
    """
    from maskwright.workflows.flag_masks import flag_masks

    if unit not in (None, "mm", "m"):
        raise typer.BadParameter(f"--unit is mm or m, got {unit!r}")
    with progress_bar("frames", quiet=as_json) as progress:
        done = flag_masks(
            store, depth=depth, unit=cast("Unit | None", unit), images=images, name=name, progress=progress
        )
    if as_json:
        typer.echo(json.dumps(done.as_json()))
        return
    typer.echo("\n".join(done.lines()))
    if done.queue is not None:
        tell(f"Walk it in the browser: maskwright review {store}, under Queues")
