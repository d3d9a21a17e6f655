"""`Volume`: voxels with a place in the world, read as far as they are looked at.

Arrays are indexed i, j, k as in NIfTI: for DICOM and TIFF that is column, row, slice. The affine leads from voxel
indices to world millimetres, x to the right of the patient, y to the front, z up (RAS), whatever the file has inside.

Memory: an uncompressed NIfTI or TIFF is mapped, and only what is looked at is read. Of a DICOM series and of a
compressed TIFF one slice is decoded at a time along the native axis; across it, and for a compressed NIfTI in any
direction, the volume is read once and held, one volume and never more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, Num

from maskwright.core.errors import InputError, SettingError
from maskwright.datasets.medical import Window

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

_ANATOMICAL = ("sagittal", "coronal", "axial")  # by the world axis that the slices follow: x, y, z
_LETTERS = ("x", "y", "z")


class Voxels(Protocol):
    """Where values come from; `read` gives one slice in real units (Hounsfield units for a CT that has them)."""

    shape: Shape
    dtype: np.dtype

    def read(self, axis: int, index: int) -> Num[np.ndarray, "b c"]:
        """Read the slice `index` across `axis`, indexed by the two other axes in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """One volume of a file or series; `path` is what it was opened from.

    `native_axis` is the one that its slices were taken along. `has_orientation` is False where the file does not say
    how the volume lies in the world; its affine is then a convention. `window` is the file's own. An inverted volume
    (DICOM's MONOCHROME1) is shown white for low values. `notes` say what is odd about it, a sentence each.

    Raises:
        InputError: the affine cannot be inverted, or an axis has no voxel.
    """

    name: str
    path: Path
    format: str
    affine: Float[np.ndarray, "4 4"]
    voxels: Voxels
    native_axis: int = 2
    has_orientation: bool = True
    is_inverted: bool = False
    window: Window | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"a volume needs at least one voxel along each axis, got {self.shape}: {self.path}")
        affine = np.asarray(self.affine, np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or _flatness(affine) < 1e-6:
            raise InputError(f"the affine of the volume is damaged, it has no inverse. Repair the header: {self.path}")

    @property
    def shape(self) -> Shape:
        """Voxels along i, j and k."""
        return self.voxels.shape

    @property
    def spacing_mm(self) -> Spacing:
        """Distance between the centres of neighbouring voxels along each axis."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Millilitres of one voxel; right for sheared volumes (a tilted gantry) too."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000


class ArrayVoxels:
    """Voxels of one array, mapped or read whole by `load` at the first look; `slope` and `intercept` are applied."""

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype,
        load: Callable[[], np.ndarray],
        *,
        slope: float = 1.0,
        intercept: float = 0.0,
    ) -> None:
        self.shape = shape
        self._slope, self._intercept = slope, intercept
        self._is_plain = (slope, intercept) == (1.0, 0.0)
        self.dtype = dtype if self._is_plain else np.dtype(np.float32)
        self._load = load

    @cached_property
    def _array(self) -> Num[np.ndarray, "i j k"]:
        return self._load()

    def read(self, axis: int, index: int) -> Num[np.ndarray, "b c"]:
        """Take one slice."""
        values = np.asarray(self._array[_at(axis, index)])
        return values if self._is_plain else (values * self._slope + self._intercept).astype(np.float32)


class SliceVoxels:
    """Voxels that lie in slices along k: `decode(k)` gives one; a look across them reads all and holds them."""

    def __init__(self, shape: Shape, dtype: np.dtype, decode: Callable[[int], Num[np.ndarray, "i j"]]) -> None:
        self.shape, self.dtype = shape, dtype
        self._decode = decode

    @cached_property
    def _whole(self) -> Num[np.ndarray, "i j k"]:
        whole = np.empty(self.shape, self.dtype, order="F")
        for k in range(self.shape[2]):
            whole[:, :, k] = self._decode(k)
        return whole

    def read(self, axis: int, index: int) -> Num[np.ndarray, "b c"]:
        """Decode one slice, or cut through all of them."""
        if axis == 2 and "_whole" not in self.__dict__:
            return self._decode(index)
        return self._whole[_at(axis, index)]


def axis_name(volume: Volume, axis: int) -> str:
    """Name the slices across an axis: axial, coronal or sagittal where the file tells, else x, y or z.

    Of an oblique volume the names are those of the nearest planes.
    """
    if not volume.has_orientation:
        return _LETTERS[axis]
    return _ANATOMICAL[_world_axes(volume)[axis]]


def find_axis(volume: Volume, name: str | int | None) -> int:
    """Find an axis by number (0, 1, 2), letter (x, y, z) or plane (axial, coronal, sagittal); None is the native one.

    Raises:
        SettingError: there is no such axis, or the file does not say how the volume lies.
    """
    if name is None:
        return volume.native_axis
    text = str(name).lower()
    if text in ("0", "1", "2"):
        return int(text)
    if text in _LETTERS:
        return _LETTERS.index(text)
    if text in _ANATOMICAL and volume.has_orientation:
        return _world_axes(volume).index(_ANATOMICAL.index(text))
    if text in _ANATOMICAL:
        raise SettingError(f"the file does not say which slices are {text}. Take the axis x, y or z: {volume.path}")
    raise SettingError(f"an axis is axial, coronal, sagittal, x, y, z, 0, 1 or 2; got {name!r}")


def _flatness(affine: Float[np.ndarray, "4 4"]) -> float:
    """Give the volume that unit steps along the axes span: 1 for a grid of right angles, 0 for none."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return 0.0 if not lengths.all() else float(abs(np.linalg.det(affine[:3, :3] / lengths)))


def _world_axes(volume: Volume) -> tuple[int, ...]:
    """Pair each voxel axis with the world axis that it follows most, no two with one."""
    directions = np.abs(volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0))
    return max(permutations(range(3)), key=lambda order: sum(directions[order[axis], axis] for axis in range(3)))


def _at(axis: int, index: int) -> tuple[slice | int, ...]:
    return (*(slice(None),) * axis, index, *(slice(None),) * (2 - axis))


__all__ = ["ArrayVoxels", "Shape", "SliceVoxels", "Spacing", "Volume", "Voxels", "axis_name", "find_axis"]
