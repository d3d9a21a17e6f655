"""`maskwright demo`: a robot episode with true masks, to try everything on."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.workflows.demo import Demo

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

DEFAULT_OUT = Path("demo")


@app.command(epilog="Example: maskwright demo --model tiny -o demo")
def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to copy it; a new or empty folder.")
    ] = DEFAULT_OUT,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="NAME|FILE", help="Let a model propose masks too, on one frame a second: tiny."
        ),
    ] = None,
    device: options.Device = None,
    precision: options.Precision = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Copy out a short robot episode (LeRobot v3.0, two cameras) with a store of its true masks.

    An arm puts a mug into a bin, rendered by maskwright: 4 seconds at 30 Hz, every object masked on every frame.
    """
    from maskwright.workflows.demo import make_demo

    network = None if model is None else options.open_model(model, device, precision)
    with progress_bar("proposing", quiet=as_json) as progress:
        made = make_demo(out, model=network, progress=lambda now: progress(now.num_done, now.num_wanted))
    typer.echo(json.dumps(as_record(made)) if as_json else "\n".join(lines(made)))


def lines(made: "Demo") -> list[str]:
    """Say what was made, and what to try on it."""
    told = [
        f"a robot episode: {made.num_frames} frames of 2 cameras -> {made.dataset}",
        f"its true masks: {made.num_masks} of {', '.join(made.labels)} -> {made.store}",
    ]
    if made.proposals is not None:
        found = made.proposals
        told.append(
            f"proposals of {found.model}: {found.num_masks} on {found.num_frames} frames from boxes, "
            f"mean IoU {found.mean_iou:.2f} with the truth"
        )
    return [*told, "", "Try next", *(f"  {command}" for command in suggestions(made))]


def suggestions(made: "Demo") -> list[str]:
    """List commands that work on what was made."""
    dataset, store = shlex.quote(str(made.dataset)), shlex.quote(str(made.store))
    return [
        f"maskwright audit {store}",
        f"maskwright query {store} --label mug --min-area 500",
        f"maskwright annotate {dataset} --everything --preset fast --cameras front --stride 60 -o {store}",
        f"maskwright export {store} --to coco -o coco",
        f"maskwright card {store} -o card",
    ]


def as_record(made: "Demo") -> dict[str, object]:
    """Describe what was made as JSON types."""
    found = made.proposals
    return {
        "dataset": str(made.dataset),
        "store": str(made.store),
        "num_frames": made.num_frames,
        "num_masks": made.num_masks,
        "labels": list(made.labels),
        "proposals": None
        if found is None
        else {
            "model": found.model,
            "num_frames": found.num_frames,
            "num_masks": found.num_masks,
            "mean_iou": round(found.mean_iou, 4),
        },
    }
