"""`maskwright pick`: the masks of a store that people should see next, on a budget."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import conditions
from maskwright.cli.options import open_model, read_names
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.review.active import PickSettings
    from maskwright.store import Query
    from maskwright.workflows.picture_vectors import PictureVectors

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

# Written out, as the rules come with numpy, which --help can do without; a test compares them.
GROUPS = ("uncertainty", "candidates", "drift", "disagreement", "novelty", "thin", "looks")


@app.command(
    epilog="Example: maskwright pick masks --budget 200 --by uncertainty,drift,thin --vectors auto",
    no_args_is_help=True,
)
@conditions.with_conditions
def pick(
    store: conditions.Store,
    *,
    asked: "Query",
    budget: Annotated[int, typer.Option("--budget", metavar="N", min=1, help="How many to pick.")] = 200,
    by: Annotated[
        str,
        typer.Option("--by", metavar="LIST", help=f"What counts, of {', '.join(GROUPS)}."),
    ] = "uncertainty,candidates,drift,disagreement",
    frames: Annotated[
        bool, typer.Option("--frames", help="The budget counts frames; each comes with all of its masks.")
    ] = False,
    per_episode: Annotated[
        int | None,
        typer.Option("--per-episode", metavar="N", min=1, help="Most of an episode; default: thrice an even share."),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            "--vectors",
            metavar="auto|MODEL|FILE",
            help="Embeddings of the pictures, for novelty and variety: made once by a model, or a .npz or .parquet.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="PATH", help="The pictures, where they were moved; for looks and --vectors."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the queue; default: picked, picked-2, ...")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a queue of that name.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Decides between equals.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the queue there as well, as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The queue on stdout, as one JSON object.")] = False,
) -> None:
    """Pick the masks that people should see next, into a queue of the review application.

    What is unsure comes first, but not two hundred neighbours of one video. Proposals are picked unless --status asks
    for others; what waits in another queue is left out.
    """
    from maskwright.review.active import Limits, PickSettings
    from maskwright.store import LISTED
    from maskwright.workflows.pick_masks import pick_masks

    statuses: Any = ("proposed",) if asked.status == LISTED else asked.status
    settings = PickSettings(
        budget=budget,
        by=read_names(by),
        limits=Limits(per_episode=per_episode),
        of_status=statuses,
        of_frames=frames,
        seed=seed,
    )
    known = _vectors(store, vectors, settings, asked, images, quiet=as_json)
    with progress_bar("measuring masks", quiet=as_json) as progress:
        done = pick_masks(
            store,
            settings,
            query=asked,
            name=name,
            replaces=replace,
            out=out,
            images=images,
            vectors=known,
            progress=progress,
        )
    if as_json:
        typer.echo(json.dumps(done.queue.as_json()))
        return
    for line in done.lines():
        typer.echo(line)
    tell(f"Walk it in the browser: maskwright review {store}, under Queues")


def _vectors(
    store: Path, named: str | None, settings: "PickSettings", asked: "Query", images: Path | None, *, quiet: bool
) -> "Path | PictureVectors | None":
    """Find the file that is meant, or have a model make what is missing."""
    from maskwright.workflows.store_vectors import is_file_of_vectors, vectors_of_store

    if named is None:
        return None
    if is_file_of_vectors(named):
        return Path(named)
    model = open_model(None if named == "auto" else named, None, None)
    has_known = "novelty" in settings.by
    with progress_bar("encoding pictures", quiet=quiet) as progress:
        made = vectors_of_store(store, model, query=asked, with_accepted=has_known, images=images, progress=progress)
    if made.num_encoded:
        tell(f"{made.num_encoded} pictures encoded by {model.card.name}; their vectors are kept for the next time")
    return made.vectors
