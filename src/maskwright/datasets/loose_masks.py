"""Folders of mask files that others made: pictures and masks paired by name, objects told apart by value."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from maskwright.core.errors import ImageError, InputError, MaskError
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.mask_files import objects_in, read_values
from maskwright.datasets.mask_index import finish
from maskwright.datasets.mask_pairs import MaskedPicture, pair_masks
from maskwright.datasets.picture_files import MISSING, read_size_hw
from maskwright.masks import encode

COLOURS = "colours of masks, which are taken for objects without a name"


def read_loose_masks(
    path: Path, images: Path | None, importer: Importer, *, labels: dict[int, str] | None = None
) -> Iterator[LabelledFrame]:
    """Read the masks of a folder; `labels` names values.

    Raises:
        InputError: there is no such folder, or nothing in it is named as a mask.
    """
    if path.is_file():
        raise InputError(f"expected a folder of masks and pictures, got a file: {path}")
    try:
        pairs = pair_masks(path, images)
    except ImageError as error:
        raise InputError(f"expected a folder of masks: {error}") from None
    if not pairs:
        raise InputError(f"no mask goes with a picture; expected names as X.jpg and X_mask.png, or masks/X.png: {path}")
    return (frame for pair in pairs if (frame := _frame(pair, importer, labels or {})) is not None)


def _frame(pair: MaskedPicture, importer: Importer, labels: dict[int, str]) -> LabelledFrame | None:
    log, masks, size_hw = importer.log, [], None
    try:
        size_hw = read_size_hw(pair.picture) if pair.picture else None
    except ImageError as error:
        log.skip(pair.file_name, str(error))
        return None
    if pair.picture is None:
        log.lose(MISSING, pair.name)
    for file in pair.masks:
        try:
            found, mask_hw = _masks(file, importer, pair.name, labels)
            size_hw = size_hw or mask_hw
            if mask_hw != size_hw:
                raise MaskError(f"the mask is {mask_hw}, its picture {size_hw}; both must agree")
            masks += found
        except MaskError as error:
            log.skip(f"{pair.name}#{file.name}", str(error))
    if size_hw is None:
        return None
    open_image = partial(read_image, pair.picture) if pair.picture else None
    return finish(LabelledFrame(name=pair.file_name, size_hw=size_hw, open_image=open_image), masks, importer)


def _masks(
    file: Path, importer: Importer, name: str, labels: dict[int, str]
) -> tuple[list[ResolvedRecord], tuple[int, int]]:
    values = read_values(file, by_colour=True)
    found = list(objects_in(values))
    if found and found[-1][0] > 0xFFFF:
        importer.log.lose(COLOURS, f"{file.name}: {len(found)} colours", len(found))
    masks = [importer.mask(encode(bitmap), item=f"{name}#{value}", label=labels.get(value)) for value, bitmap in found]
    return masks, (values.shape[0], values.shape[1])


__all__ = ["read_loose_masks"]
