"""Options that say which masks of a store are meant; `query` and `export` share them."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.store import Query

# Written out, since `Status`, `Method` and the like come with numpy, which --help can do without; a test compares them.
STATUSES = ("proposed", "accepted", "rejected", "merged", "split")
TRACK_SOURCES = ("keyframe", "segmented", "carried")
TRACK_STATES = ("visible", "occluded", "outside")
METHODS = ("sam_raw", "sam_refined", "human_drawn", "simulator", "imported")
_ANY = "any"

Store = Annotated[Path, typer.Argument(metavar="STORE", help="A mask store.")]
BBox = Annotated[
    str | None, typer.Option("--bbox", metavar="X1,Y1,X2,Y2", help="Masks whose box shares area with this one.")
]
MinArea = Annotated[int | None, typer.Option("--min-area", metavar="N", min=0, help="Masks of at least N pixels.")]
MaxArea = Annotated[int | None, typer.Option("--max-area", metavar="N", min=0, help="Masks of at most N pixels.")]
StatusNames = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="NAME",
        help=f"{', '.join(STATUSES)} or any; repeatable. Default: proposed and accepted.",
    ),
]
Methods = Annotated[
    list[str] | None, typer.Option("--method", metavar="NAME", help=f"{', '.join(METHODS)}; repeatable.")
]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME", help="Of this label; repeatable.")]
Tracks = Annotated[list[str] | None, typer.Option("--track", metavar="NAME", help="Of this track; repeatable.")]
TrackSources = Annotated[
    list[str] | None,
    typer.Option(
        "--track-source", metavar="NAME", help=f"Came into its track as {', '.join(TRACK_SOURCES)}; repeatable."
    ),
]
TrackStates = Annotated[
    list[str] | None,
    typer.Option("--track-state", metavar="NAME", help=f"{', '.join(TRACK_STATES)}; repeatable."),
]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", metavar="NAME", help="Of this data set; repeatable.")]
Episodes = Annotated[list[str] | None, typer.Option("--episode", metavar="NAME", help="Of this episode; repeatable.")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", metavar="NAME", help="Of this camera; repeatable.")]
Frames = Annotated[str | None, typer.Option("--frame", metavar="N|N-M", help="Of this frame, or from N to M.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", "-m", metavar="NAME", help="Drawn by this model; repeatable.")
]
Verified = Annotated[
    bool | None, typer.Option("--verified/--unverified", help="Accepted by somebody as they are, or not.")
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="SQL", help='A condition over the columns of masks: "predicted_iou > 0.8".'),
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="MOMENT", help="As it was: a tag, a number, or a time with its zone.")
]


def with_conditions(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `read_query` in the place of its parameter `asked`, which gets the query."""
    options = inspect.signature(read_query).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        asked = read_query(**{name: given.pop(name) for name in options})
        command(asked=asked, **given)

    own = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += options.values() if name == "asked" else [parameter]
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    run.__dict__["__signature__"] = own.replace(parameters=keywords)  # typer reads this and the annotations
    run.__annotations__ = {one.name: one.annotation for one in keywords}
    return run


def read_query(
    *,
    bbox: BBox = None,
    min_area: MinArea = None,
    max_area: MaxArea = None,
    status: StatusNames = None,
    method: Methods = None,
    label: Labels = None,
    track: Tracks = None,
    track_source: TrackSources = None,
    track_state: TrackStates = None,
    dataset: Datasets = None,
    episode: Episodes = None,
    camera: Cameras = None,
    frame: Frames = None,
    model: Models = None,
    verified: Verified = None,
    where: Where = None,
) -> "Query":
    """Turn the options into a query.

    Raises:
        typer.BadParameter: one of them cannot be read.
    """
    from maskwright.store import ANY_STATUS, LISTED, Query

    statuses = tuple(status) if status else LISTED
    first, last = _frames(frame)
    try:
        return Query(
            bbox=None if bbox is None else _box(bbox),
            min_area=min_area,
            max_area=max_area,
            status=ANY_STATUS if _ANY in statuses else statuses,
            method=method or None,
            label=label or None,
            track=track or None,
            track_source=track_source or None,
            track_state=track_state or None,
            dataset=dataset or None,
            episode=episode or None,
            camera=camera or None,
            first_frame=first,
            last_frame=last,
            model=model or None,
            is_verified=verified,
            where=where,
        )
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--bbox is X1,Y1,X2,Y2 in pixels, for example 100,80,300,240; got {text!r}") from None
    return x1, y1, x2, y2


def _frames(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, dash, last = (part.strip() for part in text.partition("-"))
    last = last if dash else first
    if not (first.isdecimal() and last.isdecimal()):
        raise typer.BadParameter(f"--frame is a number or a range such as 10-20; got {text!r}")
    return int(first), int(last)


__all__ = ["METHODS", "STATUSES", "TRACK_SOURCES", "TRACK_STATES", "read_query", "with_conditions"]
