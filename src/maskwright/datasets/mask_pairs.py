"""Which mask belongs to which picture, in folders that follow no one format.

    DIR/images/X.jpg + DIR/masks/X.png            equal names; JPEGImages + Annotations, and other folders below
    DIR/images/X.jpg + DIR/masks/X_mask_2.png     several masks of a picture, one an object
    DIR/X.jpg + DIR/X_mask.png                    a picture beside its mask; also -mask, .mask, _seg, _label, _gt
    DIR/X_mask.png                                masks without pictures

Folders within folders are looked through.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from maskwright.core.errors import ImageError
from maskwright.datasets.images import find_images

PICTURE_FOLDERS = ("images", "JPEGImages", "imgs", "rgb")
MASK_FOLDERS = ("masks", "Annotations", "SegmentationObject", "labels", "annotations", "gt", "mask")
_NAMED = re.compile(r"(?P<stem>.+?)[-_.](?:masks?|seg|labels?|gt)(?:[-_](?P<number>\d+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPicture:
    """`name` is the picture's path below its folder, without suffix; `masks` are its mask files."""

    name: str
    picture: Path | None
    masks: tuple[Path, ...]

    @property
    def file_name(self) -> str:
        """The name with the picture's suffix, where there is a picture."""
        return self.name + (self.picture.suffix if self.picture else "")


def pair_masks(root: Path, images: Path | None = None) -> list[MaskedPicture]:
    """Find the masks of a folder and their pictures, which may lie in `images`; pictures without masks are left out.

    Raises:
        ImageError: there is no such folder, or no picture file in it.
    """
    pictures, masks = _folders(root, images)
    found = _by_name(masks)
    if pictures is None:
        return _beside_each_other(found)
    return _in_two_folders(_by_name(pictures), found)


def _folders(root: Path, images: Path | None) -> tuple[Path | None, Path]:
    inner = next((root / name for name in MASK_FOLDERS if (root / name).is_dir()), None)
    if images is not None:
        return images, inner or root
    pictures = next((root / name for name in PICTURE_FOLDERS if (root / name).is_dir()), None)
    return (pictures, inner) if pictures and inner else (None, inner or root)


def _in_two_folders(pictures: dict[str, Path], masks: dict[str, Path]) -> list[MaskedPicture]:
    grouped: dict[str, list[Path]] = defaultdict(list)
    for name, path in masks.items():
        owner = name if name in pictures else _owner(name)
        grouped[owner or name].append(path)
    ordered = [*(name for name in pictures if name in grouped), *(name for name in grouped if name not in pictures)]
    return [MaskedPicture(name=name, picture=pictures.get(name), masks=tuple(grouped[name])) for name in ordered]


def _beside_each_other(found: dict[str, Path]) -> list[MaskedPicture]:
    grouped: dict[str, list[Path]] = defaultdict(list)
    for name, path in found.items():
        if owner := _owner(name):
            grouped[owner].append(path)
    return [MaskedPicture(name=name, picture=found.get(name), masks=tuple(masks)) for name, masks in grouped.items()]


def _owner(name: str) -> str | None:
    """Take the picture's name out of a mask's, None where it is not named as a mask."""
    folder, slash, last = name.rpartition("/")
    match = _NAMED.fullmatch(last)
    return f"{folder}{slash}{match['stem']}" if match else None


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ImageError(f"expected a folder of pictures, but there is none: {folder}")
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in find_images(folder)}


__all__ = ["MaskedPicture", "pair_masks"]
