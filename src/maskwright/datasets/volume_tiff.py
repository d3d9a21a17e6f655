"""TIFF stacks by tifffile: pages are slices; spacing comes from ImageJ's or OME's metadata.

A stack without spacing is taken as 1 x 1 x 1 mm and says so. TIFF knows no orientation; the affine is what ITK makes of
it (x to the patient's left, y to the back, z up), so that masks written as NIfTI lie over the stack in 3D Slicer and
ITK-SNAP. Compressions that tifffile leaves to other libraries (LZW, JPEG) are decoded by Pillow.
"""

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from PIL import Image as PillowImage

from maskwright.core.errors import InputError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.volume import ArrayVoxels, SliceVoxels, Spacing, Volume, Voxels
from maskwright.datasets.volume_files import volume_stem
from maskwright.datasets.volume_nifti import check_number

_MM = {
    "m": 1000.0, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "inch": 25.4, "in": 25.4,
    "µm": 1e-3, "um": 1e-3, "micron": 1e-3, "micrometer": 1e-3, "nm": 1e-6, "nanometer": 1e-6,
}  # fmt: skip
_NO_SPACING = "the file says no spacing; voxels are taken as 1 x 1 x 1 mm"


def open_tiff(path: Path, *, number: int | None = None) -> Volume:
    """Open a TIFF stack; see `open_volume`."""
    import tifffile

    with told_as_damage("the TIFF", path), tifffile.TiffFile(path) as tif:
        series = max(tif.series, key=lambda one: one.size)
        axes, shape = str(series.axes), tuple(int(side) for side in series.shape)
        spacing, notes = _spacing(tif)
        if len(tif.series) > 1:
            notes = (*notes, f"of {len(tif.series)} pictures of different sizes in the file the largest is taken")
    slices_axis = _slices_axis(axes, shape, path)
    others = [at for at in range(len(shape) - 2) if at != slices_axis]
    counts = [shape[at] for at in others]
    check_number(prod(counts), number, path, of=f" ({axes}: {' x '.join(map(str, shape))})")
    place = dict(zip(others, (int(at) for at in np.unravel_index(number or 0, counts)), strict=True)) if others else {}
    x, y, z = spacing
    return Volume(
        name=volume_stem(path),
        path=path,
        format="tiff",
        affine=np.diag([-x, -y, z, 1.0]),
        voxels=_voxels(path, tif, series, slices_axis, place),
        has_orientation=False,
        notes=notes,
    )


def _slices_axis(axes: str, shape: tuple[int, ...], path: Path) -> int:
    """Find the axis of slices: Z, else the last one before the picture."""
    if axes.endswith("S") or not axes.endswith("YX"):
        raise InputError(
            f"expected a stack of grayscale pictures, the TIFF has the axes {axes}. Split it first: {path}"
        )
    if len(shape) < 3:
        raise InputError(f"expected a stack of slices, the TIFF has one picture. Use predict for it: {path}")
    return axes.index("Z") if "Z" in axes else len(shape) - 3


def _voxels(path: Path, tif: Any, series: Any, slices_axis: int, place: dict[int, int]) -> Voxels:
    shape = tuple(int(side) for side in series.shape)
    dtype = np.dtype(series.dtype)
    if dtype.kind not in "uif":
        raise InputError(f"expected a number a voxel, the TIFF has values of type {dtype}: {path}")
    size = (shape[-1], shape[-2], shape[slices_axis])
    if series.dataoffset is not None:
        offset, order = int(series.dataoffset), tif.byteorder

        def load() -> np.ndarray:
            with told_as_damage("the TIFF", path):
                mapped = np.memmap(path, dtype.newbyteorder(order), "r", offset, shape)
                return mapped[tuple(place.get(at, slice(None)) for at in range(len(shape)))].T

        return ArrayVoxels(size, dtype, load)
    if len(series.pages) != prod(shape[:-2]):
        raise InputError(f"the TIFF keeps its slices in a way that cannot be read one by one. Save it anew: {path}")

    def page_of(k: int) -> int:
        at = [k if axis == slices_axis else place[axis] for axis in range(len(shape) - 2)]
        return int(np.ravel_multi_index(at, shape[:-2]))

    return SliceVoxels(size, dtype, lambda k: _decode(path, tif, series, page_of(k)))


def _decode(path: Path, tif: Any, series: Any, page: int) -> Num[np.ndarray, "i j"]:
    handle = tif.filehandle
    with told_as_damage(f"page {page} of the TIFF", path):
        handle.open()
        try:
            values = _by_tifffile(series.pages[page])
            if values is None:
                values = _by_pillow(path, series.pages[page].index)
        finally:
            handle.close()
        if values.shape != tuple(series.shape[-2:]):
            raise ValueError(f"it has {values.shape} pixels, expected {tuple(series.shape[-2:])}")
    return values.T


def _by_tifffile(page: Any) -> np.ndarray | None:
    """Decode a page; None where tifffile would need another library for it."""
    try:
        return page.asarray()
    except ValueError as error:
        if "imagecodecs" in str(error):
            return None
        raise


def _by_pillow(path: Path, page: Any) -> np.ndarray:
    with PillowImage.open(path, formats=["TIFF"]) as picture:
        picture.seek(int(page[-1] if isinstance(page, tuple) else page))
        return np.array(picture)


def _spacing(tif: Any) -> tuple[Spacing, tuple[str, ...]]:
    """Find millimetres along x, y and z, with what to say about them."""
    found = _imagej_spacing(tif) if tif.is_imagej else _ome_spacing(tif) if tif.is_ome else None
    if found is None or not all(np.isfinite(side) and side > 0 for side in found):
        return (1.0, 1.0, 1.0), (_NO_SPACING,)
    return found, ()


def _imagej_spacing(tif: Any) -> Spacing | None:
    metadata = tif.imagej_metadata or {}
    unit = _MM.get(_unit(metadata.get("unit", "")))
    if unit is None:
        return None
    tags = tif.pages[0].tags
    x, y = (_pixels_per_unit(tags.get(name)) for name in ("XResolution", "YResolution"))
    spacing = float(metadata.get("spacing", 0) or 0)
    return unit / x, unit / y, unit * (spacing or 1 / x)


def _ome_spacing(tif: Any) -> Spacing | None:
    text = str(tif.ome_metadata)
    x, y, z = (re.search(rf'PhysicalSize{axis}="([^"]+)"', text) for axis in "XYZ")
    if x is None or y is None or z is None:
        return None
    units = [re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', text) for axis in "XYZ"]
    scales = [_MM.get(_unit(unit.group(1)) if unit else "um") for unit in units]
    if None in scales:
        return None
    x_mm, y_mm, z_mm = (float(size.group(1)) * (scale or 1.0) for size, scale in zip((x, y, z), scales, strict=True))
    return x_mm, y_mm, z_mm


def _unit(text: str) -> str:
    """Read a unit as ImageJ writes it, with an escaped or Greek mu."""
    return re.sub(r"\\u00[bB]5|μ", "µ", str(text).strip()).lower()


def _pixels_per_unit(tag: Any) -> float:
    top, bottom = (1, 1) if tag is None else tag.value
    return top / bottom if top and bottom else 1.0


__all__ = ["open_tiff"]
