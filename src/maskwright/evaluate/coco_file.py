"""A COCO file of instances as data to be scored on: polygons or run lengths, one category name an object.

Pictures lie beside the file, in an `images` folder beside it, or in one beside its folder. Crowds are left out: they
are not one object.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError, MaskError
from maskwright.datasets.coco_file import CocoFile, draw_mask, is_crowd, load_coco
from maskwright.datasets.images import read_image
from maskwright.datasets.picture_files import PictureFinder
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource, TrueObject, keep_visible


def open_coco(path: Path) -> Dataset:
    """Open a COCO file; pictures without objects are left out, and masks are drawn when their picture is read.

    Raises:
        InputError: there is no such file, or no picture has an object.
        RecordError: it is damaged, or not COCO's.
    """
    file = load_coco(path)
    sources = tuple(
        PictureSource(name=picture["file_name"], read=partial(_read, file, picture, objects))
        for picture in file.pictures
        if (objects := [one for one in file.annotations.get(picture["id"], ()) if _is_object(one)])
    )
    if not sources:
        raise InputError(f"no picture of this COCO file has an object with a mask: {path}")
    return Dataset(name=path.stem, sources=sources, names=tuple(sorted(set(file.names.values()))))


def _is_object(annotation: Mapping[str, Any]) -> bool:
    return not is_crowd(annotation) and bool(annotation.get("segmentation"))


def _read(file: CocoFile, picture: Mapping[str, Any], annotations: list[Mapping[str, Any]]) -> LabelledPicture:
    name = picture["file_name"]
    found = PictureFinder.beside(file.path, None).find(name)
    image = read_image(found or file.path.parent / name)
    try:
        objects = [
            TrueObject(
                key=f"{name}#{one.get('id', i)}",
                mask=draw_mask(one["segmentation"], image.size_hw),
                name=file.name_of(one),
            )
            for i, one in enumerate(annotations)
        ]
    except MaskError as error:
        raise MaskError(f"{error}: {file.path}") from None
    return LabelledPicture(name=name, image=image, objects=keep_visible(objects))


__all__ = ["open_coco"]
