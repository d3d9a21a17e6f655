"""Options that several verbs share, and how their text becomes values. A text that cannot be read is a usage error."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.core import settings
from maskwright.core.errors import MaskwrightError, SettingError

if TYPE_CHECKING:
    from maskwright.datasets import Intensity
    from maskwright.masks import CleanupStep
    from maskwright.models import Model, VideoModel
    from maskwright.predict import EmbeddingCache
    from maskwright.workflows.pictures import Picture


def _help(setting: settings.Setting) -> str:
    return f"{setting.help} [env: {setting.env}; default: {setting.default_text}]"


ENGINES = ("local", "ray")

Images = Annotated[
    list[str], typer.Argument(metavar="IMAGE", help="Pictures, folders of pictures, or example:tabletop.")
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|FILE",
        help="A registered model (maskwright models list) or a checkpoint file. "
        f"[env: {settings.MODEL.env}; default: {settings.MODEL.default_text}]",
    ),
]
Device = Annotated[str | None, typer.Option("--device", metavar="DEVICE", help=_help(settings.DEVICE))]
Devices = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help=f"{settings.DEVICE.help} Several, as cuda:0,cuda:1, share the frames. "
        f"[env: {settings.DEVICE.env}; default: {settings.DEVICE.default_text}]",
    ),
]
Precision = Annotated[str | None, typer.Option("--precision", metavar="NAME", help=_help(settings.PRECISION))]
Backend = Annotated[str | None, typer.Option("--backend", metavar="NAME", help=_help(settings.BACKEND))]
LowMemory = Annotated[bool, typer.Option("--low-memory", help=_help(settings.LOW_MEMORY))]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help="Where to write; masks/ unless --json is given alone."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object a picture on stdout; without --out no file is written.")
]
EngineName = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="local, or ray (pip install 'maskwright[ray]').")
]
Address = Annotated[
    str | None, typer.Option("--address", metavar="ADDRESS", help="Of a Ray cluster; default: one on this machine.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, help="Copies of the model on Ray; default: one a GPU.")
]
Episodes = Annotated[
    str | None,
    typer.Option("--episodes", metavar="LIST", help="Some episodes: names, positions from 0, or ranges 2-5."),
]
Cameras = Annotated[str | None, typer.Option("--cameras", metavar="LIST", help="Some cameras, by name.")]
Collector = Annotated[str | None, typer.Option("--collector", metavar="NAME", help="Who recorded the frames.")]
Licence = Annotated[
    str | None,
    typer.Option("--licence", metavar="TERMS", help="Terms of the frames; default: as the data set says."),
]
HeldOut = Annotated[
    str | None,
    typer.Option("--test", metavar="SOURCE", help="Held-out data to score on, instead of some of the episodes."),
]
General = Annotated[
    str | None,
    typer.Option("--general", metavar="SOURCE", help="What must not be forgotten; without, painted scenes."),
]
MovedImages = Annotated[
    Path | None, typer.Option("--images", metavar="PATH", help="Where the pictures are, if they moved.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither look embeddings up on disk nor keep them there.")]
WindowText = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="CENTER/WIDTH",
        help="Grayscale through a window: 40/400, or soft-tissue, lung, bone, brain, liver, mediastinum.",
    ),
]
PercentileText = Annotated[
    str | None,
    typer.Option("--percentile", metavar="LOW,HIGH", help="Grayscale from these percentiles of the picture: 0.5,99.5."),
]
FrameNumber = Annotated[
    int | None, typer.Option("--frame", metavar="N", help="Which frame of an animated or multi-page picture, from 0.")
]
Cleanup = Annotated[
    str | None,
    typer.Option("--cleanup", metavar="STEPS", help="Steps applied to each mask: fill_holes=100,drop_islands=50"),
]

Closer = Annotated[
    bool | None,
    typer.Option(
        "--closer/--no-closer",
        help="Look at small objects again from near: one more encoding each. Default: as the model's card says.",
    ),
]

MinBelief = Annotated[
    float | None,
    typer.Option(
        "--min-belief",
        metavar="0-1",
        min=0.0,
        max=1.0,
        help="Predicted IoU from which words alone are answered; 0 shows every guess. Default: the model card's.",
    ),
]

DEFAULT_OUT = Path("masks")


def read_pictures(images: list[str], window: str | None, percentile: str | None, frame: int | None) -> "list[Picture]":
    """List the pictures that the arguments stand for."""
    from maskwright.workflows.pictures import find_pictures

    return find_pictures(images, intensity=read_intensity(window, percentile), frame=frame)


def read_intensity(window: str | None, percentile: str | None) -> "Intensity | None":
    """Read --window or --percentile."""
    from maskwright.datasets import parse_percentiles, parse_window

    if window is not None and percentile is not None:
        raise typer.BadParameter("--window and --percentile exclude each other; give one")
    try:
        if window is not None:
            return parse_window(window)
        return None if percentile is None else parse_percentiles(percentile)
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error


def read_cleanup(text: str | None) -> "tuple[CleanupStep, ...]":
    """Read --cleanup."""
    from maskwright.masks.cleanup import parse_steps

    try:
        return parse_steps(text or "")
    except MaskwrightError as error:
        raise typer.BadParameter(f"--cleanup: {error}") from error


def open_model(
    model: str | None,
    device: str | None,
    precision: str | None,
    backend: str | None = None,
    *,
    low_memory: bool = False,
) -> "Model":
    """Load the model that the options and settings name."""
    from maskwright.models import load_model

    return load_model(
        model or settings.MODEL.get(),
        device=device or settings.DEVICE.get(),
        precision=precision or settings.PRECISION.get(),
        backend=backend or settings.BACKEND.get(),
        low_memory=low_memory or settings.LOW_MEMORY.get(),
    )


def open_any_model(
    model: str | None, device: str | None, precision: str | None, backend: str | None = None
) -> "Model | VideoModel":
    """Load the model that the options and settings name, which may be one that only follows objects through video."""
    from maskwright.models import load_video_model
    from maskwright.models.transformers_video.loading import names_video_model

    name = model or settings.MODEL.get()
    if not names_video_model(name):
        return open_model(model, device, precision, backend)
    return load_video_model(
        name, device=device or settings.DEVICE.get(), precision=precision or settings.PRECISION.get()
    )


def open_cache(no_cache: bool) -> "EmbeddingCache | None":
    """Open the embedding cache, unless it is not wanted."""
    from maskwright.workflows.predict_files import open_cache

    return None if no_cache else open_cache()


def read_names(text: str | None) -> tuple[str, ...]:
    """Split a list of names at its commas; none where there is no list."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def read_devices(device: str | None) -> list[str]:
    """Read the devices that are to share the work, of the option or the setting.

    Raises:
        BadParameter: one is missing between commas.
    """
    told = device or settings.DEVICE.get()
    devices = [one.strip() for one in told.split(",")]
    if not all(devices):
        raise typer.BadParameter(f"--device must be a device, or several as cuda:0,cuda:1; got {told!r}")
    return devices


def check_engine(engine: str, address: str | None, workers: int | None) -> None:
    """Check that what was said of an engine fits it."""
    if engine not in ENGINES:
        raise typer.BadParameter(f"--engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    if engine == "local" and (address is not None or workers is not None):
        raise typer.BadParameter("--address and --workers are for --engine ray")


def where_to_write(out: Path | None, as_json: bool) -> Path | None:
    """Decide the folder: the one named, none with --json alone, else masks/."""
    return out or (None if as_json else DEFAULT_OUT)


__all__ = [
    "DEFAULT_OUT",
    "ENGINES",
    "Address",
    "AsJson",
    "Backend",
    "Cameras",
    "Cleanup",
    "Collector",
    "Device",
    "Devices",
    "EngineName",
    "Episodes",
    "FrameNumber",
    "Images",
    "Licence",
    "ModelName",
    "NoCache",
    "Out",
    "PercentileText",
    "Precision",
    "WindowText",
    "Workers",
    "check_engine",
    "open_any_model",
    "open_cache",
    "open_model",
    "read_cleanup",
    "read_devices",
    "read_intensity",
    "read_names",
    "read_pictures",
    "where_to_write",
]
