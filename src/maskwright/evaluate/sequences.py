"""Video with true masks: frames in order, and on each the mask of every object that is known.

    ROOT/JPEGImages/480p/NAME + ROOT/Annotations/480p/NAME   DAVIS, also without the resolution's folder
    ROOT/images + ROOT/masks                                 one sequence; masks of equal names, 0 is background
    ROOT/NAME/images + ROOT/NAME/masks                       several; ROOT/images/NAME + ROOT/masks/NAME too

A value of the masks is one object through the whole sequence; 255 alone is object 1, as are masks of shades. A frame
without a mask file is shown to trackers and not scored. An `episode.json` beside the folders may name the objects and
the frame rate. One frame is in memory at a time. Mask stores are opened by `workflows.tracked_sequences`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.core import RLE, Image
from maskwright.core.errors import ImageError, InputError, MaskError
from maskwright.datasets.images import find_images, read_image
from maskwright.datasets.json_files import load_json
from maskwright.datasets.mask_files import VOID, objects_in, read_values
from maskwright.datasets.mask_pairs import MASK_FOLDERS, PICTURE_FOLDERS
from maskwright.masks import encode

_LEVELS = ("480p", "Full-Resolution", "1080p", "720p")
_EXPECTED = "expected images with masks, folders with these, JPEGImages with Annotations (DAVIS), or a mask store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceFrame:
    """A frame and its true masks by the key of their object; `truth` is None where nobody drew any."""

    index: int
    image: Image
    truth: Mapping[str, RLE] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedFrame:
    """A frame that cannot be read, and why."""

    index: int
    error: InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSequence:
    """A video with true masks. `labels` name objects by their keys, where they have names.

    `read(start, stop)` gives frames in order; it raises InputError where pictures and masks do not belong together.
    """

    name: str
    num_frames: int
    read: Callable[[int, int | None], Iterator[SequenceFrame | MissedFrame]]
    fps: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def open_sequences(path: Path) -> list[LabelledSequence]:
    """Find the sequences of a folder; nothing is decoded yet.

    Raises:
        InputError: there is no such folder, no sequence in it, or one of them has no mask at all.
    """
    if not path.is_dir():
        raise InputError(f"there is no such folder: {path}")
    found = _davis(path) or _pair(path, path.resolve().name) or _children(path)
    if not found:
        raise InputError(f"no video with masks here; {_EXPECTED}: {path}")
    return [_sequence(name, pictures, masks) for name, pictures, masks in found]


_Folders = list[tuple[str, Path, Path]]


def _davis(root: Path) -> _Folders:
    pictures, masks = root / "JPEGImages", root / "Annotations"
    if not pictures.is_dir() or not masks.is_dir():
        return []
    return _below(_level(pictures), _level(masks))


def _level(folder: Path) -> Path:
    return next((folder / level for level in _LEVELS if (folder / level).is_dir()), folder)


def _below(pictures: Path, masks: Path) -> _Folders:
    names = sorted(one.name for one in masks.iterdir() if one.is_dir() and not one.name.startswith("."))
    return [(name, pictures / name, masks / name) for name in names if (pictures / name).is_dir()]


def _pair(root: Path, name: str) -> _Folders:
    """One sequence, or several in folders of equal names."""
    pictures = next((root / one for one in PICTURE_FOLDERS if (root / one).is_dir()), None)
    masks = next((root / one for one in MASK_FOLDERS if (root / one).is_dir()), None)
    if pictures is None or masks is None:
        return []
    return _below(pictures, masks) or [(name, pictures, masks)]


def _children(root: Path) -> _Folders:
    folders = sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
    return [found for folder in folders for found in _pair(folder, folder.name)]


def _sequence(name: str, pictures: Path, masks: Path) -> LabelledSequence:
    try:
        frames = find_images(pictures, recursive=False)
        by_name = {path.stem: path for path in find_images(masks, recursive=False)}
    except ImageError as error:
        raise InputError(f"the sequence {name} lacks pictures or masks: {error}") from None
    paired = [(path, by_name.get(path.stem)) for path in frames]
    if not any(mask for _, mask in paired):
        raise InputError(f"no mask of the sequence {name} has the name of a frame, like {frames[0].stem}.png: {masks}")
    about = _about(pictures.parent / "episode.json")
    labels = about.get("objects")
    fps = about.get("fps")
    return LabelledSequence(
        name=name,
        num_frames=len(paired),
        read=partial(_read, paired),
        fps=float(fps) if isinstance(fps, int | float) else None,
        labels={str(key): str(label) for key, label in labels.items()} if isinstance(labels, dict) else {},
    )


def _about(path: Path) -> Mapping[str, Any]:
    content = load_json(path, what="episode.json") if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _read(
    paired: list[tuple[Path, Path | None]], start: int, stop: int | None
) -> Iterator[SequenceFrame | MissedFrame]:
    for index, (picture, mask) in enumerate(paired[start:stop], start):
        try:
            image = read_image(picture)
            truth = None if mask is None else _truth(mask)
        except (ImageError, MaskError) as error:
            yield MissedFrame(index=index, error=error)
            continue
        for rle in (truth or {}).values():
            if rle.size_hw != image.size_hw:
                raise InputError(f"the mask is {rle.size_hw}, its picture {image.size_hw}; both must agree: {mask}")
        yield SequenceFrame(index=index, image=image, truth=truth)


def _truth(mask: Path) -> dict[str, RLE]:
    objects = objects_in(read_values(mask))
    return {str(1 if value == VOID else value): encode(bitmap) for value, bitmap in objects}


__all__ = ["LabelledSequence", "MissedFrame", "SequenceFrame", "open_sequences"]
