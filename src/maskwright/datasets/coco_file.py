"""A COCO file of instances as it stands: pictures, their annotations and the names of categories.

The file is read whole, since its annotations stand in any order; masks are drawn when they are asked for. What reads it
into frames is `coco`; `evaluate` reads it picture by picture.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import MaskError, RecordError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.json_files import load_json
from maskwright.masks import from_coco, from_coco_polygons

WHAT = "the COCO file"
_EXPECTED = "expected a COCO file, an object with images and annotations"


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFile:
    """`annotations` by the id of their picture; `names` by the id of the category."""

    path: Path
    pictures: tuple[Mapping[str, Any], ...]
    annotations: Mapping[Any, Sequence[Mapping[str, Any]]]
    names: Mapping[Any, str]
    notes: Mapping[str, Any]

    def name_of(self, annotation: Mapping[str, Any]) -> str | None:
        """The name of an annotation's category, None where the file has none."""
        category = annotation.get("category_id")
        return self.names.get(category) if isinstance(category, Hashable) else None


def load_coco(path: Path) -> CocoFile:
    """Read a COCO file; its masks are not looked at.

    Raises:
        InputError: there is no such file.
        RecordError: it is damaged, or not COCO's.
    """
    content = load_json(path, what=WHAT)
    if not isinstance(content, dict):
        raise RecordError(f"{_EXPECTED}: {path}")
    try:
        by_picture: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for one in content["annotations"]:
            by_picture[one["image_id"]].append(one)
        return CocoFile(
            path=path,
            pictures=tuple(map(_picture, content["images"])),
            annotations=dict(by_picture),
            names={one["id"]: str(one["name"]) for one in content.get("categories", ())},
            notes=_notes_of_predict(content),
        )
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"expected COCO's images, annotations and categories: {what}: {path}") from None


def _picture(one: Mapping[str, Any]) -> dict[str, Any]:
    hash(one["id"])  # a TypeError here is one of the file, not of ours later
    return {**one, "file_name": str(one["file_name"])}


def is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Tell whether an annotation is a crowd, which is not one object."""
    return bool(annotation.get("iscrowd"))


def draw_mask(segmentation: Any, size_hw: SizeHW) -> RLE:
    """Draw polygons or run lengths, compressed or not.

    Raises:
        MaskError: they are malformed, or of another size than their picture.
    """
    mask = from_coco(segmentation) if isinstance(segmentation, Mapping) else from_coco_polygons(segmentation, size_hw)
    if mask.size_hw != size_hw:
        raise MaskError(f"the mask is {mask.size_hw}, its picture {size_hw}; both must agree")
    return mask


def _notes_of_predict(content: Mapping[str, Any]) -> dict[str, Any]:
    """Find the records that `maskwright predict` writes whole beside its annotations, by their ids."""
    ours = content.get("maskwright")
    records = ours.get("records", ()) if isinstance(ours, Mapping) else ()
    return {one["id"]: one for one in records if isinstance(one, Mapping) and isinstance(one.get("id"), str)}


__all__ = ["CocoFile", "draw_mask", "is_crowd", "load_coco"]
