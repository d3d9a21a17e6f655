"""`maskwright everything`: every mask in a picture."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell, tell_picture, work_through
from maskwright.cli.verbs import CONTEXT
from maskwright.core.errors import SettingError
from maskwright.models.cards import TINY, ModelCard

if TYPE_CHECKING:
    from maskwright.predict.everything_settings import EverythingSettings
    from maskwright.workflows.pictures import Picture

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright everything example:tabletop --preset fast -o masks", no_args_is_help=True)
def everything(
    images: options.Images,
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="fast, balanced or thorough.")] = "balanced",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a value of the preset by its name in SAM's mask generator: points_per_side=64. Repeatable.",
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
    """Find every mask in pictures, without prompts.

    Writes for each picture one JSON (COCO and full records) and an overlay picture.
    """
    read_settings(preset, changes or [])  # what is wrong in them is told before a model is loaded
    steps = options.read_cleanup(cleanup)
    pictures = options.read_pictures(images, window, percentile, frame)

    from maskwright.workflows.predict_files import everything_file

    network = options.open_model(model, device, precision, backend, low_memory=low_memory)
    settings = read_settings(preset, changes or [], network.card)
    cache = options.open_cache(no_cache)

    def work(picture: "Picture") -> None:
        with progress_bar(picture.path.name, quiet=as_json) as progress:
            done = everything_file(
                network,
                picture,
                settings=settings,
                cleanup=steps,
                cache=cache,
                progress=progress,
                out=options.where_to_write(out, as_json),
            )
        tell_picture(done, as_json=as_json)
        if not done.records:
            tell(f"Let more through, for example: {looser(settings)}")

    work_through(pictures, work)


def looser(settings: "EverythingSettings") -> str:
    """Write options that let more masks through than `settings` do."""
    iou, stability = (max(0.0, value - 0.15) for value in (settings.pred_iou_thresh, settings.stability_score_thresh))
    return f"--set pred_iou_thresh={iou:.2g} --set stability_score_thresh={stability:.2g}"


def read_settings(preset: str, changes: list[str], card: ModelCard = TINY) -> "EverythingSettings":
    """Read --preset and --set; the thresholds that --set leaves alone are those of the model.

    Raises:
        typer.BadParameter: there is no such preset or value, or the value cannot be read.
    """
    from maskwright.predict.everything_settings import PRESETS, preset_for

    if preset not in PRESETS:
        raise typer.BadParameter(f"--preset must be one of {', '.join(PRESETS)}; got {preset!r}")
    base = preset_for(card, preset)
    numbers = {
        field.name: type(value)
        for field in dataclasses.fields(base)
        if isinstance(value := getattr(base, field.name), int | float)
    }
    changed: dict[str, Any] = {}
    for text in changes:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in numbers:
            raise typer.BadParameter(f"--set takes NAME=VALUE with NAME one of {', '.join(numbers)}; got {text!r}")
        try:
            changed[name] = numbers[name](value)
        except ValueError as error:
            kind = "a whole number" if numbers[name] is int else "a number"
            raise typer.BadParameter(f"--set {name} must be {kind}; got {value!r}") from error
    try:
        return dataclasses.replace(base, **changed)
    except SettingError as error:
        raise typer.BadParameter(f"--set: {error}") from error
