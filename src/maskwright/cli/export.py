"""`maskwright export`: the masks of a store as files of other formats."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import conditions
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.datasets.loss_report import LossReport
    from maskwright.store import Query

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright export masks --to coco -o coco", no_args_is_help=True)
@conditions.with_conditions
def export(
    store: conditions.Store,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help="coco, png, lerobot, rlds, yolo, cvat, ...: docs/guides/formats.md."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PATH", help="What to write: a new folder, or a new file.")
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="PATH", help="Where the pictures are; default: where annotate found them."),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Write masks alone.")] = False,
    *,
    asked: "Query",
    as_of: conditions.AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="The loss report as one JSON object on stdout.")] = False,
) -> None:
    """Write masks in the format of another tool, and say what that format could not keep.

    Rejected, merged and split masks are left out unless --status asks for them. Frames without masks are written too,
    unless a condition on masks is given. LeRobot data sets are copied with a column of masks.
    """
    if images is not None and no_images:
        raise typer.BadParameter("--images and --no-images exclude each other; give one")

    from maskwright.workflows.export_store import export_masks

    with progress_bar(f"{to} {out}", quiet=as_json) as progress:
        done = export_masks(
            store, to, out, query=asked, as_of=as_of, images=images, with_images=not no_images, progress=progress
        )
    if as_json:
        typer.echo(json.dumps({"out": str(done.out), "format": done.format, **report_json(done.report)}))
        return
    first, *rest = done.report.lines()
    tell(f"{first} -> {done.out}" + (f" (a copy of {done.source} with masks)" if done.source else ""))
    for line in rest:
        tell(line)


def report_json(report: "LossReport") -> dict[str, Any]:
    """Write a loss report as JSON types."""
    return {
        "num_frames": report.num_frames,
        "num_masks": report.num_masks,
        "is_lossless": report.is_lossless,
        "losses": [{"what": one.what, "count": one.count, "example": one.example} for one in report.losses],
        "skipped": [{"item": one.item, "reason": one.reason} for one in report.skipped],
    }
