"""`mask_png`: a mask as a file of one bit a pixel."""

import io

from PIL import Image as PillowImage

from maskwright.core import RLE
from maskwright.masks import decode


def mask_png(rle: RLE) -> bytes:
    """Draw a mask, white on black. Costs its pixels."""
    file = io.BytesIO()
    PillowImage.fromarray(decode(rle)).save(file, "PNG")
    return file.getvalue()


__all__ = ["mask_png"]
