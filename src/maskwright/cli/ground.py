"""`maskwright ground`: the thing that an instruction means, by its words, its place and what it stands by."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import tell, work_through
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.models import Model
    from maskwright.workflows.ground_picture import FindIn, Grounded
    from maskwright.workflows.pictures import Picture

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_MOST_RIVALS = 3


@app.command(
    epilog='Example: maskwright ground example:tabletop "the mug on the left, next to the bowl" -o masks',
    no_args_is_help=True,
)
def ground(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture, a folder of them, or example:tabletop.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An instruction, or the description of a thing.")],
    model: options.ModelName = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="NAME|FOLDER",
            help="Find things with owlv2 or grounding-dino; the model draws them. Default: the model's own words.",
        ),
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option("--clip", metavar="NAME|FOLDER", help="Find everything, and let this CLIP say what it is."),
    ] = None,
    depth: Annotated[
        Path | None,
        typer.Option("--depth", metavar="FILE", help="Depth of the picture: PNG or TIFF, integers are millimetres."),
    ] = None,
    min_score: Annotated[
        float, typer.Option("--min-score", metavar="0..1", help="Below this, there is no such thing.")
    ] = 0.2,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    out: options.Out = None,
    as_json: options.AsJson = False,
    no_cache: options.NoCache = False,
) -> None:
    """Find the thing that an instruction means: by its words, its rank and place, and what it stands by.

    "the second red block from the left", "the mug in front of the box", "put the largest bowl on the tray".
    Left, right, front and behind are the camera's. What fits nearly as well is told, never hidden; how the text was
    read, and every thing with its reasons, is in IMAGE.grounding.json. Without a thing that fits, the exit code is 1.
    """
    pictures = options.read_pictures([image], None, None, None)
    _check_ways(detector, clip)
    find_in = _way_to_find(detector, clip, options.open_model(model, device, precision, backend), no_cache)

    from maskwright.workflows.ground_picture import ground_picture

    is_all_found = True

    def work(picture: "Picture") -> None:
        nonlocal is_all_found
        where = options.where_to_write(out, as_json)
        done = ground_picture(find_in, picture, text, depth=depth, min_score=min_score, out=where)
        _tell(done, as_json=as_json)
        is_all_found &= bool(done.records)

    work_through(pictures, work)
    if not is_all_found:
        raise typer.Exit(1)


def _check_ways(detector: str | None, clip: str | None) -> None:
    from maskwright.core.errors import SettingError

    if detector is not None and clip is not None:
        raise SettingError("give one of --detector and --clip: each says by itself what things are")


def _way_to_find(detector: str | None, clip: str | None, network: "Model", no_cache: bool) -> "FindIn":
    from maskwright.predict.grounding import things

    cache = options.open_cache(no_cache)
    place = network.device

    if detector is not None:
        from maskwright.models.detectors.loading import load_detector

        return things.by_detector(load_detector(detector, device=place), network, cache=cache)
    if clip is not None:
        from maskwright.models.detectors.clip_scorer import load_clip_scorer

        return things.by_clip(load_clip_scorer(clip, device=place), network, cache=cache)
    return things.by_words(network, cache=cache)


def _tell(done: "Grounded", *, as_json: bool) -> None:
    from maskwright.workflows.ground_picture import grounding_json

    found = done.grounding
    if as_json:
        typer.echo(json.dumps({"image": done.picture.given, **grounding_json(found, done.records)}))
        return
    tell(f"{done.picture.given}: read as {found.readings[0]!s}")
    tell(f"{done.picture.given}: {found.told} ({done.seconds:.2f} s)")
    shown = [*found.chosen, *found.rivals[:_MOST_RIVALS]] or list(found.ranked[:_MOST_RIVALS])
    for one in shown:
        mark = "*" if one in found.chosen else " "
        tell(f"  {mark} {one.score:.2f} at {_place(one.thing.rle)}: {'; '.join(map(str, one.reasons))}")
    if found.goal:
        tell(f"  to be {found.relation} what is at {_place(found.goal[0].thing.rle)} ({found.goal[0].score:.2f})")
    if done.files is not None:
        tell(f"  -> {done.files.overlays[0] if done.files.overlays else done.files.annotations}")


def _place(rle: object) -> str:
    from maskwright.core import RLE
    from maskwright.masks import box_xyxy

    assert isinstance(rle, RLE)
    return ",".join(f"{value:.0f}" for value in box_xyxy(rle))
