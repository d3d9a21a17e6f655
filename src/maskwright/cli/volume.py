"""`maskwright volume`: objects followed through a CT, MR or microscopy volume from the slices they are shown on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.track_objects import parse_objects
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.cli.track_objects import WrittenPrompt
    from maskwright.core import Prompt
    from maskwright.datasets.volume import Volume
    from maskwright.workflows.label_volume import SegmentedObject
    from maskwright.workflows.volumes import SegmentedVolume

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


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
        int | None, typer.Option("--at", metavar="N", min=0, help="The slice that the prompts below are on, from 0.")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", "-b", metavar="X1,Y1,X2,Y2:NAME", help="A box around an object, in voxels of the slice."),
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option("--point", "-p", metavar="X,Y:NAME", help="A voxel on it; may be repeated.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option("--negative", "-n", metavar="X,Y:NAME", help="A voxel that is not on it.")
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", metavar="FILE:NAME", help="Its mask on the slice, white on black; taken as it is."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="WORDS[:NAME]", help="Words, for models that take them.")
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

    Without prompts it says what the volume is. A prompt is WHAT:NAME, on the slice of --at; 60@WHAT:NAME is on slice
    60, and an object may be shown on several.
    """
    from maskwright.datasets.volume_files import open_volume

    said = parse_objects(
        points=point or (), negatives=negative or (), boxes=box or (), masks=mask or (), texts=text or ()
    )
    written = by_slice(said, at)
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


def by_slice(said: "Sequence[WrittenPrompt]", at: int | None) -> "dict[int, dict[str, Prompt]]":
    """Sort prompts by slice and object.

    Raises:
        typer.BadParameter: a prompt is on no slice, an object is shown twice on one, or has a label beside its name.
    """
    prompts: dict[int, dict[str, Prompt]] = {}
    for one in said:
        index = at if one.frame is None else one.frame
        if index is None:
            raise typer.BadParameter(f"say which slice {one.track!r} is shown on: --at N, or N@WHAT:{one.track}")
        if one.label is not None:
            raise typer.BadParameter(f"labels of a volume have one name each; leave ={one.label} out")
        if one.track in prompts.setdefault(index, {}):
            raise typer.BadParameter(f"{one.track!r} is shown twice on slice {index}; leave out --at or {index}@")
        prompts[index][one.track] = one.prompt
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


def _line(one: "SegmentedObject") -> str:
    if one.first_slice is None:
        return f"{one.name}: not found"
    where = f"slices {one.first_slice} to {one.last_slice}, confidence {one.confidence:.2f}"
    return f"{one.name}: {one.num_voxels:,} voxels, {one.volume_ml:.4g} ml, {where}"


def _answer(done: "SegmentedVolume", out: Path, beside: Path) -> dict[str, object]:
    from maskwright.core import to_json

    return {"objects": to_json(done.objects), "labels": str(out), "names": str(beside)}
