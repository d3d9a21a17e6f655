"""A PNG a mask: `masks/frame_0001_mask.png`, or `_mask_1`, `_mask_2` where a frame has several; 0 and 255.

Pictures stand in `images`, and `masks.jsonl` tells what each mask is. Read: such a folder, or any folder in which masks
go with pictures by their names (`mask_pairs`), whatever their values mean (`mask_files`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loose_masks import read_loose_masks
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_files import binary_png, read_values
from maskwright.datasets.mask_index import (
    FILE,
    add_frame,
    frames_of_index,
    has_index,
    mask_entry,
    start_index,
)
from maskwright.datasets.new_folder import OutputNames, new_folder, write_file
from maskwright.datasets.picture_files import picture_path, write_picture
from maskwright.masks import decode


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a folder of masks.

    Raises:
        InputError: there is none, or nothing in it is named as a mask.
    """
    importer = Importer.of(path, "png", log)
    if not has_index(path):
        return read_loose_masks(path, images, importer)
    return frames_of_index(
        path,
        "png",
        images=images,
        importer=importer,
        read_file=lambda file: read_values(file) > 0,
        mask_in=lambda mask, _: mask,
    )


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write masks, pictures and the index."""
    names, holds = OutputNames(), find_format("png").holds
    with new_folder(out) as folder, (folder / FILE).open("w", encoding="utf-8") as index:
        start_index(index, "png")
        for frame in frames:
            path = picture_path(names.claim(frame.name))
            picture = f"images/{path}" if write_picture(frame, folder / "images" / path, log) else None
            tell_losses(frame, holds, log)
            add_frame(index, frame, picture=picture, masks=_write_masks(frame, folder, path))
            log.count(frames=1, masks=len(frame.masks))


def _write_masks(frame: LabelledFrame, folder: Path, path: PurePosixPath) -> list[dict[str, Any]]:
    entries = []
    for number, mask in enumerate(frame.masks, 1):
        ending = f"_mask_{number}.png" if len(frame.masks) > 1 else "_mask.png"
        file = f"masks/{path.with_suffix('')}{ending}"
        write_file(folder / file, binary_png(decode(mask.record.rle)))
        entries.append(mask_entry(mask, file=file))
    return entries


__all__ = ["read", "write"]
