"""`maskwright import`: masks of other formats into a store."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli import options
from maskwright.cli.export import report_json
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command("import", epilog="Example: maskwright import coco.json --images pictures -o masks", no_args_is_help=True)
def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder of masks.")],
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="coco, png, davis, ...; recognised where it is not given."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="PATH", help="Where the pictures are: a folder or a source.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Who imports, for masks and decisions without a name.")
    ] = None,
    collector: Annotated[
        str | None, typer.Option("--collector", metavar="NAME", help="Who recorded the pictures.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", metavar="TERMS", help="Terms of the masks.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="STORE", help="The mask store; made if nothing is there.")
    ] = options.DEFAULT_OUT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Read masks of another tool into a store, and say what could not be read.

    Doing it again adds nothing twice: masks that are there are known by their id or pixels, and what was changed
    elsewhere (pixels, label, decision) becomes a review event.
    """
    from maskwright.workflows.import_masks import Credits, import_masks

    with progress_bar(str(path), quiet=as_json) as progress:
        done = import_masks(
            path,
            out,
            format_name=format_name,
            images=images,
            credits=Credits(actor=actor, collector=collector, licence=licence),
            command=shlex.join(["maskwright", *sys.argv[1:]]),
            progress=progress,
        )
    if as_json:
        counts = {name: getattr(done, name) for name in ("run", "format", "num_new", "num_known", "num_events")}
        typer.echo(json.dumps({"store": str(done.store), **counts, **report_json(done.report)}))
        return
    known = f", {done.num_known} were there already" if done.num_known else ""
    events = f", {done.num_events} decisions and changes" if done.num_events else ""
    tell(f"{done.format}: {done.num_new} new masks of {done.num_frames} frames{known}{events} -> {done.store}")
    for line in done.report.lines()[1:]:
        tell(line)
