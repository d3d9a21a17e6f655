"""`maskwright train SOURCE`: fine-tune a model on corrected masks. A sub-command of `train`, in a file of its own."""

import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import tell
from maskwright.core import settings
from maskwright.core.errors import MaskwrightError, SettingError
from maskwright.train.recipe import changed
from maskwright.train.tune.recipe import TuneRecipe, usual_recipe

if TYPE_CHECKING:
    from maskwright.train.tune.crew import Crew
    from maskwright.workflows.fine_tune import FineTuned
    from maskwright.workflows.fine_tune_job import FineTuneJob
    from maskwright.workflows.teach_words import WordsTaught

_FIRST_S, _THEN_S = 5.0, 30.0  # between plain lines
DEFAULT_OUT = Path("checkpoints/tuned")


def tune(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A mask store, a LeRobot data set with masks, COCO and other annotation files, or a folder of images "
            "and masks.",
        ),
    ],
    base: Annotated[
        str,
        typer.Option("--from", metavar="NAME|FILE", help="The model to begin with; a tuned one may be tuned again."),
    ] = "tiny",
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the checkpoint goes; a run there goes on.")
    ] = DEFAULT_OUT,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="NAMES", help="Which masks to learn from; accepted of a store, all of files."),
    ] = None,
    test: options.HeldOut = None,
    general: options.General = None,
    replay: Annotated[
        float | None,
        typer.Option("--replay", metavar="SHARE", min=0, help="General pictures to mix in: 0.5 is one for two."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change one number of the recipe; may be repeated."),
    ] = None,
    images: options.MovedImages = None,
    device: options.Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="results.json on stdout.")] = False,
) -> None:
    """Fine-tune a model on corrected masks: the encoder stays, the decoder learns from embeddings computed once.

    Clicks, boxes and corrections are simulated. Whole episodes are held out: some decide when to stop, some tell how
    good the result is, beside the base, slice by slice. General data tell what was forgotten.

    FOLDER gets tuned.safetensors (what changed; use it with --model FOLDER), card.json, report.html, results.json,
    rows.csv, split.json and run/ with the log. The same command again goes on where it stopped.

    With --set parts=text the labels become words, by which the checkpoint can be asked (--text).
    """
    try:
        share = [] if replay is None else [f"replay={replay}"]
        recipe = changed(TuneRecipe(), [*(changes or []), *share])
        recipe = changed(usual_recipe(recipe.parts), [*(changes or []), *share])
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error

    from maskwright.train.tune.crew import join_crew
    from maskwright.workflows.fine_tune_job import FineTuneJob

    job = FineTuneJob(
        source=source,
        out=out,
        base=base,
        recipe=recipe,
        statuses=options.read_names(status) or None,
        test=test,
        general=general,
        images=images,
        device=device or settings.DEVICE.get(),
        command=shlex.join(["maskwright", *sys.argv[1:]]),
    )
    with join_crew(job.device) as (crew, place):
        try:
            _run(replace(job, device=place), crew, as_json=as_json)
        except MaskwrightError as error:
            if not crew.is_first_to_fail():
                raise typer.Exit(1) from error
            raise


def _run(job: "FineTuneJob", crew: "Crew", *, as_json: bool) -> None:
    """Do the job as one of a crew; the first tells what came out."""
    from maskwright.workflows.fine_tune import fine_tune
    from maskwright.workflows.teach_words import teach_words

    if crew.is_first:
        logging.getLogger("maskwright.train").setLevel(logging.INFO)
    with stages(quiet=as_json or not crew.is_first) as told:
        if job.recipe.teaches_words:
            _tell_words(teach_words(job, told=told, crew=crew), job.out, as_json=as_json)
        else:
            _tell_masks(fine_tune(job, told=told, crew=crew), job.out, as_json=as_json)


def _tell_masks(found: "FineTuned | None", out: Path, *, as_json: bool) -> None:
    if found is None:
        return
    typer.echo(json.dumps(found.results) if as_json else summary_text(found))
    for note in found.notes:
        tell(f"note: {note}")
    line = found.retention.line()
    tell(line if found.retention.is_kept else typer.style(line, fg=typer.colors.RED))
    tell(f"{found.report} (use it: maskwright predict example:tabletop --point 235,290 --model {out})")


def _tell_words(found: "WordsTaught | None", out: Path, *, as_json: bool) -> None:
    if found is None:
        return
    names = ("text", "name right", "text precision", "absent told")
    rows = [f"{name:<16}{found.after.scores[name]:>7.3f}" for name in names if found.after.scores[name] is not None]
    typer.echo(json.dumps(found.results) if as_json else "\n".join(["held out", *rows]))
    for note in found.notes:
        tell(f"note: {note}")
    word = found.words.vocabulary[0]
    tell(f"{found.report} (use it: maskwright predict PHOTO --text {word} --model {out})")


def summary_text(found: "FineTuned") -> str:
    """Tabulate the scores before and after."""
    names = ("box", "box + click", "1 click", "3 clicks", "5 clicks", "belief error")
    rows = [f"{'held out':<14}{'before':>8}{'after':>8}{'change':>8}"]
    for name in names:
        before, after = found.before.scores[name], found.after.scores[name]
        if before is not None and after is not None:
            rows.append(f"{name:<14}{before:>8.3f}{after:>8.3f}{after - before:>+8.3f}")
    return "\n".join(rows)


@contextmanager
def stages(*, quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar for the stage that is at work, and nothing where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet:
        yield lambda what, done, total: None
        return
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        shown = ""

        def told(what: str, done: int, total: int | None) -> None:
            nonlocal shown
            if what != shown:
                shown = what
                bar.reset(task, description=what, total=total)
            bar.update(task, completed=done, total=total)

        yield told


class _Lines:
    """Tells a plain line now and then, where there is no terminal to draw on."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + _FIRST_S

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _THEN_S
            tell(f"{what}: {done}" + ("" if total is None else f" of {total}"))


def recipe_help() -> str:
    """List every field of the recipe, as --help shows them."""
    import dataclasses

    fields = dataclasses.fields(TuneRecipe)
    width = max(len(one.name) for one in fields)
    rows = [f"  {one.name:<{width}}  {one.metadata['help']} [{getattr(TuneRecipe(), one.name)}]" for one in fields]
    return "\n".join(
        [
            "\b",
            "The recipe; --set NAME=VALUE changes one:",
            *rows,
            "",
            "\b",
            "Examples:",
            "  maskwright train masks/ --from tiny --status accepted -o checkpoints/glass_v2",
            "  maskwright train pictures/ --test held_out/ --replay 0.5 --set epochs=20",
            "  maskwright train masks/ --from vit_b --set parts=text -o checkpoints/words",
            "  torchrun --standalone --nproc-per-node 4 -m maskwright train masks/ --from vit_b -o checkpoints/glass",
        ]
    )


__all__ = ["recipe_help", "stages", "summary_text", "tune"]
