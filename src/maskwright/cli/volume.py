"""`maskwright volume`: objects followed through a CT, MR or microscopy volume from the slices they are shown on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.objects import ObjectText, read_prompt
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.core import Prompt
    from maskwright.datasets.volume import Volume
    from maskwright.workflows.label_volume import SegmentedObject
    from maskwright.workflows.volumes import SegmentedVolume

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_PLACE = "[:NAME][@SLICE]"


@app.command(
    epilog="Example: maskwright volume ct.nii.gz --axis axial --at 40 --box 120,80,260,300:liver -o liver.nii.gz",
    no_args_is_help=True,
)
def volume(
    path: Annotated[Path, typer.Argument(metavar="VOLUME", help="NIfTI, a folder of DICOM slices, or a TIFF stack.")],
    axis: Annotated[
        str | None,
        typer.Option(
            "--axis", metavar="NAME", help="axial, coronal, sagittal, or x, y, z; default: the file's slices."
        ),
    ] = None,
    at: Annotated[
        int | None, typer.Option("--at", metavar="SLICE", help="The slice that prompts are on, from 0.")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", "-b", metavar=f"X1,Y1,X2,Y2{_PLACE}", help="A box around an object, in voxels."),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option("--point", "-p", metavar=f"X,Y{_PLACE}", help="A voxel on an object; may be repeated."),
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option("--negative", "-n", metavar=f"X,Y{_PLACE}", help="A voxel that is not on the object."),
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", metavar="UID", help="Which of several DICOM series in the folder.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--volume", metavar="N", help="Which volume of a file of several, from 0.")
    ] = None,
    window: options.WindowText = None,
    percentile: Annotated[
        str | None,
        typer.Option("--percentile", metavar="LOW,HIGH", help="Grays from these percentiles of the whole volume."),
    ] = None,
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Labels to write: .nii, .nii.gz or .tif.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Follow objects through a volume, both ways from the slices that prompts are on, and write their labels.

    Without prompts it says what the volume is. Objects are told apart by their names; an object may be shown on
    several slices: --box 120,80,260,300:liver@40 --box 90,75,240,280:liver@60.
    """
    from maskwright.datasets.volume_files import open_volume

    written = read_prompts(box or (), point or (), negative or (), at)
    intensity = options.read_intensity(window, percentile)
    opened = open_volume(path, series=series, number=number)
    if not written:
        tell_volume(opened, as_json=as_json)
        return
    if out is None:
        raise typer.BadParameter("say where the labels go: --out FILE.nii.gz")
    for note in opened.notes:
        tell(f"note: {note}")

    from maskwright.datasets.volume_labels import check_target
    from maskwright.datasets.volume_slices import VolumeSlices
    from maskwright.workflows.volumes import check_prompts, segment_volume

    check_target(out)
    check_prompts(VolumeSlices(opened, axis=axis), written)
    network = options.open_model(model, device, precision)
    with progress_bar(opened.name, quiet=as_json) as progress:
        done = segment_volume(network, opened, written, axis=axis, intensity=intensity, progress=progress)
    beside = done.save(out)
    if as_json:
        typer.echo(json.dumps(_answer(done, out, beside)))
    else:
        for one in done.objects:
            tell(_line(one))
        tell(f"-> {out}, {beside}")


def read_prompts(
    boxes: Sequence[str], points: Sequence[str], negatives: Sequence[str], at: int | None
) -> "dict[int, dict[str, Prompt]]":
    """Read prompts with the names and slices behind them; those that share both speak of one object together.

    Raises:
        typer.BadParameter: a prompt cannot be read or says no slice, or an object has two boxes on one.
        PromptError: a prompt is impossible.
    """
    found: dict[tuple[int, str], dict[str, list[str]]] = {}
    for kind, texts in (("boxes", boxes), ("points", points), ("negatives", negatives)):
        for text in texts:
            numbers, index, name = _place(text, at)
            found.setdefault((index, name), {}).setdefault(kind, []).append(numbers)
    prompts: dict[int, dict[str, Prompt]] = {}
    for (index, name), parts in found.items():
        if len(parts.get("boxes", ())) > 1:
            raise typer.BadParameter(
                f"{name} has several boxes on slice {index}. Name the objects: --box X1,Y1,X2,Y2:NAME"
            )
        spoken = ObjectText(
            points=parts.get("points", ()), negatives=parts.get("negatives", ()), boxes=parts.get("boxes", ())
        )
        prompts.setdefault(index, {})[name] = read_prompt(spoken)
    return prompts


def tell_volume(volume: "Volume", *, as_json: bool) -> None:
    """Say what a volume is."""
    from maskwright.datasets.volume import axis_name
    from maskwright.datasets.volume_files import describe_volume

    if not as_json:
        typer.echo("\n".join(describe_volume(volume)))
        return
    known = {
        "name": volume.name,
        "format": volume.format,
        "shape": list(volume.shape),
        "spacing_mm": list(volume.spacing_mm),
        "axes": [axis_name(volume, axis) for axis in range(3)],
        "affine_ras_mm": volume.affine.tolist(),
        "notes": list(volume.notes),
    }
    typer.echo(json.dumps(known))


def _place(text: str, at: int | None) -> tuple[str, int, str]:
    """Take "1,2,3,4:liver@40" apart: numbers, slice, name."""
    rest, marked, slice_text = text.rpartition("@")
    numbers, _, name = (rest if marked else text).partition(":")
    if not marked and at is None:
        raise typer.BadParameter(f"say which slice the prompt is on: --at SLICE, or {text}@SLICE")
    try:
        index = int(slice_text) if marked else at
    except ValueError as error:
        raise typer.BadParameter(f"a slice is a whole number behind an @; got {text!r}") from error
    assert index is not None
    return numbers, index, name.strip() or "object"


def _line(one: "SegmentedObject") -> str:
    if one.first_slice is None:
        return f"{one.name}: not found"
    where = f"slices {one.first_slice} to {one.last_slice}, confidence {one.confidence:.2f}"
    return f"{one.name}: {one.num_voxels:,} voxels, {one.volume_ml:.4g} ml, {where}"


def _answer(done: "SegmentedVolume", out: Path, beside: Path) -> dict[str, object]:
    from maskwright.core import to_json

    return {"objects": to_json(done.objects), "labels": str(out), "names": str(beside)}
