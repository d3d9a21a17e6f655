"""A PNG a frame that tells classes apart: `masks/frame_0001.png`, 0 background, else the number of a label.

`classes.json` names the numbers; 8 bits while there are no more than 254 labels, 16 bits after that. Masks of one label
in one frame become one region. Read: such a folder, or any folder of maps with a `classes.json`, in which a region is
one mask.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.core.errors import MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import NAMELESS, UNLABELLED, Importer
from maskwright.datasets.json_files import dump_line, load_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loose_masks import read_loose_masks
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_files import VOID, paint, read_values, values_png
from maskwright.datasets.mask_index import FILE, IndexedFrame, add_frame, finish, has_index, read_index, start_index
from maskwright.datasets.new_folder import OutputNames, new_folder, write_file
from maskwright.datasets.picture_files import PictureFinder, picture_path, write_picture
from maskwright.datasets.png_ids import HIDDEN
from maskwright.masks import encode, union

CLASSES = "classes.json"
JOINED = "instances: masks of one label in one frame become one region"


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a folder of maps, each region of a class as one mask.

    Raises:
        InputError: there is none, or nothing in it is named as a mask, or its classes.json is damaged.
    """
    importer = Importer.of(path, "png-classes", log)
    labels = _read_classes(path / CLASSES) if (path / CLASSES).is_file() else {}
    if not has_index(path):
        return read_loose_masks(path, images, importer, labels=labels)
    found = read_index(path, "png-classes", images=images, importer=importer)
    return (frame for one in found if (frame := _read_frame(path, one, labels, importer)) is not None)


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write maps, pictures, classes and the index."""
    names, holds, numbers = OutputNames(), find_format("png-classes").holds, {}
    with new_folder(out) as folder, (folder / FILE).open("w", encoding="utf-8") as index:
        start_index(index, "png-classes")
        for frame in frames:
            path = picture_path(names.claim(frame.name))
            picture = f"images/{path}" if write_picture(frame, folder / "images" / path, log) else None
            tell_losses(frame, holds, log)
            values = _draw(frame, numbers, log)
            file = f"masks/{path.with_suffix('.png')}"
            write_file(folder / file, values_png(values if len(numbers) > VOID - 1 else values.astype(np.uint8)))
            add_frame(index, frame, picture=picture, masks=[{"file": file}])
            log.count(frames=1, masks=len(np.unique(values[values > 0])))
        named = {0: "background", **{number: label for label, number in numbers.items()}}
        write_file(folder / CLASSES, dump_line(named) + "\n")


def _draw(frame: LabelledFrame, numbers: dict[str, int], log: LossLog) -> np.ndarray:
    by_number: dict[int, list[ResolvedRecord]] = {}
    for mask in frame.masks:
        if not mask.record.label:
            log.lose(NAMELESS, f"{frame.name}#{mask.record.id}")
        # 255 means "do not count" to many programs, so no label gets it
        number = numbers.setdefault(mask.record.label or UNLABELLED, len(numbers) + 1 + (len(numbers) >= VOID - 1))
        by_number.setdefault(number, []).append(mask)
    for masks in by_number.values():
        if len(masks) > 1:
            log.lose(JOINED, f"{frame.name}#{masks[1].record.id}", len(masks) - 1)
    values = paint(
        {number: union([one.record.rle for one in masks]) for number, masks in by_number.items()}, frame.size_hw
    )
    seen = set(np.unique(values).tolist())
    for number, masks in by_number.items():
        if number not in seen:
            log.skip(f"{frame.name}#{masks[0].record.id}", HIDDEN)
    return values


def _read_frame(folder: Path, one: IndexedFrame, labels: Mapping[int, str], importer: Importer) -> LabelledFrame | None:
    file = str(one.entries[0].get("file")) if one.entries else ""
    found = PictureFinder((folder,)).find(file) if file else None
    try:
        if found is None:
            raise MaskError("there is no such file")
        values = read_values(found)
        if values.shape != one.frame.size_hw:
            raise MaskError(f"the mask is {values.shape}, its picture {one.frame.size_hw}; both must agree")
    except MaskError as error:
        importer.log.skip(f"{one.frame.name}#{file}", str(error))
        return None
    present = [int(value) for value in np.unique(values) if value]
    masks = [
        importer.mask(encode(values == value), item=f"{one.frame.name}#{value}", label=labels.get(value))
        for value in present
    ]
    return finish(replace(one.frame, ref=None, image_digest=None), masks, importer)


def _read_classes(path: Path) -> dict[int, str]:
    content = load_json(path, what="classes.json")
    try:
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        return {int(number): str(name) for number, name in pairs if int(number)}
    except (TypeError, ValueError) as error:
        raise RecordError(f"expected classes as an object of numbers and names ({error}): {path}") from None


__all__ = ["read", "write"]
