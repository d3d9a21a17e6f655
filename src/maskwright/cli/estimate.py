"""`maskwright estimate`: what does labelling a data set cost, by hand and assisted?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core.errors import SettingError

if TYPE_CHECKING:
    from maskwright.workflows.costs import Span
    from maskwright.workflows.throughput import Throughput

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright estimate --frames 10000 --wage 15-25 --ms-per-frame 150", no_args_is_help=True)
def estimate(
    source: Annotated[
        Path | None, typer.Argument(metavar="SOURCE", help="A robot data set, video or folder: its frames are counted.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", min=1, help="How many frames; instead of counting SOURCE.")
    ] = None,
    stride: Annotated[int, typer.Option("--stride", metavar="N", min=1, help="Count one frame in N of SOURCE.")] = 1,
    manual: Annotated[
        str | None, typer.Option("--manual", metavar="MINUTES", help="A person's minutes a frame by hand: 5-10.")
    ] = None,
    assisted: Annotated[
        str | None, typer.Option("--assisted", metavar="MINUTES", help="The same with proposals to correct: 1-2.")
    ] = None,
    wage: Annotated[str | None, typer.Option("--wage", metavar="$", help="What a person costs an hour: 15-25.")] = None,
    ms_per_frame: Annotated[
        str | None,
        typer.Option("--ms-per-frame", metavar="MS", help="The machine's time a frame; otherwise it is measured here."),
    ] = None,
    machine_price: Annotated[
        str | None, typer.Option("--machine-price", metavar="$", help="What the machine costs an hour: 0.5-4.")
    ] = None,
    masks_per_frame: Annotated[
        str | None, typer.Option("--masks-per-frame", metavar="N", help="How many masks a frame gets: 3-10.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Measure finding every mask instead of masks of boxes.")
    ] = False,
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Estimate people's time, wages, machine time and storage, as ranges, with every assumption.

    The machine's time is measured for about five seconds on SOURCE or the example picture, unless --ms-per-frame says
    it. Values are numbers or ranges such as 5-10.
    """
    from maskwright.workflows.estimate import Given, estimate_work

    given = Given(
        num_frames=frames,
        manual_minutes=_read("--manual", manual),
        assisted_minutes=_read("--assisted", assisted),
        wage=_read("--wage", wage),
        machine_ms=_read("--ms-per-frame", ms_per_frame),
        machine_price=_read("--machine-price", machine_price),
        masks_per_frame=_read("--masks-per-frame", masks_per_frame),
    )

    def measure(opened: Any) -> "Throughput":
        from maskwright.predict.everything_settings import preset_for
        from maskwright.workflows.estimate import sample_images
        from maskwright.workflows.throughput import example_images, measure_throughput

        network = options.open_model(model, device, precision)
        tell(f"measuring {network.card.name} on {network.device} for a few seconds")
        images = example_images() if opened is None else sample_images(opened)
        return measure_throughput(network, images, settings=preset_for(network.card) if everything else None)

    report = estimate_work(given, source=source, stride=stride, measure=measure)
    typer.echo(json.dumps(report.as_json()) if as_json else "\n".join(report.lines()))


def _read(name: str, text: str | None) -> "Span | None":
    from maskwright.workflows.costs import parse_span

    try:
        return None if text is None else parse_span(text)
    except SettingError as error:
        raise typer.BadParameter(f"{name}: {error}") from error
