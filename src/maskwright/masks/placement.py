"""Moving masks between frames: crop, paste, shift, resize.

Positions are whole pixels; whatever leaves the new frame is cut off, and what enters it is background.
"""

from collections.abc import Sequence

import numpy as np

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks.rle import _check_size, decode, empty_mask, encode


def crop(rle: RLE, box_xyxy: Sequence[int]) -> RLE:
    """Cut out the pixels of a box: whole numbers, exclusive right and bottom, inside the image.

    Raises:
        MaskError: the box is not whole pixels, has no area, or leaves the image.
    """
    left, top, right, bottom = _whole("a crop box", "x1, y1, x2, y2", box_xyxy, 4)
    height, width = rle.size_hw
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise MaskError(
            f"a crop box must have x1 < x2 and y1 < y2 inside the {width} x {height} (width x height) image, "
            f"got {left},{top},{right},{bottom}. Clip it first with clip_boxes."
        )
    return unparse(parse(rle).crop(np.array([left, top, right - left, bottom - top])))


def paste(rle: RLE, size_hw: SizeHW, *, at_xy: Sequence[int] = (0, 0)) -> RLE:
    """Place a mask in a frame of `size_hw`, its upper left pixel at `at_xy`, which may lie outside.

    `paste(crop(rle, box), rle.size_hw, at_xy=box[:2])` is the mask within the box.

    Raises:
        MaskError: the position is not whole pixels, or the size is not a size.
    """
    height, width = _check_size(size_hw)
    left, top = _whole("a position", "x, y", at_xy, 2)
    source_height, source_width = rle.size_hw
    x1, y1 = max(0, -left), max(0, -top)
    x2, y2 = min(source_width, width - left), min(source_height, height - top)
    if x1 >= x2 or y1 >= y2:
        return empty_mask((height, width))
    visible: RLEMask = parse(rle).crop(np.array([x1, y1, x2 - x1, y2 - y1]))
    left, top = left + x1, top + y1
    return unparse(visible.pad(top, height - top - (y2 - y1), left, width - left - (x2 - x1)))


def shift(rle: RLE, *, dx: int, dy: int) -> RLE:
    """Move a mask right by `dx` and down by `dy` pixels within its frame.

    Raises:
        MaskError: the distances are not whole pixels.
    """
    return paste(rle, rle.size_hw, at_xy=(dx, dy))


def resize(rle: RLE, size_hw: SizeHW) -> RLE:
    """Scale a mask to another size: each new pixel takes the old pixel that holds its centre.

    Raises:
        MaskError: the size is not a size.
    """
    height, width = _check_size(size_hw)
    if (height, width) == rle.size_hw:
        return rle
    dense = decode(rle)
    rows, columns = _nearest(rle.size_hw[0], height), _nearest(rle.size_hw[1], width)
    return encode(dense[rows[:, None], columns[None, :]])


def _nearest(old: int, new: int) -> np.ndarray:
    # whole-number form of floor((i + 0.5) * old / new): a centre on an old edge goes right, on every machine
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


def _whole(what: str, names: str, values: Sequence[int], count: int) -> tuple[int, ...]:
    try:
        whole = tuple(int(value) for value in values)
        is_whole = len(whole) == count and all(a == b for a, b in zip(whole, values, strict=True))
    except (TypeError, ValueError, OverflowError):
        whole, is_whole = (), False
    if not is_whole:
        raise MaskError(f"{what} must be {count} whole numbers {names} in pixels, got {values!r}. Round them first.")
    return whole


__all__ = ["crop", "paste", "resize", "shift"]
