"""`maskwright annotate`: masks for every frame of robot data sets, videos, folders and logs, into a store."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.everything import read_settings
from maskwright.cli.progress import duration, frame_progress
from maskwright.cli.report import tell, tell_some
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.models import Model
    from maskwright.workflows.annotate import AnnotatedSource, Engine
    from maskwright.workflows.annotate_plan import Footage, Selection
    from maskwright.workflows.annotate_recipe import Task

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright annotate video.mp4 --everything --stride 10 -o masks", no_args_is_help=True)
def annotate(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE",
            help="LeRobot or RLDS data sets, videos, folders of these or of pictures, MCAP, bags, HDF5.",
        ),
    ],
    everything: Annotated[bool, typer.Option("--everything", help="Find every mask of each frame.")] = False,
    boxes: Annotated[
        Path | None,
        typer.Option("--boxes", metavar="FILE", help="JSON of boxes by frame, COCO, or a list of detections."),
    ] = None,
    points: Annotated[Path | None, typer.Option("--points", metavar="FILE", help="JSON of clicks by frame.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="WORDS", help="Words to look for on each frame; may be repeated."),
    ] = None,
    min_belief: options.MinBelief = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Of --everything: fast, balanced or thorough.")
    ] = "balanced",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change a value of the preset: points_per_side=64. Repeatable."
        ),
    ] = None,
    closer: options.Closer = None,
    depth: Annotated[
        bool,
        typer.Option("--depth", help="Correct masks by the depth of the frames, and queue those that are hard to see."),
    ] = False,
    cleanup: options.Cleanup = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="NAME", help="Label of masks that have none of their own.")
    ] = None,
    episodes: options.Episodes = None,
    cameras: options.Cameras = None,
    stride: Annotated[int, typer.Option("--stride", metavar="N", min=1, help="One frame in N.")] = 1,
    start: Annotated[int, typer.Option("--start", metavar="N", min=0, help="First frame of each episode, from 0.")] = 0,
    stop: Annotated[
        int | None, typer.Option("--stop", metavar="N", min=1, help="Frame of each episode to stop before.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Who annotates; goes into each mask's provenance.")
    ] = None,
    collector: options.Collector = None,
    licence: options.Licence = None,
    model: options.ModelName = None,
    device: options.Devices = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    engine: options.EngineName = "local",
    address: options.Address = None,
    workers: options.Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="STORE", help="The mask store; made if nothing is there.")
    ] = options.DEFAULT_OUT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a source on stdout.")] = False,
) -> None:
    """Annotate every frame of data sets, videos and folders into a mask store.

    The same command goes on where it stopped, after Ctrl+C or a kill too: no frame twice, none missing. More episodes
    or frames of the same settings join the run; other settings make another run in the same store.
    Frames that cannot be decoded are left out and listed; runs/ in the store tells the whole story as JSON.
    """
    _check(everything, boxes, points, text, num_sources=len(sources))
    options.check_engine(engine, address, workers)
    devices = options.read_devices(device)
    if engine == "ray" and len(devices) > 1:
        raise typer.BadParameter("on Ray every copy of the model gets a GPU of its own; --device takes no list there")
    read_settings(preset, changes or [])  # what is wrong in them is told before a model is loaded
    steps = options.read_cleanup(cleanup)

    from maskwright.workflows.annotate_plan import Footage, Selection

    try:
        named = [None if text is None else options.read_names(text) for text in (episodes, cameras)]
        selection = Selection(episodes=named[0], cameras=named[1], start=start, stop=stop, stride=stride)
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    footages = [Footage.open(path) for path in sources]
    prompts, notes = _read_prompts(boxes, points, footages[0])

    from maskwright.workflows.annotate_recipe import EverythingTask, Recipe, TextTask

    network = options.open_model(model, devices[0], precision, backend)
    task: Task
    if prompts is not None:
        task = prompts
    elif text:
        task = TextTask(phrases=tuple(text), min_belief=min_belief)
    else:
        task = EverythingTask(settings=read_settings(preset, changes or [], network.card))
    recipe = Recipe(
        task=task,
        cleanup=steps,
        closer=(network.card.looks_closer if closer is None else closer) and not everything,
        depth=depth,
        label=label,
        actor=actor,
        collector=collector,
        licence=licence,
    )
    runner = _engine(engine, network, model, devices, precision, backend, address, workers)
    where = _Where(network, runner, out, as_json)
    results = [where.annotate(footage, recipe, selection, notes) for footage in footages]
    if results and all(one.num_skipped and not one.num_before + one.num_frames for one in results):
        raise typer.Exit(1)


class _Where:
    """What is the same for all sources."""

    def __init__(self, model: "Model", engine: "Engine | None", out: Path, as_json: bool) -> None:
        self.model, self.engine, self.out, self.as_json = model, engine, out, as_json

    def annotate(
        self, footage: "Footage", recipe: Any, selection: "Selection", notes: tuple[str, ...]
    ) -> "AnnotatedSource":
        """Annotate one source and tell what came of it."""
        from maskwright.workflows.annotate import annotate

        last: Any = None

        with frame_progress(footage.source.name, quiet=self.as_json) as show:

            def progress(at: Any) -> None:
                nonlocal last
                last = at
                show(at)

            try:
                done = annotate(
                    self.model,
                    footage,
                    recipe,
                    self.out,
                    selection=selection,
                    engine=self.engine,
                    notes=notes,
                    command=shlex.join(["maskwright", *sys.argv[1:]]),
                    progress=progress,
                )
            except KeyboardInterrupt:
                some = f"{last.num_done} of {last.num_wanted} frames are" if last else "what was done is"
                tell(f"stopped: {some} in the store, which is whole. The same command goes on: {self.out}")
                raise
        if self.as_json:
            typer.echo(json.dumps(_as_json(done)))
        else:
            _tell(done, done.notes[len(notes) :])
        return done


def _check(
    everything: bool,
    boxes: Path | None,
    points: Path | None,
    text: list[str] | None,
    *,
    num_sources: int,
) -> None:
    given = [everything, boxes is not None, points is not None, bool(text)]
    if sum(given) != 1:
        raise typer.BadParameter(
            "say what to look for: one of --everything, --boxes FILE, --points FILE or --text WORDS"
        )
    if (boxes or points) and num_sources > 1:
        raise typer.BadParameter(f"--boxes and --points are about one SOURCE, got {num_sources}")


def _read_prompts(boxes: Path | None, points: Path | None, footage: "Footage") -> "tuple[Task | None, tuple[str, ...]]":
    if boxes is None and points is None:
        return None, ()
    from maskwright.workflows.prompt_files import read_prompts

    task, problems = read_prompts(boxes or points or Path(), "boxes" if boxes else "points", footage.names)
    tell_some("left out of the file", problems)
    return task, problems


def _engine(
    name: str,
    network: "Model",
    model: str | None,
    devices: Sequence[str],
    precision: str | None,
    backend: str | None,
    address: str | None,
    workers: int | None,
) -> "Engine | None":
    if name == "local":
        from maskwright.workflows.annotate import InProcess

        others = tuple(options.open_model(model, device, precision, backend) for device in devices[1:])
        return InProcess(network, others=others) if others else None
    from maskwright.workflows.ray_engine import RayEngine

    return RayEngine.of(
        network,
        model or settings.MODEL.get(),
        device=devices[0],
        precision=precision or settings.PRECISION.get(),
        backend=backend or settings.BACKEND.get(),
        address=address,
        num_workers=workers,
    )


def _tell(done: "AnnotatedSource", notes: tuple[str, ...]) -> None:
    before = f", {done.num_before} were done before" if done.num_before else ""
    rate = f", {done.num_frames / done.seconds:.3g} frames/s" if done.num_frames and done.seconds else ""
    if done.other_runs:
        tell(
            f"note: the store has masks of {len(done.other_runs)} other run(s) of {done.dataset}; these are beside them"
        )
    tell(
        f"{done.dataset}: {done.num_masks} masks of {done.num_frames} frames{before} "
        f"({duration(done.seconds)}{rate}) -> {done.store}"
    )
    if done.num_flagged:
        tell(f"{done.num_flagged} masks that are hard to see wait in the queue hard: maskwright review {done.store}")
    tell_some("skipped", [f"{one.name}: {one.reason}" for one in done.skipped])
    tell_some("note", notes)


def _as_json(done: "AnnotatedSource") -> dict[str, Any]:
    return {
        "dataset": done.dataset,
        "store": str(done.store),
        "run": done.run,
        "num_wanted": done.num_wanted,
        "num_before": done.num_before,
        "num_frames": done.num_frames,
        "num_masks": done.num_masks,
        "seconds": round(done.seconds, 3),
        "skipped": [{"frame": one.name, "reason": one.reason, "num_frames": one.num_frames} for one in done.skipped],
        "notes": list(done.notes),
        "other_runs": list(done.other_runs),
        **({} if done.num_flagged is None else {"num_flagged": done.num_flagged}),
    }
