"""`maskwright check-sim`: how real is a simulator, told by its masks?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

DEFAULT_OUT = Path("simulator-check")


@app.command(epilog="Example: maskwright check-sim sim_scenes/ real_masks/", no_args_is_help=True)
def check_sim(
    simulated: Annotated[
        str,
        typer.Argument(
            metavar="SIMULATED",
            help="Frames of the simulator with their masks: labelled scenes, a mask store, COCO, pictures with masks.",
        ),
    ],
    real: Annotated[str, typer.Argument(metavar="REAL", help="Real frames with their masks, of any of these kinds.")],
    model: options.ModelName = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model; a store's own answers still count against its truth.")
    ] = False,
    realistic: Annotated[
        float, typer.Option("--realistic", metavar="0..1", help="Above this a class is realistic.")
    ] = 0.85,
    flagged: Annotated[float, typer.Option("--flagged", metavar="0..1", help="Below this a class is flagged.")] = 0.70,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="At most N frames a side, evenly spread.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="PATH", help="Where the simulator's pictures are, if they moved.")
    ] = None,
    real_images: Annotated[
        Path | None, typer.Option("--real-images", metavar="PATH", help="Where the real pictures are, if they moved.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 if anything is flagged.")] = False,
    device: options.Device = None,
    precision: options.Precision = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to write; simulator-check/ unless --json is alone."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="check.json on stdout instead of the table; without --out no file.")
    ] = False,
) -> None:
    """Compare simulated masks with real ones, class by class, and a model with the simulator's truth.

    Compares how area, shape, sharpness of the boundary, number a frame and predicted IoU are distributed, and says
    what is realistic, what is not, and where there are too few frames to tell. Writes check.json, and report.html with
    the worst frames drawn. The model is asked about every mask of both sides by its box.
    """
    from maskwright.robot.simulator import RealismSettings
    from maskwright.workflows.check_simulator import check_simulator, write_check

    try:
        limits = RealismSettings(realistic=realistic, flagged=flagged)
    except SettingError as error:
        raise typer.BadParameter(f"--realistic and --flagged: {error}") from error
    if no_model and model is not None:
        raise typer.BadParameter("--no-model asks no model; leave --model out")
    network = None if no_model else options.open_model(model or settings.MODEL.get(), device, precision)
    with progress_bar("frames", quiet=as_json) as progress:
        check = check_simulator(
            simulated, real, model=network, settings=limits, images=images, real_images=real_images, limit=limit,
            progress=progress,
        )  # fmt: skip
    for note in check.notes:
        tell(f"note: {note}")
    where = out or (None if as_json else DEFAULT_OUT)
    report = None if where is None else write_check(check, where)
    typer.echo(json.dumps(check.as_json()) if as_json else "\n".join(check.lines()))
    if report is not None:
        tell(f"-> {report}")
    if strict and check.is_flagged:
        raise typer.Exit(1)
