"""`maskwright track`: objects named once, followed through every frame of a recording, into a store."""

import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.progress import duration, frame_progress
from maskwright.cli.report import progress_bar, tell, tell_some
from maskwright.cli.track_objects import WrittenPrompt, parse_objects
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import InputError, PromptError, SettingError

if TYPE_CHECKING:
    from maskwright.workflows.annotate_plan import Footage, Selection
    from maskwright.workflows.track_prompts import TrackPrompt
    from maskwright.workflows.track_session import TrackedSource
    from maskwright.workflows.tracked_sources import TrackedBefore

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(
    epilog="Example: maskwright track episode.mp4 --box 120,80,260,300:mug --point 400,220:gripper -o masks",
    no_args_is_help=True,
)
def track(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A video, folder, LeRobot or RLDS data set, log; or a store that was tracked into."
        ),
    ],
    at: Annotated[
        int | None, typer.Option("--at", metavar="N", min=0, help="Frame of the prompts below; default: the first.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option("--point", "-p", metavar="X,Y:NAME", help="A pixel on the object; may be repeated."),
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option("--negative", "-n", metavar="X,Y:NAME", help="A pixel that is not on the object."),
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option("--box", "-b", metavar="X1,Y1,X2,Y2:NAME", help="A box around the object.")
    ] = None,
    mask: Annotated[
        list[str] | None, typer.Option("--mask", metavar="FILE:NAME", help="Its mask, white on black; taken as it is.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="WORDS[:NAME]", help="Words, for models that take them.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="FILE", help="JSON of objects by frame: docs/guides/track.md.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Prompts take the place of keyframes that are on their frames.")
    ] = False,
    tracks: Annotated[
        list[str] | None, typer.Option("--track", metavar="NAME", help="Only this track; repeatable.")
    ] = None,
    first: Annotated[int, typer.Option("--from", metavar="N", min=0, help="First frame to track on.")] = 0,
    last: Annotated[
        int | None, typer.Option("--to", metavar="N", min=0, help="Last frame to track on; default: the last there is.")
    ] = None,
    episodes: options.Episodes = None,
    cameras: options.Cameras = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="NAME|MS", help="fast, default, accurate, or milliseconds a frame."),
    ] = None,
    find_new: Annotated[
        int | None,
        typer.Option("--find-new", metavar="N", min=0, help="Every N frames look for objects that have no track."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option("--overlay", metavar="FILE.mp4", help="Also write a video with the masks drawn in.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Who tracks; goes into each mask's provenance.")
    ] = None,
    collector: options.Collector = None,
    licence: options.Licence = None,
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="STORE", help="The mask store; made if nothing is there. Default: masks."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a source on stdout.")] = False,
) -> None:
    """Follow objects through every frame: name each once, on any frame, and get a mask on all of them.

    A prompt is WHAT:NAME, on the frame of --at; 80@WHAT:NAME is on frame 80, and NAME=LABEL has another label than its
    name. The same command goes on where it stopped. After corrections, by prompts on other frames or in review, it does
    again what they change, up to the next keyframes; maskwright track STORE does so for all that was tracked there.
    """
    written = parse_objects(
        points=point or (), negatives=negative or (), boxes=box or (), masks=mask or (), texts=text or ()
    )
    is_store = (source / "store.json").exists()
    if is_store and out is not None:
        raise typer.BadParameter("SOURCE is a store, which is tracked into itself; leave --out out")
    if is_store and (first or last is not None or episodes or cameras):
        raise typer.BadParameter(
            f"a store is tracked where it was before; to choose frames, name the source: -o {source}"
        )

    from maskwright.workflows.annotate_plan import Footage, Selection
    from maskwright.workflows.tracked_sources import TrackedBefore, tracked_before

    if is_store:
        before = tracked_before(source)
        if (written or prompts) and len({one.path for one in before}) > 1:
            raise typer.BadParameter(f"prompts are about one source, and {source} has several; name the source")
    else:
        try:
            selection = Selection(
                episodes=_names(episodes), cameras=_names(cameras), start=first, stop=None if last is None else last + 1
            )
        except SettingError:
            raise typer.BadParameter(f"--from must not lie after --to, got {first} and {last}") from None
        before = [TrackedBefore(path=source, selection=selection, options={})]
    footages = {path: Footage.open(path) for path in dict.fromkeys(one.path for one in before)}
    _refuse_volumes(footages)
    said = _place(written, prompts, at, footages[before[0].path], before[0].selection)
    if not (said or find_new or is_store or (out or options.DEFAULT_OUT).exists()):
        raise typer.BadParameter(
            "say which objects to follow: --box X1,Y1,X2,Y2:NAME, --point X,Y:NAME, ... or --find-new N"
        )
    known = before[0].options
    tracking = _open(
        model or known.get("model"),
        device,
        precision,
        backend,
        budget=budget or known.get("budget") or "default",
        find_new=known.get("find_new", 0) if find_new is None else find_new,
    )
    where = _Where(tracking, source if is_store else out or options.DEFAULT_OUT, as_json)
    for number, one in enumerate(before):
        where.track(
            footages[one.path],
            one,
            said if number == 0 else [],
            tracks=tracks or None,
            replace=replace,
            people={"actor": actor, "collector": collector, "licence": licence},
        )
    if overlay is not None:
        where.draw(footages[before[0].path], before[0].selection, overlay)


