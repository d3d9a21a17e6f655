"""Which annotation format lies at a path: told from what is in it, the surest signs first."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError
from maskwright.datasets.formats import FORMATS
from maskwright.datasets.images import SUFFIXES
from maskwright.datasets.lerobot_meta import is_lerobot
from maskwright.datasets.mask_index import FILE as INDEX
from maskwright.datasets.rlds_meta import find_rlds

_BY_SUFFIX = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".parquet": "parquet",
    ".xml": "cvat",
    ".zip": "cvat",
    ".npy": "npy",
    ".npz": "npy",
}
_ONE_OF = (
    ("masks.h5", "hdf5"),
    ("masks.parquet", "parquet"),
    ("annotations.xml", "cvat"),
    ("tasks.json", "label-studio"),
)
_LOOKED_AT = 2_000  # files of a folder


def recognise_format(path: Path) -> str:
    """Name the format of a file or folder.

    Raises:
        InputError: there is nothing, or nothing that is known; the message lists the formats.
    """
    if not path.exists():
        raise InputError(f"there is no such file or folder: {path}")
    if (path / "store.json").is_file():
        raise InputError(f"this is a mask store, not an export of one. Export it first (maskwright export): {path}")
    found = _of_folder(path) if path.is_dir() else _of_file(path)
    if found is None:
        readable = ", ".join(name for name, one in FORMATS.items() if one.reads)
        raise InputError(f"no annotation format is recognised here. Name it with --format, one of {readable}: {path}")
    return found


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return "yolo" if (path.parent / "labels").is_dir() else None
    return _of_json(path) if suffix == ".json" else _BY_SUFFIX.get(suffix)


def _of_folder(path: Path) -> str | None:
    if is_lerobot(path):
        return "lerobot"
    if (path / INDEX).is_file():
        return _of_index(path / INDEX)
    if find_rlds(path) is not None:
        return "rlds"
    for name, format_name in _ONE_OF:
        if (path / name).is_file():
            return format_name
    if (path / "labels").is_dir() and any((path / "labels").rglob("*.txt")):
        return "yolo"
    if _has_palettes(path):
        return "davis"
    if all((path / name).is_dir() for name in ("images", "masks")):
        return "png"  # whatever else lies there, a list of its pictures for instance
    return _of_files(path)


def _has_palettes(path: Path) -> bool:
    """Whether there are sequences of PNGs below Annotations, as DAVIS and YouTube-VOS have them."""
    roots = (path / "Annotations", *(path / split / "Annotations" for split in ("train", "valid", "val", "test")))
    return any(next(root.glob("*/**/*.png"), None) is not None for root in roots if root.is_dir())


def _of_files(path: Path) -> str | None:
    files = list(islice((one for one in path.rglob("*") if one.is_file()), _LOOKED_AT))
    documents = sorted((one for one in files if one.suffix.lower() == ".json"), key=lambda one: (len(one.parts), one))
    for document in documents[:20]:
        format_name = _of_json(document)
        if format_name is not None:
            return format_name
    if any(one.suffix.lower() in (".npy", ".npz") for one in files):
        return "npy"
    return "png" if any(one.suffix.lower() in SUFFIXES for one in files) else None


def _of_index(path: Path) -> str | None:
    try:
        with path.open("rb") as lines:
            kind = json.loads(next(lines, b"{}")).get("kind")
    except (OSError, ValueError, AttributeError):
        return None
    return kind if kind in FORMATS else None


def _of_json(path: Path) -> str | None:
    try:
        content: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return next(_names(content), None)


def _names(content: Any) -> Iterator[str]:
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, dict) and first.keys() & {"data", "annotations", "predictions", "image"}:
        yield "label-studio"
    if not isinstance(content, dict):
        return
    if "images" in content and "annotations" in content:
        yield "coco"
    if isinstance(content.get("image"), dict) and "annotations" in content:
        yield "sa1b"
    if "shapes" in content and ("imagePath" in content or "imageHeight" in content):
        yield "labelme"
    if "masklet" in content:
        yield "sav"


__all__ = ["recognise_format"]
