"""Label volumes to files: NIfTI on the grid of the source, or a TIFF stack; a JSON beside it names the labels.

A NIfTI source lends its header's own affines, codes and unit, so that the masks lie on it to the bit; for DICOM and
TIFF the affine is that of the volume (RAS). The same JSON is in a comment extension of the NIfTI. Files are written
under other names and renamed when they are whole; what exists is not replaced.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt

from maskwright.core.errors import SettingError
from maskwright.datasets.new_folder import new_file
from maskwright.datasets.volume import Volume
from maskwright.datasets.volume_files import NIFTI_SUFFIXES, TIFF_SUFFIXES, volume_stem
from maskwright.datasets.volume_nifti import load_nifti

_COMMENT = 6  # NIfTI's code of an extension with plain text
_UNSHEARED = 1e-4


def write_labels(
    labels: UInt[np.ndarray, "i j k"],
    names: Mapping[int, str],
    volume: Volume,
    out: Path,
    *,
    story: Mapping[str, Any] | None = None,
) -> Path:
    """Write labels on the grid of `volume` to `out` (.nii, .nii.gz, .tif), and give the path of the JSON beside it.

    `names` says what each number but 0 is called; `story` goes into the JSON: how the labels came to be.

    Raises:
        SettingError: the suffix is another, one of the files exists, or cannot be written; or the labels have another
            shape than the volume.
    """
    check_target(out)
    if labels.shape != volume.shape:
        raise SettingError(f"labels must have the volume's shape {volume.shape}, got {labels.shape}")
    text = json.dumps(
        {
            "labels": {str(number): name for number, name in names.items()},
            "source": volume.path.name,
            "affine_ras_mm": np.asarray(volume.affine).tolist(),
            **(story or {}),
        },
        indent=1,
    )
    beside = names_path(out)
    with new_file(out) as part, new_file(beside) as json_part:
        json_part.write_text(text + "\n")
        if out.name.lower().endswith(NIFTI_SUFFIXES):
            with _opened(part, is_zipped=out.name.lower().endswith(".gz")) as file:
                _write_nifti(labels, text, volume, file)
        else:
            _write_tiff(labels, volume, part)
    return beside


def check_target(out: Path) -> None:
    """Refuse a path that labels cannot be written to, before any work is done.

    Raises:
        SettingError: the suffix is unknown, or there is a file already.
    """
    if not out.name.lower().endswith((*NIFTI_SUFFIXES, *TIFF_SUFFIXES)):
        raise SettingError(f"labels are written as .nii, .nii.gz or .tif; give such a name: {out}")
    for path in (out, names_path(out)):
        if path.exists():
            raise SettingError(f"the file to write exists already. Choose another name or remove it: {path}")


def names_path(out: Path) -> Path:
    """The JSON beside a label file: liver.json for liver.nii.gz."""
    return out.with_name(f"{volume_stem(out)}.json")


@contextmanager
def _opened(path: Path, *, is_zipped: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not is_zipped:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as zipped:
            # A file to write bytes to, though typeshed does not derive it from BinaryIO.
            yield zipped  # pyrefly: ignore[invalid-yield]


def _write_nifti(labels: np.ndarray, text: str, volume: Volume, file: BinaryIO) -> None:
    import nibabel
    from nibabel.nifti1 import Nifti1Extension

    image: Any = nibabel.Nifti1Image(labels, np.asarray(volume.affine))
    header = image.header
    if volume.format == "nifti":
        source: Any = load_nifti(volume.path)
        image.set_sform(source.affine, int(source.header["sform_code"]), update_affine=False)
        header["pixdim"][:4] = source.header["pixdim"][:4]
        for name in (
            "xyzt_units",
            "qform_code",
            "quatern_b",
            "quatern_c",
            "quatern_d",
            "qoffset_x",
            "qoffset_y",
            "qoffset_z",
        ):
            header[name] = source.header[name]
        for row in ("srow_x", "srow_y", "srow_z"):
            header[row] = source.header[row]
    else:
        code = "scanner" if volume.has_orientation else "aligned"
        header.set_xyzt_units("mm")
        image.set_sform(volume.affine, code)
        image.set_qform(volume.affine, code if _is_unsheared(volume) else "unknown")
    header.set_intent("label")
    header.extensions.append(Nifti1Extension(_COMMENT, text.encode()))
    _stream_nifti(image, labels, file)


def _stream_nifti(image: Any, labels: np.ndarray, file: BinaryIO) -> None:
    """Write header, extensions, then one slice after the other: k is the slowest axis of the file."""
    header = image.header
    header.set_data_offset(352 + header.extensions.get_sizeondisk())
    header.set_slope_inter(1, 0)
    header.write_to(file)
    for k in range(labels.shape[2]):
        file.write(np.asfortranarray(labels[:, :, k]).astype(header.get_data_dtype()).tobytes(order="F"))


def _is_unsheared(volume: Volume) -> bool:
    directions = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    return bool(np.allclose(directions.T @ directions, np.eye(3), atol=_UNSHEARED))


def _write_tiff(labels: np.ndarray, volume: Volume, path: Path) -> None:
    import tifffile

    i, j, k = labels.shape
    x, y, z = volume.spacing_mm
    tifffile.imwrite(
        path,
        (np.ascontiguousarray(labels[:, :, at].T) for at in range(k)),
        shape=(k, j, i),
        dtype=labels.dtype,
        imagej=True,
        resolution=(1 / x, 1 / y),
        metadata={"axes": "ZYX", "spacing": z, "unit": "mm"},
    )


__all__ = ["check_target", "names_path", "write_labels"]
