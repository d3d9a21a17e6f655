"""`open_volume`: a NIfTI file, a folder with a DICOM series, a DICOM file of many frames, or a TIFF stack.

The libraries underneath (nibabel, pydicom, tifffile) are an extra and imported when a file of theirs is opened.
"""

import importlib.util
from pathlib import Path

from maskwright.core.errors import ImageError, InputError, SettingError
from maskwright.core.settings import MAX_PIXELS
from maskwright.datasets.volume import Volume, axis_name

NIFTI_SUFFIXES = (".nii", ".nii.gz")
TIFF_SUFFIXES = (".tif", ".tiff", ".btf")


def open_volume(path: str | Path, *, series: str | None = None, number: int | None = None) -> Volume:
    """Open a volume; nothing but headers is read.

    `series` is the SeriesInstanceUID of one of several DICOM series in a folder. `number` is which volume of several
    in one file: time points, channels or phases, from 0.

    Raises:
        InputError: there is nothing there, it is no volume or damaged, or it holds several and none was chosen.
        SettingError: the one that was chosen is not there, or a library is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no such file or folder: {path}")
    kind = _kind(path)
    if series is not None and kind != "dicom":
        raise SettingError(f"only DICOM has series, this is {kind}. Leave the series out: {path}")
    if kind == "nifti":
        _need("nibabel")
        from maskwright.datasets.volume_nifti import open_nifti

        volume = open_nifti(path, number=number)
    elif kind == "tiff":
        _need("tifffile")
        from maskwright.datasets.volume_tiff import open_tiff

        volume = open_tiff(path, number=number)
    else:
        _need("pydicom")
        from maskwright.datasets.volume_dicom import open_dicom

        volume = open_dicom(path, series=series, number=number)
    _check_slices(volume)
    return volume


def volume_stem(path: Path) -> str:
    """Name of a file without its suffixes: ct for ct.nii.gz."""
    name = path.name
    for suffix in (*NIFTI_SUFFIXES, ".ome.tif", ".ome.tiff", *TIFF_SUFFIXES, ".dcm"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name or "volume"


def describe_volume(volume: Volume) -> list[str]:
    """Say what a volume is, a line each."""
    axes = [
        f"{'xyz'[axis]}: {count} voxels of {spacing:.4g} mm"
        + ("" if not volume.has_orientation else f", {name} slices")
        for axis, (count, spacing) in enumerate(zip(volume.shape, volume.spacing_mm, strict=True))
        for name in (axis_name(volume, axis),)
    ]
    window = [f"window {volume.window.center:g}/{volume.window.width:g}"] if volume.window else []
    native = f"slices along {'xyz'[volume.native_axis]}, {volume.voxels.dtype}"
    return [f"{volume.name}: {volume.format}, {native}", *axes, *window, *(f"note: {note}" for note in volume.notes)]


def _kind(path: Path) -> str:
    name = path.name.lower()
    if path.is_dir():
        return "dicom"
    if name.endswith(NIFTI_SUFFIXES):
        return "nifti"
    if name.endswith(TIFF_SUFFIXES):
        return "tiff"
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError as error:
        raise InputError(f"the file cannot be opened ({error.strerror}): {path}") from error
    if head[128:] == b"DICM" or name.endswith(".dcm"):
        return "dicom"
    raise InputError(f"not a volume: expected NIfTI (.nii, .nii.gz), a TIFF stack, or a folder of DICOM slices: {path}")


def _need(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise SettingError(f"volumes of this kind need {library}. Install it: pip install 'maskwright[volumes]'")


def _check_slices(volume: Volume) -> None:
    i, j, k = volume.shape
    if max(i * j, i * k, j * k) > MAX_PIXELS.get():
        raise ImageError(
            f"a slice of the volume {i} x {j} x {k} has more pixels than the limit of {MAX_PIXELS.get():,}. "
            f"If you trust it, raise {MAX_PIXELS.env}: {volume.path}"
        )


__all__ = ["NIFTI_SUFFIXES", "TIFF_SUFFIXES", "describe_volume", "open_volume", "volume_stem"]
