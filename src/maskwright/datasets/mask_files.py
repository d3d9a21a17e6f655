"""Mask pictures of any making: what their values mean, and which objects stand in them.

0 is background and every other value one object; 255 as the largest of several is "do not count", as in VOC and DAVIS.
More than eight grey levels up to 255 are one mask with soft edges. A picture that is transparent and says nothing else
is a mask in its alpha.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt16
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, MaskError
from maskwright.core.rle import RLE
from maskwright.core.settings import MAX_PIXELS
from maskwright.datasets.images import _check_size, _opened_by_pillow
from maskwright.masks import area, decode

VOID = 255
_MOST_COLOURS = 512  # more are shades or a photograph, not objects
_HALF = 127


def read_values(path: Path, *, by_colour: bool = False) -> Int[np.ndarray, "H W"]:
    """Read the values of a mask picture: palette indices, grey levels, or 0 and 1.

    A mask in colours is one object where it is bright; `by_colour`, each colour but black is one, its value
    0xRRGGBB.

    Raises:
        MaskError: it is damaged, too large, or holds numbers that are no values of a mask.
    """
    try:
        with path.open("rb") as file, _opened_by_pillow(file, str(path)) as picture:
            _check_size(picture.size, MAX_PIXELS.get(), str(path))
            return _values(picture, by_colour)
    except ImageError as error:
        raise MaskError(f"the mask is damaged ({error})") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MaskError):
            raise MaskError(f"{error}: {path}") from None
        raise MaskError(f"the mask is damaged ({error}): {path}") from None


def objects_in(values: Int[np.ndarray, "H W"]) -> Iterator[tuple[int, Bool[np.ndarray, "H W"]]]:
    """Take the values of a mask apart into objects, by the rules above.

    Raises:
        MaskError: there are more colours than objects can have.
    """
    present = [int(value) for value in np.unique(values) if value]
    if len(present) > _MOST_COLOURS and present[-1] > 0xFFFF:
        raise MaskError(f"expected a colour an object, got {len(present)} colours. Save the mask without smoothing")
    if len(present) > 8 and present[-1] == VOID:
        values, present = (values > _HALF).astype(np.uint8), [1]
    if len(present) > 1 and present[-1] == VOID:
        present.remove(VOID)
    yield from ((value, values == value) for value in present)


def paint(masks: Mapping[int, RLE], size_hw: tuple[int, int]) -> UInt16[np.ndarray, "H W"]:
    """Draw masks into one map of values; where they overlap the smaller one is seen."""
    values = np.zeros(size_hw, np.uint16)
    for value in sorted(masks, key=lambda value: -area(masks[value])):
        values[decode(masks[value])] = value
    return values


def binary_png(mask: Bool[np.ndarray, "H W"]) -> bytes:
    """Encode a mask as a PNG of 0 and 255."""
    return _png(PillowImage.fromarray(mask.astype(np.uint8) * 255))


def values_png(values: UInt16[np.ndarray, "H W"]) -> bytes:
    """Encode a map of values as a PNG of 16 bits."""
    return _png(PillowImage.fromarray(values))


def palette_png(values: UInt8[np.ndarray, "H W"]) -> bytes:
    """Encode a map of values as a PNG with the palette of VOC and DAVIS."""
    picture = PillowImage.fromarray(values)
    picture.putpalette(voc_palette())  # which makes it a picture of mode P
    return _png(picture)


def voc_palette() -> list[int]:
    """List 256 colours as PASCAL VOC deals them: the bits of the index spread over red, green and blue."""
    index = np.arange(256)
    colours = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return colours.ravel().tolist()


def _png(picture: PillowImage.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _values(picture: PillowImage.Image, by_colour: bool) -> Int[np.ndarray, "H W"]:
    if picture.mode in ("P", "L", "1") or picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0:
            raise MaskError(f"a mask's values must not be negative, got {values.min()}")
        return values
    if picture.mode == "F":
        raise MaskError("a mask must hold whole numbers, got a picture of floats")
    channels = np.asarray(picture.convert("RGBA"))
    colour, alpha = channels[:, :, :3].astype(np.int64), channels[:, :, 3]
    if (alpha != alpha[0, 0]).any() and (colour[alpha > 0] == colour[alpha > 0][:1]).all():
        return (alpha > _HALF).astype(np.int64)
    if (colour == colour[:, :, :1]).all() and by_colour:
        return colour[:, :, 0]
    if by_colour:
        return colour @ np.array([1 << 16, 1 << 8, 1])
    return (colour.max(-1) > _HALF).astype(np.int64)


__all__ = [
    "VOID",
    "binary_png",
    "objects_in",
    "paint",
    "palette_png",
    "read_values",
    "values_png",
    "voc_palette",
]
