"""A DICOM series as a volume: slices sorted by where they lie, not by their names, and decoded one at a time.

Compressed slices are decoded by pydicom with Pillow and GDCM: JPEG (baseline, extended, lossless), JPEG-LS, JPEG 2000,
RLE. Rescale slope and intercept are applied slice by slice. What is odd about a series is in the volume's notes: slices
that are missing (copies of the nearest stand in for them, so that the others keep their place), that are there twice
(the first counts), or of another size. A series with every position several times is several volumes (phases, echoes).
"""

import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from maskwright.core.errors import InputError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.volume import SliceVoxels, Volume
from maskwright.datasets.volume_dicom_series import SliceHeader, read_series
from maskwright.datasets.volume_files import volume_stem
from maskwright.datasets.volume_nifti import check_number

_SAME_MM = 0.01  # positions nearer than this are one
_UNEVEN = 0.25  # of the spacing; more, and no affine holds
_MOST_MISSING = 4  # times the slices that are there; more, and the positions are wrong
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def open_dicom(path: Path, *, series: str | None = None, number: int | None = None) -> Volume:
    """Open a folder or a file of many frames; see `open_volume`."""
    chosen, notes = read_series(path, series)
    slices, of_other_kind = _of_one_kind(chosen.slices)
    slices, copies = _without_copies(slices)
    stack, doubled = _stack(slices, number, path)
    grid = _grid(stack, path)
    first = stack[0]
    _check_gray(first)
    told = [
        (of_other_kind, "slices of another size or orientation were left out"),
        (copies, "files are copies of others and were left out"),
        (doubled, "slices lie where another does; the first of each was taken"),
    ]
    height, width = first.size_hw
    return Volume(
        name=volume_stem(path),
        path=path,
        format="dicom",
        affine=_LPS_TO_RAS @ grid.affine_lps,
        voxels=SliceVoxels(
            (width, height, len(grid.sources)), np.dtype(np.float32), partial(_decode_at, stack, grid.sources)
        ),
        is_inverted=first.photometric == "MONOCHROME1",
        window=first.window,
        notes=(*notes, *(f"{count} {what}" for count, what in told if count), *grid.notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Evenly spaced places along k; `sources` says which slice is shown at each."""

    sources: tuple[int, ...]
    affine_lps: Float[np.ndarray, "4 4"]
    notes: tuple[str, ...]


def _of_one_kind(slices: tuple[SliceHeader, ...]) -> tuple[list[SliceHeader], int]:
    """Keep the slices of the commonest size, orientation and spacing: localizers lie in many series."""
    kinds = [(one.size_hw, *(round(v, 3) for v in (*one.orientation, *one.spacing_yx))) for one in slices]
    commonest = Counter(kinds).most_common(1)[0][0]
    kept = [one for one, kind in zip(slices, kinds, strict=True) if kind == commonest]
    return kept, len(slices) - len(kept)


def _without_copies(slices: list[SliceHeader]) -> tuple[list[SliceHeader], int]:
    kept = list({one.uid: one for one in reversed(slices)}.values())[::-1]
    return kept, len(slices) - len(kept)


def _stack(slices: list[SliceHeader], number: int | None, path: Path) -> tuple[list[SliceHeader], int]:
    """Sort by place along the normal and choose one slice for each place."""
    ordered = sorted(slices, key=lambda one: (_along(one), one.order, one.path.name))
    places: list[list[SliceHeader]] = []
    for one in ordered:
        if places and abs(_along(one) - _along(places[-1][0])) < _SAME_MM:
            places[-1].append(one)
        else:
            places.append([one])
    depths = {len(place) for place in places}
    count = depths.pop() if len(depths) == 1 else 1
    check_number(count, number, path, of=" (each place has as many slices: phases or echoes)")
    stack = [sorted(place, key=lambda one: one.order)[number or 0] for place in places]
    return stack, 0 if count > 1 else len(slices) - len(stack)


def _grid(stack: list[SliceHeader], path: Path) -> _Grid:
    first, last = stack[0], stack[-1]
    along = np.array([_along(one) for one in stack])
    if len(stack) == 1:
        step = _normal(first) * (first.thickness or 1.0)
        note = "there is one slice; its thickness is taken from the header"
        return _Grid(sources=(0,), affine_lps=_affine(first, step), notes=(note,))
    spacing = float(np.median(np.diff(along)))
    at = np.rint((along - along[0]) / spacing).astype(int)
    spacing = float(along[-1] - along[0]) / int(at[-1])
    off = np.abs(along - along[0] - at * spacing).max() / spacing
    if off > _UNEVEN or len(set(at.tolist())) < len(at) or at[-1] >= _MOST_MISSING * len(at):
        gaps = np.diff(along)
        raise InputError(
            f"the slices are unevenly spaced, {gaps.min():.3g} to {gaps.max():.3g} mm apart, and a volume needs even "
            f"spacing. Resample the series first: {path}"
        )
    step = (np.array(last.position) - np.array(first.position)) / int(at[-1])
    sources = np.abs(np.arange(at[-1] + 1)[:, None] - at[None, :]).argmin(axis=1)
    missing = sorted(set(range(int(at[-1]) + 1)) - set(at.tolist()))
    notes = [_missing_note(missing)] if missing else []
    if off > 0.05:
        notes.append(f"slices lie up to {off * spacing:.2g} mm beside an even spacing of {spacing:.4g} mm")
    return _Grid(sources=tuple(sources.tolist()), affine_lps=_affine(first, step), notes=tuple(notes))


def _missing_note(missing: list[int]) -> str:
    listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
    some = "slice is" if len(missing) == 1 else "slices are"
    return f"{len(missing)} {some} missing ({listed}); the nearest is shown instead"


def _affine(first: SliceHeader, step: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "4 4"]:
    """Column, row, slice to LPS. Source: DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1."""
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.orientation[:3]) * first.spacing_yx[1]
    affine[:3, 1] = np.array(first.orientation[3:]) * first.spacing_yx[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return affine


def _normal(one: SliceHeader) -> Float[np.ndarray, " 3"]:
    return np.cross(one.orientation[:3], one.orientation[3:])


def _along(one: SliceHeader) -> float:
    return float(_normal(one) @ np.array(one.position))


def _check_gray(one: SliceHeader) -> None:
    if one.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(
            f"expected grayscale slices, the DICOM series is {one.photometric}. Export pictures: {one.path}"
        )


def _decode_at(stack: list[SliceHeader], sources: tuple[int, ...], k: int) -> Num[np.ndarray, "i j"]:
    return _decode(stack[sources[k]])


def _decode(one: SliceHeader) -> Num[np.ndarray, "i j"]:
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    with told_as_damage("a DICOM slice", one.path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        syntax = pydicom.dcmread(one.path, stop_before_pixels=True, specific_tags=["Rows"]).file_meta.TransferSyntaxUID
        try:
            is_known = get_decoder(syntax).is_available
        except NotImplementedError:
            is_known = False
        if not is_known:
            raise InputError(f"the slice is compressed as {syntax.name}, which cannot be decoded here: {one.path}")
        values = pixel_array(one.path, index=one.frame)
        if values.shape != one.size_hw:
            raise InputError(f"expected {one.size_hw} pixels (h, w), the slice has {values.shape}: {one.path}")
    return (values.T * one.slope + one.intercept).astype(np.float32)


__all__ = ["open_dicom"]
