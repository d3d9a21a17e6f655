"""What DICOM files say about their slices, without their pixels: which series there are, where each slice lies.

A file of many frames (enhanced CT and MR) gives one slice a frame, from its functional groups.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import InputError, SettingError
from maskwright.datasets.damage import first_line
from maskwright.datasets.medical import Window

_TAGS = (
    "AcquisitionNumber", "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber", "Modality",
    "NumberOfFrames", "PerFrameFunctionalGroupsSequence", "PhotometricInterpretation", "PixelSpacing", "Columns",
    "RescaleIntercept", "RescaleSlope", "Rows", "SOPInstanceUID", "SeriesDescription", "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence", "SliceThickness", "TemporalPositionIdentifier", "WindowCenter", "WindowWidth",
)  # fmt: skip
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHeader:
    """One slice: where its pixels are, and where they lie in the patient (LPS millimetres, as DICOM has it).

    `spacing_yx` is between rows, then between columns. `order` sorts slices that share a position.
    """

    path: Path
    frame: int | None
    uid: str
    size_hw: tuple[int, int]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_yx: tuple[float, ...]
    order: tuple[float, ...]
    photometric: str
    slope: float = 1.0
    intercept: float = 0.0
    thickness: float | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The slices of one SeriesInstanceUID, in the order in which their files were found."""

    uid: str
    modality: str
    description: str
    slices: tuple[SliceHeader, ...]

    def __str__(self) -> str:
        what = " ".join(part for part in (self.modality, self.description) if part)
        return f"{self.uid} ({what or 'no description'}, {len(self.slices)} slices)"


def read_series(path: Path, wanted: str | None) -> tuple[Series, tuple[str, ...]]:
    """Read the headers of a folder or file and choose a series; the notes tell what was left out.

    Raises:
        InputError: there is no DICOM picture, or several series of which none was chosen.
        SettingError: the series that was chosen is not there.
    """
    headers: dict[str, list[Any]] = {}
    damaged = 0
    for file in _files(path):
        header = _header(file)
        if header is None:
            damaged += file.suffix.lower() == ".dcm"
        elif _is_picture(header):
            headers.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    if not headers:
        raise InputError(f"no DICOM picture {'here' if path.is_file() else 'in the folder'}: {path}")
    found = [_series(uid, files) for uid, files in sorted(headers.items())]
    notes = (f"{damaged} files named .dcm are not DICOM or damaged and were left out",) if damaged else ()
    return _choose(found, wanted, path), notes


def _choose(found: Sequence[Series], wanted: str | None, path: Path) -> Series:
    listed = "; ".join(map(str, found[:_MOST_LISTED])) + ("; ..." if len(found) > _MOST_LISTED else "")
    if wanted is None:
        if len(found) > 1:
            raise InputError(
                f"the folder holds {len(found)} series. Choose one by its UID (--series): {listed}: {path}"
            )
        return found[0]
    for one in found:
        if one.uid == wanted:
            return one
    raise SettingError(f"there is no series {wanted!r}; there are {listed}: {path}")


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith(".") and name != "DICOMDIR")


def _header(file: Path) -> Any | None:
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))
        except Exception:  # other files lie in such folders, and the parser raises nearly every type over them
            return None


def _is_picture(header: Any) -> bool:
    return bool(header.get("Rows")) and bool(header.get("Columns"))


def _series(uid: str, files: list[tuple[Path, Any]]) -> Series:
    first = files[0][1]
    return Series(
        uid=uid,
        modality=str(first.get("Modality", "") or ""),
        description=str(first.get("SeriesDescription", "") or ""),
        slices=tuple(one for file, header in files for one in _slices(file, header)),
    )


def _slices(file: Path, header: Any) -> Iterator[SliceHeader]:
    count = int(header.get("NumberOfFrames") or 1)
    groups = header.get("PerFrameFunctionalGroupsSequence")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not groups:
                if count > 1:
                    raise InputError(
                        f"the DICOM file has {count} frames and no places for them, so it is no volume: {file}"
                    )
                yield _slice(file, None, header, (header,))
                return
            shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
            for frame, group in enumerate(groups):
                yield _slice(file, frame, header, (group, shared, header))
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the header of a DICOM slice is damaged ({first_line(error)}). Get it again: {file}"
            ) from error


def _slice(file: Path, frame: int | None, header: Any, places: tuple[Any, ...]) -> SliceHeader:
    position = _numbers(_find(places, "PlanePositionSequence", "ImagePositionPatient"), 3)
    orientation = _numbers(_find(places, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    spacing = _numbers(_find(places, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if position is None or orientation is None or spacing is None or min(spacing) <= 0:
        raise InputError(
            "a DICOM slice does not say where it lies (position, orientation, pixel spacing), so it is no part of a "
            f"volume. Open it as a picture: {file}"
        )
    temporal = _find(places, "FrameContentSequence", "TemporalPositionIdentifier")
    order = (temporal, header.get("AcquisitionNumber"), header.get("InstanceNumber"), frame)
    thickness = _find(places, "PixelMeasuresSequence", "SliceThickness")
    return SliceHeader(
        path=file,
        frame=frame,
        uid=f"{header.get('SOPInstanceUID', file)}#{frame or 0}",
        size_hw=(int(header.Rows), int(header.Columns)),
        position=position,
        orientation=orientation,
        spacing_yx=spacing,
        order=tuple(float(value) if value not in (None, "") else 0.0 for value in order),
        photometric=str(header.get("PhotometricInterpretation", "MONOCHROME2")),
        slope=float(_or(_find(places, "PixelValueTransformationSequence", "RescaleSlope"), 1)),
        intercept=float(_or(_find(places, "PixelValueTransformationSequence", "RescaleIntercept"), 0)),
        thickness=float(thickness) if thickness else None,
        window=_window(places),
    )


def _find(places: tuple[Any, ...], sequence: str, name: str) -> Any:
    """Look a value up in the functional groups of a frame, of all frames, then in the file itself."""
    for place in places:
        inner = place.get(sequence) if place else None
        value = inner[0].get(name) if inner else place.get(name) if place else None
        if value is not None:
            return value
    return None


def _window(places: tuple[Any, ...]) -> Window | None:
    center, width = (_first(_find(places, "FrameVOILUTSequence", name)) for name in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or not np.isfinite([center, width]).all() or width < 1:
        return None
    return Window(center, width)


def _first(value: Any) -> float | None:
    if value in (None, ""):
        return None
    return float(value if isinstance(value, str | int | float) else value[0])  # a file may offer several windows


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    numbers = () if value is None or isinstance(value, str) else tuple(float(part) for part in value)
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _or(value: Any, default: float) -> Any:
    return default if value in (None, "") else value


__all__ = ["Series", "SliceHeader", "read_series"]
