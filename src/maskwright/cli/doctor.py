"""`maskwright doctor`: is this installation in working order?"""

import dataclasses
import json
from typing import Annotated

import typer

from maskwright.cli.verbs import CONTEXT

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_MARKS = {"ok": "ok     ", "advice": "advice ", "problem": "PROBLEM"}


@app.command(epilog="Example: maskwright doctor --json")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding on stdout.")] = False,
) -> None:
    """Check versions, devices, folders and weights, and make one real prediction; ends with 1 if something is wrong."""
    from maskwright.workflows.diagnose import diagnose

    is_healthy = True
    for finding in diagnose():
        is_healthy &= finding.level != "problem"
        if as_json:
            typer.echo(json.dumps(dataclasses.asdict(finding)))
        else:
            typer.echo(f"{_MARKS[finding.level]}  {finding.what + ':':<24}{finding.says}")
    if not is_healthy:
        raise typer.Exit(1)
