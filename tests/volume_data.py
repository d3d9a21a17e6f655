"""Volumes for tests, written by the libraries that own their formats: a box in the dark, oblique and flipped."""

from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (20, 16, 12)
BOX = (slice(4, 11), slice(6, 13), slice(3, 9))
# Turned about two axes, flipped along i, anisotropic: nothing here is right by accident.
OBLIQUE = np.array(
    [
        [-0.9 * 0.8, 0.3 * 1.1, -0.2 * 2.5, 31.0],
        [0.31 * 0.8, 0.94 * 1.1, 0.1 * 2.5, -17.5],
        [0.2 * 0.8, 0.05 * 1.1, 0.97 * 2.5, 240.25],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def box_volume(dtype: Any = np.int16, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A bright box with a little texture everywhere."""
    values = np.arange(np.prod(shape)).reshape(shape, order="F") % 7
    values[BOX] += 100
    return values.astype(dtype)


def write_nifti(path: Path, values: np.ndarray, affine: np.ndarray = OBLIQUE, **header: Any) -> Path:
    import nibabel

    image = nibabel.Nifti1Image(values, affine)
    if "unit" in header:
        image.header.set_xyzt_units(header["unit"])
    if "slope" in header:
        image.header.set_slope_inter(header["slope"], header["intercept"])
    nibabel.save(image, path)
    return path


def dicom_slice(values_yx: np.ndarray, position: Any, **changes: Any) -> Any:
    """One CT slice as a pydicom data set; `changes` set or (None) delete elements."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_ = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    elements = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "Modality": "CT",
        "SeriesDescription": "abdomen",
        "Rows": values_yx.shape[0],
        "Columns": values_yx.shape[1],
        "PixelSpacing": [1.1, 0.8],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [float(value) for value in position],
        "SliceThickness": 2.5,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": np.ascontiguousarray(values_yx, "<u2").tobytes(),
        **changes,
    }
    for name, value in elements.items():
        if value is not None:
            setattr(slice_, name, value)
    return slice_


def write_series(folder: Path, values: np.ndarray, *, names: Any = None, **changes: Any) -> Path:
    """Write i j k values as a folder of slices whose names are in no order."""
    folder.mkdir(exist_ok=True)
    count = values.shape[2]
    order = np.random.default_rng(0).permutation(count)
    for k in range(count):
        one = dicom_slice(values[:, :, k].T, (10, -20, 100 + 2.5 * k), InstanceNumber=count - k, **changes)
        one.save_as(folder / (names(k) if names else f"IM{order[k]:04d}.dcm"), enforce_file_format=True)
    return folder


def world_centre(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The centre of a mask's voxels in world millimetres."""
    return (affine @ [*np.argwhere(mask).mean(axis=0), 1.0])[:3]
