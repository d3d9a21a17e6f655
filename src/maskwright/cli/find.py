"""`maskwright find`: the frames with an object that looks like a given one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.workflows.find_objects import LikeBox, LikeRecord

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(
    epilog="Example: maskwright find masks --like photo.jpg --box 120,80,260,300",
    no_args_is_help=True,
)
def find(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The mask store to look through.")],
    like: Annotated[
        str, typer.Option("--like", metavar="RECORD|IMAGE", help="A mask of the store by its id, or a picture.")
    ],
    box: Annotated[
        str | None, typer.Option("--box", metavar="X1,Y1,X2,Y2", help="Where the object is in the picture.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="Most frames to list.")] = 20,
    images: options.MovedImages = None,
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    as_json: Annotated[bool, typer.Option("--json", help="The frames as one JSON object on stdout.")] = False,
) -> None:
    """List the frames of a store with the objects that look most like a given one: score, frame, mask, label.

    The first time each picture is encoded and its masks get vectors, which are kept beside them; after that a search
    takes seconds.
    """
    wanted = _wanted(like, box)
    from maskwright.workflows.find_objects import find_objects

    network = options.open_model(model, device, precision)
    with progress_bar("encoding pictures", quiet=as_json) as progress:
        done = find_objects(store, wanted, network, limit=limit, images=images, progress=progress)
    if as_json:
        typer.echo(json.dumps(done.as_json()))
        return
    for line in done.lines():
        typer.echo(line)
    encoded = f"; {done.num_encoded} pictures encoded, kept for the next time" if done.num_encoded else ""
    tell(f"{len(done.frames)} frames by the likeness of {done.num_compared} masks{encoded}")


def _wanted(like: str, box: str | None) -> "LikeRecord | LikeBox":
    from maskwright.workflows.find_objects import LikeBox, LikeRecord

    if box is None:
        if Path(like).is_file():
            raise typer.BadParameter(f"say where the object is in the picture: --box X1,Y1,X2,Y2 with --like {like}")
        return LikeRecord(record_id=like)
    from maskwright.datasets.images import read_image

    try:
        x1, y1, x2, y2 = (float(part) for part in box.split(","))
    except ValueError:
        raise typer.BadParameter(f"--box is X1,Y1,X2,Y2 in pixels, for example 100,80,300,240; got {box!r}") from None
    return LikeBox(image=read_image(Path(like)), box_xyxy=(x1, y1, x2, y2))
