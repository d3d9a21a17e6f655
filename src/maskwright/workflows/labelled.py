"""Labelled pictures by what a user types: a folder, a COCO file, or the example in the package with its true masks."""

import json
from pathlib import Path

from maskwright.datasets.images import read_image
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource, TrueObject
from maskwright.evaluate.layouts import open_dataset
from maskwright.masks import from_coco
from maskwright.workflows.pictures import EXAMPLE, example_path


def open_labelled(source: str) -> Dataset:
    """Open the labelled pictures of a folder, of a COCO file, or `example:tabletop`.

    Raises:
        InputError: no picture has a mask.
        ImageError: there is no such folder or example.
        RecordError: a JSON file is damaged.
    """
    return _example(example_path(source)) if source.startswith("example:") else open_dataset(source)


def _example(path: Path) -> Dataset:
    """The example as data: its objects have the last word of their label as name, so two oranges are both oranges."""
    masks = {label: from_coco(found) for label, found in json.loads(path.with_suffix(".json").read_text()).items()}
    objects = tuple(TrueObject(key=label, mask=mask, name=label.split()[-1]) for label, mask in masks.items())

    def read() -> LabelledPicture:
        return LabelledPicture(name=EXAMPLE, image=read_image(path), objects=objects)

    names = tuple(sorted({one.name for one in objects if one.name}))
    return Dataset(name=EXAMPLE, sources=(PictureSource(name=EXAMPLE, read=read),), names=names)


__all__ = ["open_labelled"]
