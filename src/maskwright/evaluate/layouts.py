"""Data sets on disk: which layout a path has, and how its pictures and masks are read.

    DIR/images + DIR/masks                     equal names; also DIR/JPEGImages + DIR/Annotations (DAVIS)
    DIR/images + DIR/masks + DIR/objects.json  labelled scenes: names, colours, materials, occlusion
    DIR/X.jpg + DIR/X_mask.png                 a picture beside its mask
    FILE.json                                  COCO: polygons or run lengths

In a mask file 0 is background and every other value one object; 255 beside other values is "do not count", as in VOC
and DAVIS. A mask in colours is one object. Folders within folders are looked through.
"""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt16
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from maskwright.core.errors import InputError, MaskError
from maskwright.datasets.images import find_images, read_image
from maskwright.evaluate.coco_file import open_coco
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource, TrueObject, keep_visible
from maskwright.evaluate.scene_labels import SceneLabel, is_scene_folder, read_scene_labels
from maskwright.masks import encode

_VOID = 255
_FOLDERS = (("images", "masks"), ("JPEGImages", "Annotations"))
_EXPECTED = (
    "expected images/X.jpg with masks/X.png, JPEGImages with Annotations, X.jpg with X_mask.png, or a COCO .json"
)


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Find the labelled pictures of a folder or a COCO file. Nothing is decoded yet.

    Raises:
        InputError: no picture has a mask.
        ImageError: there is no such folder.
        RecordError: a JSON file is damaged.
    """
    root = Path(path)
    if root.suffix.lower() == ".json":
        return open_coco(root)
    labels = read_scene_labels(root) if is_scene_folder(root) else {}
    sources = tuple(
        PictureSource(name=name, read=partial(_read, name, picture, mask, labels.get(picture.name)))
        for name, picture, mask in _pairs(root)
        if not labels or picture.name in labels
    )
    if not sources:
        raise InputError(f"no picture has a mask; {_EXPECTED}: {root}")
    names = sorted({label.name for scene in labels.values() for label in scene.values() if label.name})
    return Dataset(name=root.resolve().name, sources=sources, names=tuple(names))


def _pairs(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """List (name, picture, mask): the name is the picture's path below its folder, without suffix."""
    for pictures, masks in _FOLDERS:
        if (root / pictures).is_dir() and (root / masks).is_dir():
            names = _by_name(root / masks)
            for name, picture in _by_name(root / pictures).items():
                if name in names:
                    yield name, picture, names[name]
            return
    found = _by_name(root)
    for name, picture in found.items():
        if f"{name}_mask" in found:
            yield name, picture, found[f"{name}_mask"]


def _by_name(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in find_images(folder)}


def _read(name: str, picture: Path, mask: Path, labels: Mapping[int, SceneLabel] | None) -> LabelledPicture:
    image = read_image(picture)
    values = _mask_values(mask)
    if values.shape != image.size_hw:
        raise InputError(f"the mask is {values.shape}, its picture {image.size_hw}; both must agree: {mask}")
    found = _objects(values) if labels is None else ((i, values == i) for i in labels)
    objects = [
        TrueObject(key=f"{name}#{i}", mask=encode(bitmap), **({} if labels is None else labels[i].as_known()))
        for i, bitmap in found
    ]
    return LabelledPicture(name=name, image=image, objects=keep_visible(objects))


def _mask_values(path: Path) -> UInt16[np.ndarray, "H W"]:
    """Read a mask file's values: palette indices or grey levels; a mask in colour counts as one object."""
    try:
        with PillowImage.open(path) as picture:
            if picture.mode in ("P", "L") or picture.mode.startswith("I"):
                return np.asarray(picture).astype(np.uint16)
            return (np.asarray(picture.convert("RGB")).max(-1) > 127).astype(np.uint16)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise MaskError(f"the mask is damaged ({error}): {path}") from None


def _objects(values: UInt16[np.ndarray, "H W"]) -> Iterator[tuple[int, Bool[np.ndarray, "H W"]]]:
    present = [int(value) for value in np.unique(values) if value]
    if len(present) > 8 and present[-1] == _VOID:  # a grey-level mask with soft edges
        values, present = (values > 127).astype(np.uint16), [1]
    if len(present) > 1 and _VOID in present:
        present.remove(_VOID)
    yield from ((value, values == value) for value in present)


__all__ = ["open_dataset"]
