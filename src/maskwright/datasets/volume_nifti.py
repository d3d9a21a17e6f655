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

_MM = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}


def open_nifti(path: Path, *, number: int | None = None) -> Volume:
    """Open a NIfTI file; see `open_volume`."""
    image = load_nifti(path)
    header = image.header
    shape = tuple(int(side) for side in image.shape)
    if len(shape) < 3:
        raise InputError(f"expected a volume of three axes, the NIfTI has the shape {shape}: {path}")
    if header.get_data_dtype().kind not in "uif":
        raise InputError(f"expected a number a voxel, the NIfTI has {_what(header.get_data_dtype())}: {path}")
    chosen = _choose(shape[3:], number, path)
    slope, intercept = image.dataobj.slope, image.dataobj.inter  # the header's own are cleared by nibabel

    def load() -> np.ndarray:
        with told_as_damage("the NIfTI file", path):
            return image.dataobj.get_unscaled()[(..., *chosen)]

    scale = _MM.get(header.get_xyzt_units()[0], 1.0)
    has_orientation = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return Volume(
        name=volume_stem(path),
        path=path,
        format="nifti",
        affine=np.diag([scale, scale, scale, 1.0]) @ np.asarray(image.affine, np.float64),
        voxels=ArrayVoxels(
            (shape[0], shape[1], shape[2]),
            header.get_data_dtype().newbyteorder("="),
            load,
            slope=float(slope),
            intercept=float(intercept),
        ),
        has_orientation=has_orientation,
        notes=() if has_orientation else ("the header does not say how the volume lies in the world",),
    )


def load_nifti(path: Path) -> Any:
    """Read the header by nibabel.

    Raises:
        InputError: it is damaged or no NIfTI.
    """
    import nibabel

    with told_as_damage("the NIfTI file", path):
        image: Any = nibabel.load(path, mmap="r")  # pyright: ignore[reportPrivateImportUsage]
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


def _what(dtype: np.dtype) -> str:
    return "colours" if dtype.fields else f"values of type {dtype}"


__all__ = ["check_number", "load_nifti", "open_nifti"]
