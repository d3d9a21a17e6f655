"""A COCO file of instances as data to be scored on: polygons or run lengths, one category name an object.

Pictures lie beside the file, in an `images` folder beside it, or in one beside its folder. Crowds are left out: they
are not one object.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.core import RLE, SizeHW
from maskwright.core.errors import InputError, MaskError, RecordError
from maskwright.datasets.images import read_image
from maskwright.evaluate.dataset import Dataset, LabelledPicture, PictureSource, TrueObject, keep_visible
from maskwright.masks import from_coco, from_coco_polygons


def open_coco(path: Path) -> Dataset:
    """Open a COCO file; pictures without objects are left out, and masks are drawn when their picture is read.

    Raises:
        InputError: there is no such file, or no picture has an object.
        RecordError: it is damaged, or not COCO's.
    """
    content = _load(path)
    try:
        names = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
        objects: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for one in content["annotations"]:
            if not one.get("iscrowd") and one.get("segmentation"):
                objects[one["image_id"]].append(one)
        sources = tuple(
            PictureSource(name=picture["file_name"], read=partial(_read, path, picture, objects[picture["id"]], names))
            for picture in content["images"]
            if picture["id"] in objects
        )
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"expected COCO's images, annotations and categories: {what}: {path}") from None
    if not sources:
        raise InputError(f"no picture of this COCO file has an object with a mask: {path}")
    return Dataset(name=path.stem, sources=sources, names=tuple(sorted(set(names.values()))))


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"there is no such file: {path}") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"the COCO file cannot be read ({error}): {path}") from None
    if not isinstance(content, dict):
        raise RecordError(f"expected a COCO file, an object with images and annotations: {path}")
    return content


def _read(
    path: Path, picture: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], names: Mapping[Any, str]
) -> LabelledPicture:
    file_name = str(picture["file_name"])
    image = read_image(_find_picture(path, file_name))
    objects = [
        TrueObject(
            key=f"{file_name}#{one.get('id', i)}",
            mask=_mask(one["segmentation"], image.size_hw, path),
            name=names.get(one.get("category_id")),
        )
        for i, one in enumerate(annotations)
    ]
    return LabelledPicture(name=file_name, image=image, objects=keep_visible(objects))


def _mask(segmentation: Any, size_hw: SizeHW, path: Path) -> RLE:
    mask = from_coco(segmentation) if isinstance(segmentation, Mapping) else from_coco_polygons(segmentation, size_hw)
    if mask.size_hw != size_hw:
        raise MaskError(f"the mask is {mask.size_hw}, its picture {size_hw}; both must agree: {path}")
    return mask


def _find_picture(path: Path, file_name: str) -> Path:
    places = (path.parent, path.parent / "images", path.parent.parent / "images", path.parent.parent / path.stem)
    return next((found for place in places if (found := place / file_name).is_file()), path.parent / file_name)


__all__ = ["open_coco"]
