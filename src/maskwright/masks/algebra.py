"""Sets of pixels: area, tight box, union, intersection, difference, complement and intersection over union.

Everything runs on the runs; nothing is decoded. Masks of different sizes are an error, never broadcast.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY
from maskwright.masks._engine import RLEMask, count_pixels, parse, parse_all, unparse


def area(rle: RLE) -> int:
    """Count the pixels of a mask."""
    return int(parse(rle).area())


def areas(rles: Sequence[RLE]) -> Int[np.ndarray, " N"]:
    """Count the pixels of each mask; the sizes may differ."""
    return count_pixels(rles)


def is_empty(rle: RLE) -> bool:
    """Tell whether a mask has no pixels."""
    return not parse(rle).any()


def box_xyxy(rle: RLE) -> BoxXYXY:
    """Find the smallest box around a mask, with exclusive right and bottom edges; (0, 0, 0, 0) if it is empty.

    >>> from maskwright.masks import from_runs
    >>> box_xyxy(from_runs([3, 1, 0], (2, 2)))
    (1.0, 1.0, 2.0, 2.0)
    """
    x, y, width, height = parse(rle).bbox().tolist()
    return x, y, x + width, y + height


def boxes_xyxy(rles: Sequence[RLE]) -> Float[np.ndarray, "N 4"]:
    """Find the tight xyxy box of each mask; the sizes may differ."""
    return np.array([box_xyxy(rle) for rle in rles], np.float64).reshape(-1, 4)


def union(rles: Sequence[RLE]) -> RLE:
    """Join masks of one size.

    Raises:
        MaskError: there is no mask, or the sizes differ.
    """
    return unparse(RLEMask.union(_at_least_one("union", rles)))


def intersection(rles: Sequence[RLE]) -> RLE:
    """Keep the pixels that all masks share.

    Raises:
        MaskError: there is no mask, or the sizes differ.
    """
    return unparse(RLEMask.intersection(_at_least_one("intersection", rles)))


def difference(rle: RLE, minus: RLE) -> RLE:
    """Take the pixels of `minus` out of a mask.

    Raises:
        MaskError: the sizes differ.
    """
    kept, removed = parse_all([rle, minus])
    return unparse(kept - removed)


def complement(rle: RLE) -> RLE:
    """Swap the mask and the rest of the image."""
    return unparse(~parse(rle))


def iou_matrix(
    rles: Sequence[RLE], others: Sequence[RLE], *, is_crowd: Sequence[bool] | Bool[np.ndarray, " J"] | None = None
) -> Float[np.ndarray, "I J"]:
    """Compute the intersection over union of every pair; two empty masks have 0, as in COCO.

    Where `is_crowd` is true, the union is the area of the mask in `rles` alone: COCO's rule for a crowd region, which
    may hold many objects.

    Raises:
        MaskError: the sizes differ, or `is_crowd` has not one entry for each of `others`.
    """
    parsed = parse_all([*rles, *others])
    left, right = parsed[: len(rles)], parsed[len(rles) :]
    ious = _ious(left, right)
    if is_crowd is None:
        return ious
    crowd = np.asarray(is_crowd, dtype=bool)
    if crowd.shape != (len(others),):
        raise MaskError(f"is_crowd needs one entry for each of the {len(others)} masks, got shape {crowd.shape}")
    left_areas = np.array([mask.area() for mask in left], np.float64)[:, None]
    right_areas = np.array([mask.area() for mask in right], np.float64)[None, :]
    # i / (a + b - i) solved for i; a whole number, so rounding restores it exactly
    shared = np.rint(ious * (left_areas + right_areas) / (1 + ious))
    return np.where(crowd, shared / np.maximum(left_areas, 1), ious)


def _ious(left: list[RLEMask], right: list[RLEMask]) -> Float[np.ndarray, "I J"]:
    if not left or not right:
        return np.zeros((len(left), len(right)))
    return np.asarray(RLEMask.iou_matrix(left, right), np.float64)


def _at_least_one(what: str, rles: Sequence[RLE]) -> list[RLEMask]:
    if not rles:
        raise MaskError(f"the {what} needs at least one mask, got none. Start from empty_mask or full_mask.")
    return parse_all(rles)


__all__ = [
    "area",
    "areas",
    "box_xyxy",
    "boxes_xyxy",
    "complement",
    "difference",
    "intersection",
    "iou_matrix",
    "is_empty",
    "union",
]
