"""Bitmaps to run lengths and back: `encode`, `decode`, and the runs as numbers.

Bytes are identical to pycocotools': column-major runs that begin with zeros. Dense masks are bool (height, width); a
probability or a 0/255 picture is refused, because the threshold is the caller's decision.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt32

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks._engine import RLEMask, parse, parse_all, unparse

MAX_PIXELS = 2**32 - 1  # the engine counts pixels in uint32


def encode(mask: Bool[np.ndarray, "H W"]) -> RLE:
    """Encode one mask.

    >>> encode(np.array([[False, True], [False, True]]))
    RLE(size_hw=(2, 2), counts=b'22')

    Raises:
        MaskError: the array is not bool (H, W), or has no pixels.
    """
    _check_dense(mask, ndim=2)
    return unparse(RLEMask.from_array(mask))


def encode_batch(masks: Bool[np.ndarray, "N H W"]) -> list[RLE]:
    """Encode a stack of masks, one RLE each.

    Raises:
        MaskError: the array is not bool (N, H, W), or its masks have no pixels.
    """
    _check_dense(masks, ndim=3)
    return [unparse(RLEMask.from_array(mask)) for mask in masks]


def decode(rle: RLE) -> Bool[np.ndarray, "H W"]:
    """Decode one mask into a C-ordered array that the caller owns.

    Raises:
        MaskError: the counts are malformed.
    """
    return parse(rle).to_array(order="C").view(np.bool_)


def decode_batch(rles: Sequence[RLE], *, size_hw: SizeHW | None = None) -> Bool[np.ndarray, "N H W"]:
    """Decode masks of one size into a stack; `size_hw` is needed only where there may be none.

    Raises:
        MaskError: the sizes differ, counts are malformed, or there is neither a mask nor a size.
    """
    if not rles and size_hw is None:
        raise MaskError("decoding no masks needs a size, got an empty sequence. Pass size_hw=(height, width).")
    masks = parse_all(rles)
    height, width = size_hw or rles[0].size_hw
    if rles and rles[0].size_hw != (height, width):
        got = "{}x{}".format(*rles[0].size_hw)
        raise MaskError(f"masks must have the size asked for, {height}x{width} (height x width), got {got}")
    stack = np.zeros((len(masks), height, width), np.uint8)
    for mask, dense in zip(masks, stack, strict=True):
        mask.decode_into(dense, fg_value=1)
    return stack.view(np.bool_)


def empty_mask(size_hw: SizeHW) -> RLE:
    """Make the mask of no pixels."""
    return unparse(RLEMask.zeros(_check_size(size_hw)))


def full_mask(size_hw: SizeHW) -> RLE:
    """Make the mask of every pixel."""
    return unparse(RLEMask.ones(_check_size(size_hw)))


def runs(rle: RLE) -> UInt32[np.ndarray, " R"]:
    """List the run lengths: column-major, the first is of zeros and may be 0.

    Raises:
        MaskError: the counts are malformed.
    """
    return parse(rle).counts


def from_runs(run_lengths: Sequence[int] | np.ndarray, size_hw: SizeHW) -> RLE:
    """Make a mask of run lengths: column-major, beginning with zeros. Inner runs of length 0 are joined away.

    >>> from_runs([1, 2, 1], (2, 2)).counts
    b'121'

    Raises:
        MaskError: a run is negative or not a whole number, or the runs do not add up to height times width.
    """
    height, width = _check_size(size_hw)
    lengths = _check_whole(run_lengths)
    total = sum(lengths.tolist())
    if total != height * width:
        raise MaskError(f"runs must add up to height x width = {height}x{width} = {height * width} pixels, got {total}")
    return unparse(RLEMask.from_counts(lengths.astype(np.uint32), (height, width), validate_sum=False))


def _check_dense(array: Any, *, ndim: int) -> None:
    shape = "(H, W)" if ndim == 2 else "(N, H, W)"
    what = "a mask" if ndim == 2 else "a stack of masks"
    if not isinstance(array, np.ndarray):
        raise MaskError(f"{what} must be a bool array of shape {shape}, got {type(array).__name__}")
    if array.ndim != ndim:
        fix = (
            " Use encode_batch." if (ndim, array.ndim) == (2, 3) else " Add an axis: masks[None]." if ndim == 3 else ""
        )
        raise MaskError(f"{what} must have shape {shape}, got {array.shape}.{fix}")
    if array.dtype != np.bool_:
        raise MaskError(f"{what} must be bool, got {array.dtype}. Compare first: mask > 0.")
    _check_size((array.shape[-2], array.shape[-1]))


def _check_size(size_hw: SizeHW) -> SizeHW:
    try:
        height, width = (int(side) for side in size_hw)
        is_whole = (height, width) == tuple(size_hw)
    except (TypeError, ValueError, OverflowError) as error:
        raise MaskError(f"a mask's size must be two whole numbers (height, width), got {size_hw!r}") from error
    if not is_whole or height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise MaskError(f"a mask's size must be (height, width) of at least 1x1 and below 2^32 pixels, got {size_hw!r}")
    return height, width


def _check_whole(run_lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    lengths = np.asarray(run_lengths)
    if lengths.ndim != 1 or (lengths.size and lengths.dtype.kind not in "iu"):
        raise MaskError(f"runs must be a flat sequence of whole numbers, got {lengths.dtype} of shape {lengths.shape}")
    if lengths.size and int(lengths.min()) < 0:
        at = int(np.flatnonzero(lengths < 0)[0])
        raise MaskError(f"runs must not be negative, got {int(lengths[at])} at index {at}")
    return lengths


__all__ = ["decode", "decode_batch", "empty_mask", "encode", "encode_batch", "from_runs", "full_mask", "runs"]