class _Where:
    """What is the same for all sources."""

    def __init__(self, tracking: Any, out: Path, as_json: bool) -> None:
        self.tracking, self.out, self.as_json = tracking, out, as_json

    def track(
        self,
        footage: "Footage",
        before: "TrackedBefore",
        said: "list[TrackPrompt]",
        *,
        tracks: list[str] | None,
        replace: bool,
        people: dict[str, str | None],
    ) -> None:
        """Track one source and tell what came of it."""
        from maskwright.workflows.track import People, track

        last: Any = None
        with frame_progress(footage.source.name, quiet=self.as_json) as show:

            def progress(at: Any) -> None:
                nonlocal last
                last = at
                show(at)

            try:
                done = track(
                    self.tracking,
                    footage,
                    self.out,
                    prompts=said,
                    selection=before.selection,
                    tracks=tracks,
                    replace=replace,
                    people=People(**people),
                    command=shlex.join(["maskwright", *sys.argv[1:]]),
                    progress=progress,
                )
            except KeyboardInterrupt:
                if last is not None:
                    tell(f"stopped after {last.num_masks} masks; the same command goes on from there: {self.out}")
                raise
        if self.as_json:
            typer.echo(json.dumps(_as_json(done)))
        else:
            _tell(done)

    def draw(self, footage: "Footage", selection: "Selection", overlay: Path) -> None:
        """Write the overlay video."""
        from maskwright.store import open_store
        from maskwright.workflows.track_video import write_track_video

        quiet = nullcontext(lambda done, total: None)
        with (
            open_store(self.out, read_only=True) as store,
            quiet if self.as_json else progress_bar(f"drawing {overlay}", quiet=False) as progress,
        ):
            num_frames = write_track_video(store, footage, selection, overlay, progress=progress)
        tell(f"{num_frames} frames -> {overlay}")


def _open(
    model: str | None, device: str | None, precision: str | None, backend: str | None, *, budget: str, find_new: int
) -> Any:
    from maskwright.workflows.tracking import open_tracking

    network = options.open_any_model(model, device, precision, backend)
    return open_tracking(network, model_name=model or settings.MODEL.get(), budget=budget, find_new=find_new)


def _refuse_volumes(footages: "Mapping[Path, Footage]") -> None:
    """Send volumes to their own verb: its prompts are in voxels, and it writes labels on the volume's grid."""
    from maskwright.datasets.volume_slices import VolumeSlices

    for path, footage in footages.items():
        if isinstance(footage.source, VolumeSlices):
            raise InputError(
                "expected a video or pictures, got a volume, which has a command of its own: maskwright volume "
                f"{shlex.quote(str(path))} --at N --box X1,Y1,X2,Y2:NAME -o labels.nii.gz"
            )


def _names(text: str | None) -> tuple[str, ...] | None:
    """Split a list of names at its commas; None where there is no list."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _place(
    written: list[WrittenPrompt], file: Path | None, at: int | None, footage: "Footage", selection: "Selection"
) -> "list[TrackPrompt]":
    """Give prompts their frames: those of the command line are of the one recording that is selected."""
    from maskwright.workflows.track_prompt_file import read_track_prompts
    from maskwright.workflows.track_prompts import TrackPrompt

    found = [] if file is None else read_track_prompts(file, footage.names)
    if not written:
        return found
    recordings = selection.recordings(footage.source)
    if len(recordings) != 1:
        raise typer.BadParameter(
            f"prompts are about one recording, and {len(recordings)} are selected. Name one with --episodes and "
            "--cameras, or use --prompts FILE"
        )
    episode, camera = recordings[0]
    default = selection.start if at is None else at
    try:
        return found + [
            TrackPrompt(
                place=(episode.key, camera, default if one.frame is None else one.frame),
                track=one.track,
                prompt=one.prompt,
                label=one.label,
            )
            for one in written
        ]
    except PromptError as error:
        raise typer.BadParameter(str(error)) from error


def _tell(done: "TrackedSource") -> None:
    names = ", ".join(done.tracks[:6]) + (", ..." if len(done.tracks) > 6 else "")
    kept = f", {done.num_replaced} older ones replaced" if done.num_replaced else ""
    rate = f", {done.num_masks / done.seconds:.3g} masks/s" if done.num_masks and done.seconds else ""
    made = f"{done.num_keyframes} keyframes, {done.num_masks} masks propagated{kept}"
    is_idle = not (done.num_keyframes or done.num_masks or done.num_replaced)
    told = "everything is up to date" if is_idle and done.tracks else made
    tell(
        f"{done.dataset}: {len(done.tracks)} tracks ({names or 'none'}): {told} "
        f"({duration(done.seconds)}{rate}) -> {done.store}"
    )
    tell_some("skipped", [f"{one.name}: {one.reason}" for one in done.skipped])
    tell_some("note", done.notes)


def _as_json(done: "TrackedSource") -> dict[str, Any]:
    return {
        "dataset": done.dataset,
        "store": str(done.store),
        "run": done.run,
        "tracks": list(done.tracks),
        "num_keyframes": done.num_keyframes,
        "num_masks": done.num_masks,
        "num_replaced": done.num_replaced,
        "seconds": round(done.seconds, 3),
        "cuts": list(done.cuts),
        "skipped": [{"frame": one.name, "reason": one.reason, "num_frames": one.num_frames} for one in done.skipped],
        "notes": list(done.notes),
    }
