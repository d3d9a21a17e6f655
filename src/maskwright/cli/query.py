"""`maskwright query`: find, count and list masks of a store."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import conditions
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from pathlib import Path

    from maskwright.core.resolved import ResolvedRecord
    from maskwright.store import Query

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_SHOWN = 20
_HEAD = ("id", "frame", "label", "status", "method", "area", "box", "IoU")


@app.command(
    epilog="Example: maskwright query masks --bbox 100,80,300,240 --min-area 5000 --status accepted",
    no_args_is_help=True,
)
@conditions.with_conditions
def query(
    store: conditions.Store,
    *,
    asked: "Query",
    as_of: conditions.AsOf = None,
    count: Annotated[bool, typer.Option("--count", help="Only how many masks, on how many frames.")] = False,
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="SELECT", help="Instead: a SELECT over masks, records, events, frames, tags."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="All as CSV on stdout, without pixels.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All on stdout, one JSON object a mask or row.")] = False,
) -> None:
    """Find masks: all conditions must hold, and of a repeated option one of its values.

    Rejected, merged and split masks are left out unless --status asks for them. Lists the first twenty; --json and
    --csv give all.
    """
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other; give one")
    if sql is not None:
        from maskwright.store import Query

        if asked != Query() or count:
            raise typer.BadParameter("--sql is the whole question; write the conditions into its WHERE")
        _answer_sql(store, sql, as_of, as_csv=as_csv, as_json=as_json)
    else:
        _answer(store, asked, as_of, count=count, as_csv=as_csv, as_json=as_json)


def _answer(store: "Path", asked: "Query", as_of: str | None, *, count: bool, as_csv: bool, as_json: bool) -> None:
    from maskwright.core import to_json
    from maskwright.store import open_store
    from maskwright.workflows.query_store import COLUMNS, row_of

    with open_store(store, read_only=True) as opened:
        if count:
            num_masks, num_frames = opened.count(asked, as_of=as_of), opened.count_frames(asked, as_of=as_of)
            told = {"num_masks": num_masks, "num_frames": num_frames}
            typer.echo(json.dumps(told) if as_json else f"{num_masks} masks on {num_frames} frames")
            return
        found = opened.query(asked, as_of=as_of)
        if as_json:
            for mask in found:
                typer.echo(json.dumps(to_json(mask)))
        elif as_csv:
            _write_csv(COLUMNS, (list(row_of(mask).values()) for mask in found))
        else:
            write_table(_HEAD, [_line(mask) for mask in islice(found, _SHOWN)])
            _tell_rest(opened.count(asked, as_of=as_of))


def _answer_sql(store: "Path", select: str, as_of: str | None, *, as_csv: bool, as_json: bool) -> None:
    from maskwright.workflows.query_store import ask_sql

    with ask_sql(store, select, as_of=as_of) as answer:
        if as_json:
            for row in answer.rows:
                typer.echo(json.dumps(dict(zip(answer.columns, row, strict=True)), default=_plain))
        elif as_csv:
            _write_csv(answer.columns, ([_cell(value) for value in row] for row in answer.rows))
        else:
            shown = [[_cell(value) for value in row] for row in islice(answer.rows, _SHOWN)]
            write_table(answer.columns, shown)
            _tell_rest(len(shown) + sum(1 for _ in answer.rows))


def _line(mask: "ResolvedRecord") -> tuple[str, ...]:
    record, frame = mask.record, mask.record.frame
    place = (
        record.image_digest[:12]
        if frame is None
        else f"{frame.dataset}/{frame.episode}/{frame.camera}/{frame.frame_index}"
    )
    iou = record.scores.predicted_iou
    return (
        record.id,
        place,
        record.label or "-",
        mask.status,
        record.provenance.method,
        str(record.area),
        ",".join(f"{edge:g}" for edge in record.box_xyxy),
        "-" if iou is None else f"{iou:.2f}",
    )


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows on stdout, in columns."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _tell_rest(total: int) -> None:
    tell(f"{total} in all" + (f", the first {_SHOWN} shown; --json or --csv give all" if total > _SHOWN else ""))


def _write_csv(head: Iterable[str], rows: Iterator[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)


def _plain(value: Any) -> Any:
    """Turn what SQL answers and JSON does not know into text or a number."""
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    return (
        value.isoformat() if hasattr(value, "isoformat") else float(value) if hasattr(value, "as_tuple") else str(value)
    )


def _cell(value: Any) -> str:
    return (
        ""
        if value is None
        else f"{value:g}"
        if isinstance(value, float)
        else str(value if isinstance(value, str | int) else _plain(value))
    )
