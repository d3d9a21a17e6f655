"""The narrow door to rlemasklib, the library that computes on runs. No other module imports it.

Decides how a value of `core` enters and leaves the library, and that every refusal of it becomes a `MaskError`.
The library has one maintainer; whatever replaces it has to satisfy the callers of this file and pycocotools' bytes.
"""

from collections.abc import Sequence

import numpy as np
import rlemasklib
from jaxtyping import Int
from rlemasklib import RLEMask

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE


def parse(rle: RLE) -> RLEMask:
    """Read the compressed counts. Cost: about 2 us for an object's mask.

    Raises:
        MaskError: the counts are not runs that add up to the mask's height times width.
    """
    try:
        return RLEMask.from_dict({"size": rle.size_hw, "counts": rle.counts})
    except ValueError as error:
        height, width = rle.size_hw
        raise MaskError(
            f"RLE counts must be runs that add up to height x width = {height}x{width} = {height * width} pixels, "
            f"got {len(rle.counts)} bytes that do not. Were they cut off, or made for another size?"
        ) from error


def parse_all(rles: Sequence[RLE]) -> list[RLEMask]:
    """Read several masks that must have one size.

    Raises:
        MaskError: the sizes differ, or counts are malformed.
    """
    sizes = {rle.size_hw for rle in rles}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise MaskError(f"masks must have one size (height x width), got {listed}. Resize or paste them first.")
    return [parse(rle) for rle in rles]


def count_pixels(rles: Sequence[RLE]) -> Int[np.ndarray, " N"]:
    """Count the pixels of masks of any size in one call, at half the cost of parsing each.

    Raises:
        MaskError: counts are malformed.
    """
    if not rles:
        return np.zeros(0, np.int64)
    try:
        return rlemasklib.area([{"size": rle.size_hw, "counts": rle.counts} for rle in rles]).astype(np.int64)
    except ValueError:
        return np.array([parse(rle).area() for rle in rles], np.int64)  # which says what is wrong


def unparse(mask: RLEMask) -> RLE:
    """Write the runs as COCO's compressed counts."""
    return RLE(mask.shape, mask.to_dict()["counts"])


__all__ = ["RLEMask", "count_pixels", "parse", "parse_all", "unparse"]
