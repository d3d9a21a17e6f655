"""`maskwright audit`: can these masks be trusted, and where does one come from?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.report import progress_bar
from maskwright.cli.verbs import CONTEXT

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright audit masks --strict", no_args_is_help=True)
def audit(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store of masks.")],
    mask: Annotated[
        str | None,
        typer.Option("--mask", metavar="ID", help="Tell this mask's whole life; the start of its id will do."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 1 if there are errors or warnings.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check a store of masks, or explain one mask.

    Looks for masks that cannot be, scores that are none, masks nobody has verified, frames left out, mixed
    checkpoints, licences that bind or contradict, labels that change within a track, duplicates.
    """
    if mask is not None:
        from maskwright.workflows.mask_story import read_story

        story = read_story(store, mask)
        typer.echo(json.dumps(story.as_json()) if as_json else "\n".join(story.lines()))
        return
    from maskwright.workflows.audit import audit_store

    with progress_bar("reading masks", quiet=as_json) as progress:
        done = audit_store(store, progress=progress)
    typer.echo(json.dumps(done.as_json()) if as_json else "\n".join(done.lines()))
    if strict and not done.is_clean:
        raise typer.Exit(1)
