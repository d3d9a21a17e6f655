"""`maskwright predict`: masks from clicks, boxes, masks or words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.objects import ObjectText, parse_object, read_prompt
from maskwright.cli.report import tell_picture, work_through
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.workflows.pictures import Picture

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(
    epilog="Example: maskwright predict example:tabletop --point 560,300 --negative 300,350 -o masks",
    no_args_is_help=True,
)
def predict(
    images: options.Images,
    point: Annotated[
        list[str] | None, typer.Option("--point", "-p", metavar="X,Y", help="A pixel on the object; may be repeated.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option("--negative", "-n", metavar="X,Y", help="A pixel that is not on the object.")
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option("--box", "-b", metavar="X1,Y1,X2,Y2", help="A box around the object.")
    ] = None,
    mask: Annotated[str | None, typer.Option("--mask", metavar="FILE", help="A rough mask, white on black.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="Words, for models that take them.")
    ] = None,
    min_belief: options.MinBelief = None,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="What the object is called.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--object", metavar="SPEC", help='Another object: "label=mug; point=500,375; negative=1,2; box=1,2,3,4".'
        ),
    ] = None,
    num_masks: Annotated[
        int, typer.Option("--num-masks", min=1, max=3, metavar="1-3", help="Candidates for each object, best first.")
    ] = 1,
    closer: options.Closer = None,
    depth: Annotated[
        Path | None,
        typer.Option(
            "--depth",
            metavar="FILE|FOLDER",
            help="Correct masks by depth that is aligned to the picture: PNG or TIFF, integers are millimetres.",
        ),
    ] = None,
    cleanup: options.Cleanup = None,
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    low_memory: options.LowMemory = False,
    window: options.WindowText = None,
    percentile: options.PercentileText = None,
    frame: options.FrameNumber = None,
    out: options.Out = None,
    as_json: options.AsJson = False,
    no_cache: options.NoCache = False,
) -> None:
    """Predict the masks of objects from clicks, boxes, masks or words, on one picture or many.

    All of --point, --negative, --box, --mask and --text speak of one object; each --object is one more.
    Writes for each picture a mask PNG an object, one JSON (COCO and full records) and an overlay picture.
    """
    simple = ObjectText(
        points=point or (), negatives=negative or (), boxes=box or (), mask=mask, text=text, label=label
    )
    written = [] if simple.is_empty and more else [simple]
    written += [parse_object(spec) for spec in more or ()]
    prompts = [read_prompt(one) for one in written]
    steps = options.read_cleanup(cleanup)
    pictures = options.read_pictures(images, window, percentile, frame)

    from maskwright.workflows.predict_files import predict_file

    network = options.open_model(model, device, precision, backend, low_memory=low_memory)
    cache = options.open_cache(no_cache)

    def work(picture: "Picture") -> None:
        done = predict_file(
            network,
            picture,
            prompts,
            labels=[one.label for one in written],
            num_masks=num_masks,
            closer=closer,
            min_belief=min_belief,
            cleanup=steps,
            depth=depth,
            cache=cache,
            out=options.where_to_write(out, as_json),
        )
        tell_picture(done, as_json=as_json)

    work_through(pictures, work)
