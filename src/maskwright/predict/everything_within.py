"""Everything in a box of a picture: the points lie in the box, and masks that lie mostly outside it are left out.

The whole picture is what the network sees, so that an embedding at hand saves the encoder, and an object that reaches
out of the box stays whole. Crops of the settings are left out: a box is looked at closely by its points.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from maskwright.core import BoxPrompt, MaskRecord, SizeHW
from maskwright.core.errors import PromptOutsideImage
from maskwright.masks import area, crop
from maskwright.predict.everything_settings import CropBox, EverythingSettings

# A mask with less of its pixels in the box is of something else that the box only touches.
LEAST_WITHIN = 0.75


def box_within(box: BoxPrompt, size_hw: SizeHW) -> CropBox:
    """The part of a box that lies in the picture, as whole pixels.

    Raises:
        PromptOutsideImage: there is none.
    """
    (x1, y1, x2, y2), (height, width) = box.box_xyxy, size_hw
    left, top = max(int(x1), 0), max(int(y1), 0)
    right, bottom = min(int(np.ceil(x2)), width), min(int(np.ceil(y2)), height)
    if left >= right or top >= bottom:
        raise PromptOutsideImage(
            f"the box {x1:g},{y1:g},{x2:g},{y2:g} lies outside the image of {width}x{height}. Give pixels of the image"
        )
    return left, top, right, bottom


def points_within(settings: EverythingSettings, box: CropBox, size_hw: SizeHW) -> EverythingSettings:
    """Lay the points of the settings over a box instead of the whole picture."""
    grid = settings.point_grid(0)
    low, high = np.array(box[:2]), np.array(box[2:])
    size_wh = np.array(size_hw[::-1])
    return replace(
        settings, points_per_side=None, point_grids=((low + grid * (high - low)) / size_wh,), crop_n_layers=0
    )


def mostly_within(records: Iterable[MaskRecord], box: CropBox) -> Iterator[MaskRecord]:
    """Leave out the masks of which less than `LEAST_WITHIN` lies in a box."""
    return (one for one in records if one.area and area(crop(one.rle, box)) >= LEAST_WITHIN * one.area)


__all__ = ["LEAST_WITHIN", "box_within", "mostly_within", "points_within"]
