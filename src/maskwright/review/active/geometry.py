"""What a mask's geometry, and the picture where it is at hand, tell of how hard its object is: thin, dark, see-through.

Functions of one mask and of pixels; nothing is read here.
"""

import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import crop, decode

_RING = 6  # pixels around a mask, which are taken for what is beside or behind it
_BRIGHT = 240  # of 255: from here on a pixel counts as a highlight
_LEAST_RING = 12  # pixels: of fewer nothing is said


def mean_width(rle: RLE, box: BoxXYXY) -> float | None:
    """How many pixels wide a mask is on average: four times the mean distance of its pixels from its edge.

    A strip of width w has w, a disc of diameter d two thirds of d. None for an empty mask.

    Source: local thickness by the distance transform, Hildebrand and Ruegsegger (1997), as one mean.
    """
    x1, y1, x2, y2 = (int(edge) for edge in box)
    if x2 <= x1 or y2 <= y1:
        return None
    import cv2

    # A frame of nothing, so that the edge of the picture counts as an edge of the mask.
    dense = np.pad(decode(crop(rle, (x1, y1, x2, y2))), 1).view(np.uint8)
    if not dense.any():
        return None
    distance = cv2.distanceTransform(dense, cv2.DIST_L2, cv2.DIST_MASK_5)
    # Distances go from centre to centre: the edge itself is half a pixel nearer.
    return float(4 * (distance[dense > 0].mean() - 0.5))


def thinness(rle: RLE, box: BoxXYXY) -> float | None:
    """How thin a mask is beside its picture: 1 for a line, 0.5 where it is a fiftieth of the shorter side wide.

    Source: thin structures are where SAM fails most, Ke et al., "Segment Anything in High Quality" (2023).
    """
    width = mean_width(rle, box)
    if width is None:
        return None
    usual = min(rle.size_hw) / 50
    return usual / (usual + max(0.0, width))


def darkness(pixels: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"]) -> float | None:
    """How dark the picture is within a mask: 1 minus mean luma (BT.601); None for an empty mask.

    Source: low light as a failure of segmentation, as in Sakaridis et al., "ACDC" (2021).
    """
    if not mask.any():
        return None
    red, green, blue = pixels[mask].mean(axis=0)
    return float(1 - (0.299 * red + 0.587 * green + 0.114 * blue) / 255)


def see_through(pixels: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"]) -> float | None:
    """How much what is within a mask looks like what is around it, with highlights on top, 0 to 1: a cue for glass.

    Likeness of mean and spread of colour inside and on a ring around, plus the share of highlights that only the inside
    has. None where there is no ring, or nothing inside. It is a cue: a white cup on white paper has it as well.

    Source: the boundary and appearance cues of Xie et al., "Segmenting Transparent Objects in the Wild" (2020).
    """
    import cv2

    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _RING + 1, 2 * _RING + 1))
    ring = cv2.dilate(mask.view(np.uint8), reach).view(np.bool_) & ~mask
    if not mask.any() or ring.sum() < _LEAST_RING:
        return None
    inside, around = pixels[mask].astype(np.float32), pixels[ring].astype(np.float32)
    apart = np.abs(inside.mean(axis=0) - around.mean(axis=0)).mean() + np.abs(inside.std(0) - around.std(0)).mean()
    highlights = (inside.min(axis=1) >= _BRIGHT).mean() - (around.min(axis=1) >= _BRIGHT).mean()
    likeness = float(np.exp(-apart / 32))
    return float(np.clip(likeness + max(0.0, float(highlights)), 0, 1))


__all__ = ["darkness", "mean_width", "see_through", "thinness"]
