"""Data sets on disk: which layout a path has, and how its pictures and masks are read.

    DIR/images + DIR/masks                     equal names; also DIR/JPEGImages + DIR/Annotations (DAVIS)
    DIR/images + DIR/masks + DIR/objects.json  labelled scenes: names, colours, materials, occlusion
    DIR/X.jpg + DIR/X_mask.png                 a picture beside its mask, or masks: X_mask_1.png, X_mask_2.png
    FILE.json                                  COCO: polygons or run lengths

Which mask goes with which picture is told by `datasets.mask_pairs`, what its values mean by `datasets.mask_files`. A
mask in colours is one object.
"""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from maskwright.core import Image
from maskwright.core.errors import InputError
from maskwright.datasets.images import read_image
from maskwright.datasets.mask_files import objects_in, read_values
from maskwright.datasets.mask_pairs import MaskedPicture, pair_masks
from maskwright.evaluate.coco_file import open_coco
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource, TrueObject, keep_visible
from maskwright.evaluate.scene_labels import SceneLabel, is_scene_folder, read_scene_episodes, read_scene_labels
from maskwright.masks import encode

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
    episodes = read_scene_episodes(root) if labels else {}
    sources = tuple(
        PictureSource(
            name=pair.name,
            read=partial(_read, pair, pair.picture, labels.get(pair.picture.name)),
            episode=episodes.get(pair.picture.name),
        )
        for pair in pair_masks(root)
        if pair.picture is not None and (not labels or pair.picture.name in labels)
    )
    if not sources:
        raise InputError(f"no picture has a mask; {_EXPECTED}: {root}")
    names = sorted({label.name for scene in labels.values() for label in scene.values() if label.name})
    return Dataset(name=root.resolve().name, sources=sources, names=tuple(names))


def _read(pair: MaskedPicture, picture: Path, labels: Mapping[int, SceneLabel] | None) -> LabelledPicture:
    image = read_image(picture)
    objects = [
        TrueObject(key=f"{pair.name}#{key}", mask=encode(bitmap), **known)
        for number, mask in enumerate(pair.masks)
        for key, bitmap, known in _objects(mask, image, labels, "" if len(pair.masks) == 1 else f"{number + 1}.")
    ]
    return LabelledPicture(name=pair.name, image=image, objects=keep_visible(objects))


def _objects(
    mask: Path, image: Image, labels: Mapping[int, SceneLabel] | None, prefix: str
) -> Iterator[tuple[str, Bool[np.ndarray, "H W"], dict[str, Any]]]:
    values = read_values(mask)
    if values.shape != image.size_hw:
        raise InputError(f"the mask is {values.shape}, its picture {image.size_hw}; both must agree: {mask}")
    if labels is None:
        yield from ((f"{prefix}{value}", bitmap, {}) for value, bitmap in objects_in(values))
    else:
        yield from ((f"{prefix}{value}", values == value, one.as_known()) for value, one in labels.items())


__all__ = ["open_dataset"]
