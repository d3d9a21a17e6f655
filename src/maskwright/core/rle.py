"""`RLE`: a binary mask as COCO's compressed run lengths, the form in which masks travel.

A value only. Encoding, decoding and all algebra are in `maskwright.masks`; this module knows just what makes a value
well-formed enough to be kept. The runs are column-major and begin with zeros, as in COCO.
"""

from dataclasses import dataclass
from operator import index

from maskwright.core.errors import MaskError
from maskwright.core.shapes import SizeHW


@dataclass(frozen=True, slots=True)
class RLE:
    """A binary mask of `size_hw` pixels.

    `counts` are COCO's compressed bytes (LEB128-like, 5 bits a character), identical to what pycocotools writes.
    Source: pycocotools `maskApi.c`, `rleToString`.
    """

    size_hw: SizeHW
    counts: bytes

    def __post_init__(self) -> None:
        try:
            height, width = (index(side) for side in self.size_hw)
        except (TypeError, ValueError) as error:
            raise MaskError(f"a mask's size must be two whole numbers (height, width), got {self.size_hw!r}") from error
        object.__setattr__(self, "size_hw", (height, width))
        if height < 1 or width < 1:
            raise MaskError(f"a mask needs a size of at least 1x1 (height, width), got {height}x{width}")
        if not isinstance(self.counts, bytes):
            raise MaskError(
                f"RLE counts must be bytes, got {type(self.counts).__name__}. Use masks.from_coco for COCO's JSON."
            )
        if not self.counts.isascii():
            raise MaskError("RLE counts must be COCO's characters '0' to 'o', got bytes that are not ASCII")


__all__ = ["RLE"]
