"""`maskwright card`: what should somebody know before using these masks?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright card masks -o card", no_args_is_help=True)
def card(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store of masks.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to write README.md and croissant.json; else stdout."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="TERMS", help="The data set's; default: what all masks tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The statistics as one JSON object on stdout.")] = False,
) -> None:
    """Write a data set card (Markdown, as Hugging Face reads it) and MLCommons Croissant metadata of a store.

    Every number is computed: what is in the store, a grade a slice with its rule, what an audit finds, terms.
    """
    from maskwright.workflows.card import make_card, save_card

    with progress_bar("reading masks", quiet=as_json) as progress:
        made = make_card(store, licence=licence, progress=progress)
    if out is not None:
        save_card(made, out)
        tell(f"{made.facts.name}: {made.facts.num_masks} masks -> {out / 'README.md'}, {out / 'croissant.json'}")
    if as_json:
        typer.echo(json.dumps(made.as_json()))
    elif out is None:
        typer.echo(made.text, nl=False)
