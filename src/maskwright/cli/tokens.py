"""`maskwright tokens`: who may ask a server. The file is the --token-file of serve and review."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.serve.values import Scope

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings=CONTEXT,
    no_args_is_help=True,
    help="Add, list and remove the tokens of a server; make sign-in links.",
    epilog="Example: maskwright tokens add tokens.jsonl --name anna",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The token file, as serve --token-file takes it.")]


Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Who it is for; stands in logs and limits.")]
ScopeName = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="NAME",
        help="read (look and segment), annotate (also write), review (also see how others do) or admin (all).",
    ),
]
Days = Annotated[int | None, typer.Option("--days", metavar="N", min=1, help="Until it expires; default: never.")]


@app.command(epilog="Example: maskwright tokens add tokens.jsonl --name anna --scope annotate --days 90")
def add(file: File, name: Name, scope: ScopeName = "annotate", days: Days = None) -> None:
    """Make a token and print it, once: the file holds a hash of it. A running server knows it within a second."""
    typer.echo(_new_token(file, name, scope, days))
    tell(f"this is {name}'s token ({scope}); it cannot be shown again. Send it as Authorization: Bearer TOKEN")


@app.command(epilog="Example: maskwright tokens link tokens.jsonl --name anna --url https://masks.example")
def link(
    file: File,
    name: Name,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Where people open the review application.")
    ] = "http://127.0.0.1:8470",
    scope: ScopeName = "annotate",
    days: Days = None,
) -> None:
    """Make a token, and print a link that signs its owner into the review application.

    The token stands behind the #, which browsers send nowhere; whoever has the link is that person to the server.
    """
    page = _page(url)
    typer.echo(f"{page}#token={_new_token(file, name, scope, days)}")
    tell(f"this link signs in {name} ({scope}); it cannot be shown again. Send it to nobody else")


def _new_token(file: Path, name: str, scope: str, days: int | None) -> str:
    from maskwright.serve.tokens import add_token
    from maskwright.serve.values import SCOPES

    if scope not in SCOPES:
        raise typer.BadParameter(f"--scope is one of {', '.join(SCOPES)}; got {scope!r}")
    return add_token(file, name, cast("Scope", scope), None if days is None else timedelta(days=days))


def _page(url: str) -> str:
    """Read where the application is, as its users open it."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment or parts.query:
        raise typer.BadParameter(f"--url is as https://masks.example; got {url!r}")
    return url if parts.path else f"{url}/"


@app.command("list", epilog="Example: maskwright tokens list tokens.jsonl")
def list_(
    file: File, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a token on stdout.")] = False
) -> None:
    """List names, scopes and dates."""
    from maskwright.cli.query import write_table
    from maskwright.serve.tokens import read_tokens

    rows = [
        (
            token.name,
            token.scope,
            _day(token.created_at),
            "never" if token.expires_at is None else _day(token.expires_at),
        )
        for token in read_tokens(file)
    ]
    head = ("name", "scope", "created", "expires")
    if as_json:
        for row in rows:
            typer.echo(json.dumps(dict(zip(head, row, strict=True))))
    else:
        write_table([cell.upper() for cell in head], rows)


@app.command(epilog="Example: maskwright tokens remove tokens.jsonl --name anna")
def remove(file: File, name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose token it is.")]) -> None:
    """Take a token away. A running server refuses it within a second."""
    from maskwright.serve.tokens import remove_token

    remove_token(file, name)
    tell(f"{name} may not ask any more: {file}")


def _day(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
