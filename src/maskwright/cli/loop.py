"""`maskwright loop`: propose, review, train, propose again; it says where people are needed."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.fine_tune import stages
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.workflows.loop.settings import LoopSettings
    from maskwright.workflows.loop.standing import Standing

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright loop masks --source video.mp4 --budget 200", no_args_is_help=True)
def loop(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The mask store; made where --source names pictures.")],
    source: Annotated[
        Path | None,
        typer.Option("--source", metavar="PATH", help="Recordings or pictures to annotate where the store lacks them."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="WORDS", help="Words to look for in --source, in place of everything."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="NAME", help="assisted-manual [first], semi-automatic or automatic."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="N", min=1, help="Masks that people see a round [200].")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", metavar="N", min=1, help="Stop after so many rounds.")
    ] = None,
    goal: Annotated[
        float | None,
        typer.Option("--goal", metavar="SHARE", help="Stop when so many proposals are right as they come [0.95]."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", metavar="IOU", help="Stop when training gains less on held-out masks [0.005]."),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(
            "--sure", metavar="IOU", help="Predicted IoU and stability that the rule accepts from; default: learnt."
        ),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option("--max-error", metavar="SHARE", help="What may be wrong of what the rule accepts [0.05]."),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Train on what is reviewed, though some of the queue is left.")
    ] = False,
    test: options.HeldOut = None,
    general: options.General = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A number of the training: maskwright train tune --help."),
    ] = None,
    wage: Annotated[
        str | None, typer.Option("--wage", metavar="RANGE", help="Money an hour for a person [15-25].")
    ] = None,
    machine_price: Annotated[
        str | None, typer.Option("--machine-price", metavar="RANGE", help="Money an hour for the machine [0.5-4].")
    ] = None,
    images: options.MovedImages = None,
    model: options.ModelName = None,
    device: options.Device = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where checkpoints go, a folder a round [checkpoints]."),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Only show the rounds and what comes next.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="loop.json on stdout.")] = False,
) -> None:
    """Turn the data engine: propose, let people review, train, propose again, until it is enough.

    It does what a machine can, stops where people are needed, says which command comes next, and goes on from there
    when it is called again, after Ctrl+C or a kill too. Options are remembered: the next call needs none.

    In assisted-manual mode people see everything; in semi-automatic mode a rule accepts what is sure enough and people
    do the rest; in automatic mode people see a sample of what the rule accepted, and too many errors end the mode.

    STORE/loop gets report.html, loop.json and a file a round.
    """
    given = {
        "source": source,
        "text": tuple(text) if text else None,
        "budget": budget,
        "rounds": rounds,
        "goal": goal,
        "tolerance": tolerance,
        "sure": sure,
        "max_error_rate": max_error,
        "test": test,
        "general": general,
        "images": images,
        "model": model,
        "out": out,
    }
    asked = _asked(store, given, changes or [], mode, wage, machine_price)
    if status or dry_run:
        from maskwright.workflows.loop.standing import planned, read_standing

        found = read_standing(store, asked)
        _show(found, as_json, planned(found) if dry_run else None)
        return

    from maskwright.predict.records import utc_now
    from maskwright.workflows.loop.run import Surroundings, run_loop

    with stages(quiet=as_json) as told:
        try:
            around = Surroundings(
                clock=utc_now,
                device=device or settings.DEVICE.get(),
                trains_now=now,
                command=shlex.join(["maskwright", *sys.argv[1:]]),
                told=told,
                says=(lambda line: None) if as_json else tell,
            )
            found = run_loop(store, asked, around)
        except KeyboardInterrupt:
            tell(f"stopped: what was done is kept. The same command goes on: {store}")
            raise
    _show(found, as_json, None)


def _asked(
    store: Path,
    given: dict[str, Any],
    changes: list[str],
    mode: str | None,
    wage: str | None,
    machine_price: str | None,
) -> "LoopSettings":
    """Take what was said now over what was said before."""
    from maskwright.train.recipe import changed
    from maskwright.workflows.costs import parse_span
    from maskwright.workflows.loop.book import Book
    from maskwright.workflows.loop.settings import LoopSettings, mode_of

    before = Book(store).settings() or LoopSettings(model=settings.MODEL.get())
    try:
        said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        said |= {"mode": mode_of(mode)} if mode is not None else {}
        said |= {"wage": parse_span(wage)} if wage is not None else {}
        said |= {"machine_price": parse_span(machine_price)} if machine_price is not None else {}
        return replace(before, **said, recipe=changed(before.recipe, changes))
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


def _show(found: "Standing", as_json: bool, plan: list[str] | None) -> None:
    from maskwright.workflows.loop.standing import table, text_table

    if as_json:
        typer.echo(json.dumps({**found.as_json(), **({"plan": plan} if plan is not None else {})}))
        return
    if plan is not None:
        typer.echo("\n".join(plan))
        return
    if found.rounds:
        typer.echo("\n".join(text_table(table(found))))
    for line in found.next_lines():
        tell(line)
    if found.report is not None:
        tell(f"report: {found.report}")
