"""labelme: a JSON a picture beside it. Read only: polygons and masks; circles, lines and points are told as lost.

Shapes with one `group_id` and label are one object, as labelme's own converters take them. A picture may stand inside
the JSON; it is used where there is no file.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from maskwright.core.errors import InputError, MaskError, RecordError
from maskwright.core.image import Image
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import load_json
from maskwright.datasets.json_folder import frames_of_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import finish
from maskwright.datasets.picture_files import PictureFinder
from maskwright.masks import encode, from_coco_polygons, paste, union

_EXPECTED = "expected a JSON of labelme, an object with shapes and imagePath"


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a JSON, or all of a folder.

    Raises:
        InputError: there is none, or none is of labelme.
    """
    importer = Importer.of(path, "labelme", log)
    read_file = partial(_frame, images=images, importer=importer)
    return frames_of_json(path, read_file, expected=_EXPECTED, log=log)


def _frame(file: Path, folder: PurePosixPath, *, images: Path | None, importer: Importer) -> LabelledFrame:
    content = load_json(file, what="the JSON of labelme")
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not isinstance(content.get("imagePath"), str):
        raise RecordError(f"{_EXPECTED}: {file}")
    picture = PurePosixPath(content["imagePath"].replace("\\", "/")).name
    pictures = PictureFinder((file.parent, *PictureFinder.beside(file, images).folders))
    size_hw = _size_hw(content, pictures.size_hw(picture), file)
    frame = LabelledFrame(
        name=(folder / picture).as_posix(),
        size_hw=size_hw,
        open_image=_opener(content, picture, pictures, importer.log),
    )
    groups: dict[Any, list[Any]] = {}
    for number, shape in enumerate(shapes):
        group = shape.get("group_id") if isinstance(shape, Mapping) else None
        key = number if group is None else (str(group), str(shape.get("label")))
        groups.setdefault(key, []).append(shape)
    masks = [_mask(group, f"{frame.name}#{i}", frame, importer) for i, group in enumerate(groups.values())]
    return finish(frame, [one for one in masks if one is not None], importer)


def _size_hw(content: Mapping[str, Any], actual: SizeHW | None, file: Path) -> SizeHW:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if not isinstance(height, int) or not isinstance(width, int) or height < 1 or width < 1:
        if actual is None:
            raise RecordError(f"imageHeight and imageWidth must be whole numbers, got {height!r}, {width!r}: {file}")
        return actual
    if actual not in (None, (height, width)):
        raise RecordError(f"the file says (h, w) {(height, width)}, the picture is {actual}: {file}")
    return height, width


def _opener(
    content: Mapping[str, Any], picture: str, pictures: PictureFinder, log: LossLog
) -> Callable[[], Image] | None:
    inside = content.get("imageData")
    if pictures.find(picture) is None and isinstance(inside, str) and inside:
        return partial(_read_inside, inside)
    return pictures.opener(picture, log)


def _read_inside(text: str) -> Image:
    try:
        return read_image(base64.b64decode(text))
    except (binascii.Error, ValueError) as error:
        raise InputError(f"the picture inside the JSON cannot be read ({error})") from None


def _mask(group: list[Any], item: str, frame: LabelledFrame, importer: Importer) -> ResolvedRecord | None:
    drawn: list[RLE] = []
    for shape in group:
        try:
            rle = _draw(shape, frame.size_hw)
        except MaskError as error:
            importer.log.skip(item, str(error))
            continue
        if rle is None:
            importer.log.lose(f"shapes of the kind {shape.get('shape_type')}, which are no masks", item)
        else:
            drawn.append(rle)
    if not drawn:
        return None
    label = next((str(shape["label"]) for shape in group if isinstance(shape, Mapping) and shape.get("label")), None)
    return importer.mask(union(drawn), item=item, label=label)


def _draw(shape: Any, size_hw: SizeHW) -> RLE | None:
    if not isinstance(shape, Mapping):
        raise MaskError(f"a shape must be an object, got {type(shape).__name__}")
    kind: Any = shape.get("shape_type") or "polygon"
    points: Any = shape.get("points")
    if kind not in ("polygon", "mask"):
        return None
    try:
        flat = [float(value) for x, y in points for value in (x, y)]
    except (TypeError, ValueError):
        raise MaskError(f"points must be a list of x, y, got {points!r:.60}") from None
    return from_coco_polygons([flat], size_hw) if kind == "polygon" else _paste_mask(shape.get("mask"), flat, size_hw)


def _paste_mask(content: Any, corners: list[float], size_hw: SizeHW) -> RLE:
    """Place a mask, which labelme keeps as a PNG of its box, at the box's first corner."""
    try:
        bitmap = read_image(base64.b64decode(content)).pixels[:, :, 0] > 0
    except (TypeError, ValueError) as error:  # ImageError is a ValueError
        raise MaskError(f"the mask inside the shape cannot be read ({error})") from None
    if len(corners) < 2 or not np.isfinite(corners).all():
        raise MaskError(f"a mask must have the corners of its box, got {corners!r:.60}")
    return paste(encode(bitmap), size_hw, at_xy=(round(corners[0]), round(corners[1])))


__all__ = ["read"]
