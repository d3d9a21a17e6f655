"""`masks.jsonl`: the index of a folder of mask files that this program writes, one line a frame.

    {"format": "maskwright-masks-1", "kind": "png"}
    {"name": "a.png", "size_hw": [480, 640], "picture": "images/a.png", "masks": [{"file": "masks/a_mask.png",
     "label": "mug", "track": "1", "maskwright": {...}}], "maskwright": {...}}

Mask files and pictures are named as loose folders name them, so that other programs read them without the index.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

from maskwright.core.errors import InputError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import dump_line, iter_json_lines
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.notes import KEY, frame_facts, frame_note, mask_note
from maskwright.datasets.picture_files import PictureFinder
from maskwright.masks import encode

FILE = "masks.jsonl"
F = TypeVar("F")
_FORMAT, _WHAT = "maskwright-masks-1", "masks.jsonl"


def has_index(folder: Path) -> bool:
    """Tell whether this program wrote a folder of masks."""
    return (folder / FILE).is_file()


def start_index(index: IO[str], kind: str, **facts: Any) -> None:
    """Write the first line."""
    index.write(dump_line({"format": _FORMAT, "kind": kind, **facts}) + "\n")


def add_frame(index: IO[str], frame: LabelledFrame, *, picture: str | None, masks: list[dict[str, Any]]) -> None:
    """Write the line of a frame; `masks` are made by `mask_entry`."""
    line: dict[str, Any] = {"name": frame.name, "size_hw": list(frame.size_hw), "masks": masks}
    if picture is not None:
        line["picture"] = picture
    index.write(dump_line({**line, KEY: frame_note(frame, written_as=frame.name)}) + "\n")


def mask_entry(mask: ResolvedRecord, **place: Any) -> dict[str, Any]:
    """Say where a mask stands (`file`, `value` or `row`) and what it is."""
    words = {"label": mask.record.label, "track": mask.record.track}
    return {**place, **{key: value for key, value in words.items() if value is not None}, KEY: mask_note(mask)}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFrame:
    """A frame of the index, its masks not yet read."""

    frame: LabelledFrame
    entries: tuple[Mapping[str, Any], ...]


def read_index(folder: Path, kind: str, *, images: Path | None, importer: Importer) -> Iterator[IndexedFrame]:
    """Read the frames of an index; damaged lines are left out and logged.

    Raises:
        RecordError: it is of another kind, or not an index.
    """
    lines = iter_json_lines(folder / FILE, what=_WHAT)
    head = next(lines, {})
    if head.get("format") != _FORMAT:
        raise RecordError(f"expected masks of the format {_FORMAT}, got {head.get('format')!r}: {folder / FILE}")
    if head.get("kind") != kind:
        raise InputError(f"the folder holds masks of the format {head.get('kind')}; read it as that: {folder}")
    return _frames(lines, PictureFinder.beside(folder, images), importer)


def _frames(lines: Iterator[Mapping[str, Any]], pictures: PictureFinder, importer: Importer) -> Iterator[IndexedFrame]:
    for number, line in enumerate(lines, 2):
        try:
            yield _frame(line, pictures, importer)
        except (RecordError, KeyError, TypeError, ValueError) as error:
            importer.log.skip(f"line {number} of {FILE}", f"it is damaged ({error})")


def _frame(line: Mapping[str, Any], pictures: PictureFinder, importer: Importer) -> IndexedFrame:
    height, width = line["size_hw"]
    facts = frame_facts(line.get(KEY), name=line["name"])
    picture = line.get("picture")
    frame = LabelledFrame(
        size_hw=(int(height), int(width)),
        open_image=None if picture is None else pictures.opener(str(picture).removeprefix("images/"), importer.log),
        **facts,
    )
    entries = line["masks"]
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise RecordError("masks must be a list of objects")
    return IndexedFrame(frame=frame, entries=tuple(entries))


def mask_of_entry(entry: Mapping[str, Any], bitmap: Any, frame: LabelledFrame, importer: Importer) -> ResolvedRecord:
    """Make the record of a mask that was read.

    Raises:
        MaskError: it is of another size than its frame.
    """
    rle = bitmap if isinstance(bitmap, RLE) else encode(bitmap)
    if rle.size_hw != frame.size_hw:
        raise MaskError(f"the mask is {rle.size_hw}, its picture {frame.size_hw}; both must agree")
    label, track = (entry[key] if isinstance(entry.get(key), str) else None for key in ("label", "track"))
    return importer.mask(
        rle,
        item=_item(frame, entry),
        label=label,
        track=track,
        note=entry.get(KEY),
        ref=frame.ref,
        image_digest=frame.image_digest,
    )


def frames_of_index(
    folder: Path,
    kind: str,
    *,
    images: Path | None,
    importer: Importer,
    read_file: Callable[[Path], F],
    mask_in: Callable[[F, Mapping[str, Any]], Any],
) -> Iterator[LabelledFrame]:
    """Read the frames of an index with their masks: `read_file` reads a file, `mask_in` takes an entry's mask of it.

    A mask for which either raises a MaskError is left out and logged.

    Raises:
        RecordError, InputError: it is of another kind, or not an index.
    """
    found = read_index(folder, kind, images=images, importer=importer)
    return (_with_masks(folder, one, importer, read_file, mask_in) for one in found)


def _with_masks(
    folder: Path,
    one: IndexedFrame,
    importer: Importer,
    read_file: Callable[[Path], F],
    mask_in: Callable[[F, Mapping[str, Any]], Any],
) -> LabelledFrame:
    masks: list[ResolvedRecord] = []
    opened: tuple[str, F] | None = None  # masks of one file follow each other
    for entry in one.entries:
        try:
            file = str(entry.get("file"))
            if opened is None or opened[0] != file:
                opened = file, read_file(_find(folder, file))
            masks.append(mask_of_entry(entry, mask_in(opened[1], entry), one.frame, importer))
        except MaskError as error:
            importer.log.skip(_item(one.frame, entry), str(error))
    return finish(one.frame, masks, importer)


def _find(folder: Path, file: str) -> Path:
    found = PictureFinder((folder,)).find(file)
    if found is None:
        raise MaskError("there is no such file")
    return found


def _item(frame: LabelledFrame, entry: Mapping[str, Any]) -> str:
    number = entry.get("value", entry.get("row"))
    return f"{frame.name}#{entry.get('file', '?')}" + ("" if number is None else f"[{number}]")


def finish(frame: LabelledFrame, masks: list[ResolvedRecord], importer: Importer) -> LabelledFrame:
    """Give a frame its masks, and count both."""
    importer.log.count(frames=1, masks=len(masks))
    return replace(frame, masks=tuple(masks))


__all__ = [
    "FILE",
    "IndexedFrame",
    "add_frame",
    "finish",
    "frames_of_index",
    "has_index",
    "mask_entry",
    "mask_of_entry",
    "read_index",
    "start_index",
]
