"""A PNG a frame that tells its objects apart: `masks/frame_0001.png`, 16 bits, 0 background, else the number of a mask.

`masks.jsonl` tells what each number is. A pixel has one number, so of masks that overlap the smaller one is seen.
Read: such a folder, or any folder of maps or masks beside pictures.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16

from maskwright.core.errors import MaskError
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loose_masks import read_loose_masks
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_files import paint, read_values, values_png
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

_MOST = 65535
HIDDEN = "no pixel of it is left: it is empty, or others cover it"


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a folder of maps.

    Raises:
        InputError: there is none, or nothing in it is named as a mask.
    """
    importer = Importer.of(path, "png-ids", log)
    if not has_index(path):
        return read_loose_masks(path, images, importer)
    return frames_of_index(
        path, "png-ids", images=images, importer=importer, read_file=read_values, mask_in=_mask_of_number
    )


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write maps, pictures and the index."""
    names, holds = OutputNames(), find_format("png-ids").holds
    with new_folder(out) as folder, (folder / FILE).open("w", encoding="utf-8") as index:
        start_index(index, "png-ids")
        for frame in frames:
            path = picture_path(names.claim(frame.name))
            picture = f"images/{path}" if write_picture(frame, folder / "images" / path, log) else None
            tell_losses(frame, holds, log)
            values, entries = draw_ids(frame, log)
            file = f"masks/{path.with_suffix('.png')}"
            write_file(folder / file, values_png(values))
            add_frame(index, frame, picture=picture, masks=[{"file": file, **one} for one in entries])
            log.count(frames=1, masks=len(entries))


def draw_ids(frame: LabelledFrame, log: LossLog) -> tuple[UInt16[np.ndarray, "H W"], list[dict[str, Any]]]:
    """Number a frame's masks from 1 and draw them; those of which no pixel is seen are left out and told."""
    numbered = dict(enumerate(frame.masks[:_MOST], 1))
    values = paint({number: mask.record.rle for number, mask in numbered.items()}, frame.size_hw)
    seen = set(np.unique(values).tolist())
    for number, mask in numbered.items():
        if number not in seen:
            log.skip(f"{frame.name}#{mask.record.id}", HIDDEN)
    for mask in frame.masks[_MOST:]:
        log.skip(f"{frame.name}#{mask.record.id}", f"a map of 16 bits holds {_MOST} masks")
    return values, [mask_entry(mask, value=number) for number, mask in numbered.items() if number in seen]


def _mask_of_number(values: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    if not isinstance(entry.get("value"), int):
        raise MaskError("its value must be a number")
    return values == entry["value"]


__all__ = ["draw_ids", "read", "write"]
