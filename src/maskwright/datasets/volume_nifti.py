"""NIfTI-1 and NIfTI-2 by nibabel: `.nii` is mapped, `.nii.gz` is unpacked once, at the first look.

The affine is the sform, else the qform, else nibabel's guess from the spacing, in millimetres whatever the unit of the
file; writing masks back (`volume_labels`) copies the header's own.
"""

from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import InputError, SettingError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.volume import ArrayVoxels, Volume
from maskwright.datasets.volume_files import volume_stem

_MM = {1: 1000.0, 2: 1.0, 3: 0.001}  # NIfTI's codes of metre, millimetre, micrometre


def open_nifti(path: Path, *, number: int | None = None) -> Volume:
    """Open a NIfTI file; see `open_volume`."""
    image = load_nifti(path)
    header = image.header
    shape = tuple(int(side) for side in image.shape)
    dtype = header.get_data_dtype()
    if len(shape) < 3:
        raise InputError(f"expected a volume of three axes, the NIfTI has the shape {shape}: {path}")
    if dtype.kind not in "uif":
        what = "colours" if dtype.fields else f"values of type {dtype}"
        raise InputError(f"expected a number a voxel, the NIfTI has {what}: {path}")
    chosen = _choose(shape[3:], number, path)

    def load() -> np.ndarray:
        with told_as_damage("the NIfTI file", path):
            return image.dataobj.get_unscaled()[(..., *chosen)]

    affine = np.array(image.affine, np.float64)
    affine[:3] *= _unit_mm(header)
    has_orientation = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return Volume(
        name=volume_stem(path),
        path=path,
        format="nifti",
        affine=affine,
        voxels=ArrayVoxels(
            (shape[0], shape[1], shape[2]),
            dtype.newbyteorder("="),
            load,
            slope=float(image.dataobj.slope),  # the header's own are cleared by nibabel
            intercept=float(image.dataobj.inter),
        ),
        has_orientation=has_orientation,
        notes=() if has_orientation else ("the header does not say how the volume lies in the world",),
    )


def _unit_mm(header: Any) -> float:
    """Millimetres of the file's unit; one that is unknown or not said is taken as millimetres, as all readers do."""
    return _MM.get(int(header["xyzt_units"]) & 7, 1.0)


def load_nifti(path: Path) -> Any:
    """Read the header by nibabel.

    Raises:
        InputError: it is damaged or no NIfTI.
    """
    import nibabel

    with told_as_damage("the NIfTI file", path):
        image: Any = nibabel.load(path, mmap="r")
    if not hasattr(image.header, "get_slope_inter") or "sform_code" not in image.header:
        raise InputError(f"expected NIfTI, got {type(image).__name__}: {path}")
    return image


def _choose(others: tuple[int, ...], number: int | None, path: Path) -> tuple[int, ...]:
    """Give the index along the axes after the third."""
    count = int(np.prod(others)) if others else 1
    check_number(count, number, path)
    return tuple(int(at) for at in np.unravel_index(number or 0, others, order="F")) if others else ()


def check_number(count: int, number: int | None, path: Path, *, of: str = "") -> None:
    """Refuse a file of several volumes of which none was chosen, or one that is not there.

    Raises:
        InputError: none was chosen.
        SettingError: there is no such volume.
    """
    if number is None and count > 1:
        raise InputError(f"the file holds {count} volumes{of}. Say which, 0 to {count - 1} (--volume N): {path}")
    if number is not None and not 0 <= number < count:
        there = "the only volume is 0" if count == 1 else f"volumes are 0 to {count - 1}"
        raise SettingError(f"there is no volume {number}; {there}: {path}")


__all__ = ["check_number", "load_nifti", "open_nifti"]
