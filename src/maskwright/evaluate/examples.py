"""Examples to be scored: a picture and the mask of one object in it, found in a folder.

Two layouts: FOLDER/images and FOLDER/masks with equal stems, or pictures beside masks called STEM_mask.png. In a mask
file, 0 is background and every other value is one object; 255 beside other values is "do not count", as in VOC and
DAVIS.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image as PillowImage

from maskwright.core.errors import InputError
from maskwright.core.image import Image
from maskwright.datasets.images import find_images, read_image

_VOID = 255
_LEAST_AREA = 16  # pixels; of anything smaller an IoU says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One object in one picture."""

    name: str
    image: Image
    truth: Bool[np.ndarray, "H W"]


def read_folder(folder: str | os.PathLike[str], *, limit: int | None = None) -> Iterator[Example]:
    """Read a folder's objects, one picture in memory at a time; `limit` stops after so many pictures.

    Raises:
        InputError: no picture has a mask, or a mask has another size than its picture.
        ImageError: there is no such folder, or a file in it is damaged.
    """
    pairs = _pairs(Path(folder))
    if not pairs:
        raise InputError(
            f"no picture has a mask; expected images/X.jpg with masks/X.png, or X.jpg with X_mask.png: {folder}"
        )
    for picture, mask in pairs[:limit]:
        image = read_image(picture)
        values = _mask_values(mask)
        if values.shape != image.size_hw:
            raise InputError(f"the mask is {values.shape}, its picture {image.size_hw}; both must agree: {mask}")
        for number, truth in enumerate(_objects(values)):
            yield Example(name=f"{picture.stem}#{number}", image=image, truth=truth)


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    if (root / "images").is_dir() and (root / "masks").is_dir():
        masks = {path.stem: path for path in find_images(root / "masks")}
        return [(path, masks[path.stem]) for path in find_images(root / "images") if path.stem in masks]
    found = find_images(root)
    masks = {path.stem.removesuffix("_mask"): path for path in found if path.stem.endswith("_mask")}
    return [(path, masks[path.stem]) for path in found if path.stem in masks]


def _mask_values(path: Path) -> UInt8[np.ndarray, "H W"]:
    """Read a mask file's values: palette indices or grey levels; a mask in colour counts as one object."""
    with PillowImage.open(path) as picture:
        if picture.mode in ("P", "L", "1"):
            return np.asarray(picture if picture.mode != "1" else picture.convert("L"))
        return (np.asarray(picture.convert("RGB")).max(-1) > 127).astype(np.uint8)


def _objects(values: UInt8[np.ndarray, "H W"]) -> Iterator[Bool[np.ndarray, "H W"]]:
    present = [int(value) for value in np.unique(values) if value]
    if len(present) > 8 and _VOID in present:  # a grey-level mask with soft edges
        values, present = (values > 127).astype(np.uint8), [1]
    if len(present) > 1 and _VOID in present:
        present.remove(_VOID)
    for value in present:
        truth = values == value
        if truth.sum() >= _LEAST_AREA:
            yield truth


__all__ = ["Example", "read_folder"]
