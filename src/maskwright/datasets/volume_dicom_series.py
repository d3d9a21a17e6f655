"""What DICOM files say about their slices, without their pixels: which series there are, where each slice lies.

A file of many frames (enhanced CT and MR) gives one slice a frame, from its functional groups.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import InputError, SettingError
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
        InputError: there is no DICOM picture with a place, or several series of which none was chosen.
        SettingError: the series that was chosen is not there.
    """
    found: dict[str, Series] = {}
    unplaced: list[Path] = []
    num_damaged = 0
    for file in _files(path):
        try:
            read = _read(file)
        except Exception:  # other files lie in such folders, and the parser raises nearly every type over them
            num_damaged += file.suffix.lower() == ".dcm"
            continue
        if read is not None and read.slices:
            before = found.get(read.uid)
            found[read.uid] = replace(read, slices=before.slices + read.slices) if before else read
        elif read is not None:
            unplaced.append(file)
    if not found and unplaced:
        raise InputError(
            "a DICOM picture that does not say where it lies (position, orientation, pixel spacing) is no part of a "
            f"volume. Open it as a picture: {unplaced[0]}"
        )
    if not found:
        raise InputError(f"no DICOM picture {'here' if path.is_file() else 'in the folder'}: {path}")
    told = [
        (num_damaged, "files named .dcm are not DICOM or damaged and were left out"),
        (len(unplaced), "pictures do not say where they lie and were left out"),
    ]
    chosen = _choose([found[uid] for uid in sorted(found)], wanted, path)
    return chosen, tuple(f"{count} {what}" for count, what in told if count)


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


def _read(file: Path) -> Series | None:
    """Read the slices of one file; None for what holds no picture."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))
        if not header.get("Rows") or not header.get("Columns"):
            return None
        return Series(
            uid=str(header.get("SeriesInstanceUID", "")),
            modality=str(header.get("Modality", "") or ""),
            description=str(header.get("SeriesDescription", "") or ""),
            slices=tuple(one for one in _slices(file, header) if one is not None),
        )


def _slices(file: Path, header: Any) -> Iterator[SliceHeader | None]:
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if groups:
        shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
        for frame, group in enumerate(groups):
            yield _slice(file, frame, header, (group, shared, header))
    elif int(header.get("NumberOfFrames") or 1) == 1:  # frames without groups have no places
        yield _slice(file, None, header, (header,))


def _slice(file: Path, frame: int | None, header: Any, places: tuple[Any, ...]) -> SliceHeader | None:
    position = _numbers(_find(places, "PlanePositionSequence", "ImagePositionPatient"), 3)
    orientation = _numbers(_find(places, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    spacing = _numbers(_find(places, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if position is None or orientation is None or spacing is None or min(spacing) <= 0:
        return None
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
