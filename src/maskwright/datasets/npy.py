"""NumPy arrays: `masks/frame_0001.npy`, bool (N, H, W), a mask a row; `masks.jsonl` tells what each row is.

Read: such a folder; a folder of `.npy` and `.npz` files of bool or 0/1 (H, W) or (N, H, W), or of numbers (H, W) in
which every value but 0 is an object; pictures beside them or in `images` by their names. Nothing is unpickled.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from maskwright.core.errors import ImageError, InputError, MaskError
from maskwright.core.settings import MAX_PIXELS
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.images import SUFFIXES, read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import (
    FILE,
    add_frame,
    finish,
    frames_of_index,
    has_index,
    mask_entry,
    start_index,
)
from maskwright.datasets.new_folder import OutputNames, new_folder, write_file
from maskwright.datasets.picture_files import (
    MISSING,
    iter_files,
    picture_path,
    read_size_hw,
    write_picture,
)
from maskwright.masks import decode_batch, encode

Stack = Bool[np.ndarray, "N H W"]


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a folder of arrays, or one array.

    Raises:
        InputError: there is none.
    """
    importer = Importer.of(path, "npy", log)
    if has_index(path):
        return frames_of_index(
            path, "npy", images=images, importer=importer, read_file=_first_stack, mask_in=_mask_of_row
        )
    files = [path] if path.is_file() else [*iter_files(path, ".npy"), *iter_files(path, ".npz")]
    if not files or any(file.suffix.lower() not in (".npy", ".npz") for file in files):
        raise InputError(f"expected a folder of .npy or .npz arrays of masks: {path}")
    root = path if path.is_dir() else path.parent
    return (frame for file in files if (frame := _loose(file, root, images, importer)) is not None)


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write arrays, pictures and the index."""
    names, holds = OutputNames(), find_format("npy").holds
    with new_folder(out) as folder, (folder / FILE).open("w", encoding="utf-8") as index:
        start_index(index, "npy")
        for frame in frames:
            path = picture_path(names.claim(frame.name))
            picture = f"images/{path}" if write_picture(frame, folder / "images" / path, log) else None
            tell_losses(frame, holds, log)
            file = f"masks/{path.with_suffix('.npy')}"
            buffer = io.BytesIO()
            rles = [one.record.rle for one in frame.masks]
            np.save(buffer, decode_batch(rles, size_hw=frame.size_hw), allow_pickle=False)
            write_file(folder / file, buffer.getvalue())
            entries = [mask_entry(mask, file=file, row=row) for row, mask in enumerate(frame.masks)]
            add_frame(index, frame, picture=picture, masks=entries)
            log.count(frames=1, masks=len(entries))


def read_arrays(path: Path) -> list[np.ndarray]:
    """Read the arrays of a file without unpickling anything.

    Raises:
        MaskError: it is damaged, or holds objects instead of numbers, or more than a picture can have.
    """
    try:
        if path.suffix.lower() == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return [_check(archive[name], path) for name in archive.files]
        return [_check(np.load(path, mmap_mode="r", allow_pickle=False), path)]
    except MaskError:
        raise
    except Exception as error:  # NumPy parses a damaged header as Python, and raises nearly every type there is
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise MaskError(f"the array cannot be read ({reason}): {path}") from None


def stack_of(array: np.ndarray) -> Stack:
    """Make a stack of masks: of bools and 0/1 as they are, of other numbers one mask a value but 0.

    Raises:
        MaskError: it has no shape of masks.
    """
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or 0 in array.shape[-2:]:
        raise MaskError(f"expected (H, W) or (N, H, W) of bool or whole numbers, got {array.dtype} {array.shape}")
    values = np.unique(array)
    if array.dtype.kind == "f" and not np.isin(values, [0, 1]).all():
        raise MaskError("expected bool or whole numbers, got probabilities. Compare first: masks > 0.5")
    if array.ndim == 3 or np.isin(values, [0, 1]).all():
        if array.ndim == 3 and not np.isin(values, [0, 1, 255]).all():
            raise MaskError(f"a stack of masks must hold 0 and 1, got values up to {values.max()}")
        return (array != 0).reshape(-1, *array.shape[-2:])
    present = [value for value in values.tolist() if value]
    return np.stack([array == value for value in present])


def _check(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim in (2, 3) and array.shape[-1] * array.shape[-2] > MAX_PIXELS.get():
        raise MaskError(f"the masks are {array.shape[-2:]}, more than {MAX_PIXELS.env} allows: {path}")
    return array


def _first_stack(path: Path) -> Stack:
    return stack_of(read_arrays(path)[0])


def _mask_of_row(stack: Stack, entry: Mapping[str, Any]) -> np.ndarray:
    row = entry.get("row")
    if not isinstance(row, int) or not 0 <= row < len(stack):
        raise MaskError("there is no such row")
    return np.array(stack[row])


def _loose(file: Path, root: Path, images: Path | None, importer: Importer) -> LabelledFrame | None:
    name = file.relative_to(root).with_suffix("").as_posix()
    try:
        stacks = [stack_of(array) for array in read_arrays(file)]
        picture = _find_picture(file, name, root, images)
        sizes = {stack.shape[1:] for stack in stacks} | ({read_size_hw(picture)} if picture else set())
        if len(sizes) != 1:
            raise MaskError(f"masks and their picture must have one size, got {sorted(sizes)}")
    except (MaskError, ImageError) as error:
        importer.log.skip(name, str(error))
        return None
    if picture is None:
        importer.log.lose(MISSING, name)
    ((height, width),) = sizes
    frame = LabelledFrame(
        name=name + (picture.suffix if picture else ""),
        size_hw=(height, width),
        open_image=partial(read_image, picture) if picture else None,
    )
    bitmaps = [np.array(bitmap) for stack in stacks for bitmap in stack]
    masks = [importer.mask(encode(bitmap), item=f"{name}[{row}]") for row, bitmap in enumerate(bitmaps)]
    return finish(frame, masks, importer)


def _find_picture(file: Path, name: str, root: Path, images: Path | None) -> Path | None:
    inner = name.removeprefix("masks/")
    folders = [images] if images else [root, root / "images", file.parent]
    stems = [inner, inner.removesuffix("_mask").removesuffix("_masks"), Path(inner).name]
    suffixes = [suffix for lower in sorted(SUFFIXES) for suffix in (lower, lower.upper())]
    tries = (folder / f"{stem}{suffix}" for folder in folders for stem in stems for suffix in suffixes)
    return next((path for path in tries if path.is_file()), None)


__all__ = ["read", "read_arrays", "stack_of", "write"]
