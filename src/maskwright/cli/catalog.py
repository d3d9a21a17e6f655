"""`maskwright catalog`: which stores are there, and which are what I need?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core.errors import SettingError

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright catalog datasets --robot panda --min-trusted 0.9", no_args_is_help=True)
def catalog(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Stores, or folders that have some below.")],
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="Has masks made so: sam_raw, human_drawn, ...")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Has masks of this model, family or checkpoint hash.")
    ] = None,
    min_trusted: Annotated[
        float | None,
        typer.Option("--min-trusted", metavar="SHARE", help="At least this share drawn, accepted or simulated: 0.9."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TERMS", help='Has masks under it; or all are "open", "research only", ...'),
    ] = None,
    robot: Annotated[str | None, typer.Option("--robot", metavar="NAME", help="Was recorded on this robot.")] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="WORDS", help="Has a task with these words.")] = None,
    min_coverage: Annotated[
        float | None,
        typer.Option("--min-coverage", metavar="SHARE", help="At least this share of recorded frames looked at: 0.5."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a store on stdout.")] = False,
) -> None:
    """List the stores below folders: masks, frames, who vouches for them, models, licences, robots, tasks, coverage.

    Conditions must all hold; a part of a name will do.
    """
    from maskwright.workflows.catalog import Wanted, list_stores

    try:
        wanted = Wanted(
            method=method, model=model, min_trusted=min_trusted, licence=licence, robot=robot, task=task,
            min_coverage=min_coverage,
        )  # fmt: skip
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    found = list_stores(folders, wanted)
    for reason in found.unreadable:
        tell(f"left out: {reason}")
    for line in map(json.dumps, found.as_json()) if as_json else found.lines():
        typer.echo(line)
