"""`maskwright evaluate`: how good are models on labelled pictures, and their trackers on labelled video?"""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.evaluate import Dataset

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

DEFAULT_OUT = Path("evaluation")


@app.command(epilog="Example: maskwright evaluate --data pictures --baselines grabcut,box-fill", no_args_is_help=True)
def evaluate(
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="FOLDER|FILE",
            help="images/ with masks/, JPEGImages/ with Annotations/, X.jpg with X_mask.png, a COCO .json, "
            "example:tabletop, or a mask store (accepted masks); for track also folders of these, or a store with "
            "tracks.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="A registered model or a checkpoint file; for track also a video model. Repeat to compare. "
            f"[env: {settings.MODEL.env}; default: {settings.MODEL.default_text}]",
        ),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            "--tasks", metavar="NAMES", help="Some of box, click, noc (20 clicks), random, everything, text; or track."
        ),
    ] = "box,click",
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="NAME|FILE",
            help="A model, grabcut or box-fill to compare with; a column tells the difference.",
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAMES",
            help="Beside the models: grabcut, box-fill; for track: flow, previous-box, static.",
        ),
    ] = None,
    start: Annotated[
        str, typer.Option("--start", metavar="KIND", help="track: what a tracker is given once: mask, box or click.")
    ] = "mask",
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="NAME|MS", help="track: fast, default, accurate, or milliseconds a frame."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="PATH", help="track: where the frames of a mask store are, if they moved."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split", metavar="NAME", help="test, validation or train: the side of a fine-tuned --model's episodes."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N pictures, or videos.")
    ] = None,
    closer: options.Closer = None,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to write; evaluation/ unless --json is given alone."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="results.json on stdout instead of the table; without --out no file.")
    ] = False,
) -> None:
    """Score models on pictures with true masks, and baselines beside them.

    Plays the user: boxes, clicks that follow the errors, words, or none of these. Prints a table and writes
    results.json, rows.csv (every answer) and report.html (slices, curves, the worst and best answers drawn).

    --tasks track scores trackers on video: J, F and their mean as DAVIS measures them, identity switches, times lost
    and found again, phantom masks, flicker and speed.
    """
    wanted, beside = list(options.read_names(tasks)), list(options.read_names(baselines))
    where = out or (None if as_json else DEFAULT_OUT)
    if "track" in wanted:
        if baseline is not None:
            raise typer.BadParameter("--baseline is for pictures; with track, give --model twice")
        if wanted != ["track"]:
            raise typer.BadParameter("--tasks: track is asked by itself, because its data are videos")
        chosen = _Chosen(model or [settings.MODEL.get()], device, precision, backend, closer is True)
        _evaluate_tracks(
            data,
            chosen,
            beside,
            start=start,
            budget=budget or "default",
            images=images,
            limit=limit,
            where=where,
            as_json=as_json,
        )
        return
    if images is not None or budget is not None or start != "mask":
        raise typer.BadParameter("--start, --budget and --images are for --tasks track")

    from maskwright.evaluate import BASELINES, check_tasks, open_baselines

    try:
        check_tasks(wanted)
        if baseline in BASELINES:
            beside = list(dict.fromkeys([*beside, baseline]))
        open_baselines(beside)
    except SettingError as error:
        raise typer.BadParameter(f"--tasks and --baselines: {error}") from error
    names = model or [settings.MODEL.get()]
    dataset = (_side_of(data, names, split) if split else _opened(data)).take(limit)

    from maskwright.workflows.scoring import score_models

    if baseline is not None and baseline not in BASELINES:
        names = [baseline, *(name for name in names if name != baseline)]
        if len(names) == 1:
            raise typer.BadParameter(f"--baseline is the --model itself ({baseline}); name another to compare with it")
    models = {name: options.open_model(name, device, precision, backend) for name in names}
    with progress_bar(dataset.name, quiet=as_json) as progress:
        scored = score_models(
            models,
            dataset,
            tasks=wanted,
            baselines=beside,
            baseline=baseline,
            closer=closer,
            out=where,
            command=shlex.join(["maskwright", *sys.argv[1:]]),
            progress=progress,
        )
    for note in scored.evaluation.notes:
        tell(f"note: {note}")
    if as_json:
        typer.echo(json.dumps(scored.results))
        return
    typer.echo(scored.as_text())
    tell(f"{scored.evaluation.num_pictures} pictures, {scored.evaluation.num_objects} objects -> {scored.report}")


def _opened(data: str) -> "Dataset":
    """Open labelled pictures, or the accepted masks of a store."""
    from maskwright.workflows.labelled import open_labelled
    from maskwright.workflows.training_data import read_training_data

    is_store = (Path(data) / "store.json").is_file()
    return read_training_data(data).dataset() if is_store else open_labelled(data)


def _side_of(data: str, names: list[str], side: str) -> "Dataset":
    """Open the episodes that the fine-tuned one of the models had on a side of its split."""
    from maskwright.models.tuned import tuned_file
    from maskwright.workflows.training_data import one_side, read_training_data

    tuned = [path for name in names if (path := Path(name).expanduser()).exists() and tuned_file(path) is not None]
    if len(tuned) != 1:
        raise typer.BadParameter(f"--split is of one fine-tuned --model; got {len(tuned)} of these")
    return one_side(read_training_data(data), tuned[0], side).dataset()


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The models that were asked for, and how they run."""

    names: list[str]
    device: str | None
    precision: str | None
    backend: str | None
    closer: bool


def _evaluate_tracks(
    data: str,
    chosen: _Chosen,
    baselines: list[str],
    *,
    start: str,
    budget: str,
    images: Path | None,
    limit: int | None,
    where: Path | None,
    as_json: bool,
) -> None:
    from maskwright.evaluate.tracking import Start, check_start
    from maskwright.predict.tracking import tracker_settings
    from maskwright.workflows.track_scoring import check_baselines, score_trackers
    from maskwright.workflows.tracked_sequences import open_tracked

    try:
        check_baselines(baselines)
        check_start(start)
        tracker_settings(budget)
    except SettingError as error:
        raise typer.BadParameter(f"--baselines, --start and --budget: {error}") from error
    sequences = open_tracked(Path(data), images=images)[:limit]
    models = {
        name: options.open_any_model(name, chosen.device, chosen.precision, chosen.backend) for name in chosen.names
    }
    name = Path(data).resolve().name
    with progress_bar(name, quiet=as_json) as progress:
        scored = score_trackers(
            models,
            sequences,
            dataset=name,
            baselines=baselines,
            start=cast(Start, start),
            budget=budget,
            closer=chosen.closer,
            out=where,
            command=shlex.join(["maskwright", *sys.argv[1:]]),
            progress=progress,
        )
    for note in scored.evaluation.notes:
        tell(f"note: {note}")
    if as_json:
        typer.echo(json.dumps(scored.results))
        return
    typer.echo(scored.as_text())
    found = scored.evaluation
    tell(f"{len(found.sequences)} videos, {found.num_frames} frames -> {scored.report}")
