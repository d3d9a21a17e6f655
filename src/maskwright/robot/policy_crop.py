"""Windows of a frame: where the crop of an object lies, and cutting it out at the size that a policy takes.

Windows are whole pixels of the frame, x1, y1, x2, y2, and may leave it. Pixels and masks are cut by one rule, so they
stay on each other.
"""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core.shapes import SizeHW
from maskwright.robot.policy_recipe import ColourRGB, CropRule, Padding

Window = tuple[int, int, int, int]
NO_WINDOW: Window = (0, 0, 0, 0)
_OBJECT = 255  # of a mask that is cut


def find_window(mask: Bool[np.ndarray, "H W"], rule: CropRule, size_hw: SizeHW) -> Window | None:
    """Place the window of an object's crop, whose centre is the object's centroid; None where nothing is.

    >>> mask = np.zeros((100, 100), bool); mask[40:60, 30:50] = True
    >>> find_window(mask, CropRule(margin=0.5), (224, 224))
    (25, 35, 55, 65)
    """
    dense = mask.view(np.uint8)
    left, top, width, height = cv2.boundingRect(dense)  # first: moments cost as much as the area that they look at
    if not width:
        return None
    moments = cv2.moments(dense[top : top + height, left : left + width], binaryImage=True)
    x = left + moments["m10"] / moments["m00"] + 0.5
    y = top + moments["m01"] / moments["m00"] + 0.5
    aspect = size_hw[1] / size_hw[0]
    if rule.side_px is not None:
        height = rule.side_px
    else:
        reach_x = max(x - left, left + width - x)
        reach_y = max(y - top, top + height - y, reach_x / aspect)
        height = max(1, round(2 * reach_y * (1 + rule.margin)))
    width = max(1, round(height * aspect))
    x1, y1 = round(x - width / 2), round(y - height / 2)
    if rule.padding == "shift":
        x1, y1 = _inside(x1, width, mask.shape[1]), _inside(y1, height, mask.shape[0])
    return x1, y1, x1 + width, y1 + height


def _inside(start: int, length: int, whole: int) -> int:
    """Shift a stretch inside a whole; one that is longer lies about its middle."""
    return min(max(start, 0), whole - length) if length <= whole else (whole - length) // 2


def cut_pixels(
    pixels: UInt8[np.ndarray, "H W 3"], window: Window, size_hw: SizeHW, *, padding: Padding, fill_rgb: ColourRGB
) -> UInt8[np.ndarray, "h w 3"]:
    """Cut a window out of a frame, and scale it."""
    return resize(_cut(pixels, window, edge=padding == "edge", fill=fill_rgb), size_hw)


def cut_mask(mask: Bool[np.ndarray, "H W"], window: Window, size_hw: SizeHW) -> UInt8[np.ndarray, "h w"]:
    """Cut a window out of a mask, and scale it: 255 where the object is, else 0.

    Where it shrinks, a new pixel takes the old one that holds its centre, as `masks.resize` does; where it grows, edges
    are drawn smoothly, as those of pixels are.
    """
    part = _cut(mask.view(np.uint8), window, edge=False, fill=(0, 0, 0))
    if not cv2.hasNonZero(part):
        return np.zeros(size_hw, np.uint8)
    if _shrinks(part, size_hw):
        nearest = cv2.resize(part, size_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return nearest * np.uint8(_OBJECT)
    grown = cv2.resize(part * np.uint8(_OBJECT), size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(grown, 127, _OBJECT, cv2.THRESH_BINARY)[1]


def resize(picture: UInt8[np.ndarray, "H W 3"], size_hw: SizeHW) -> UInt8[np.ndarray, "h w 3"]:
    """Scale a picture: by means of areas where it shrinks, which keeps thin things, and linearly where it grows."""
    if picture.shape[:2] == size_hw:
        return np.ascontiguousarray(picture)
    way = cv2.INTER_AREA if _shrinks(picture, size_hw) else cv2.INTER_LINEAR
    return cv2.resize(picture, size_hw[::-1], interpolation=way)


def _shrinks(picture: np.ndarray, size_hw: SizeHW) -> bool:
    return size_hw[0] <= picture.shape[0] and size_hw[1] <= picture.shape[1]


def _cut(picture: np.ndarray, window: Window, *, edge: bool, fill: ColourRGB) -> np.ndarray:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = window
    inner = picture[max(y1, 0) : max(min(y2, height), 0), max(x1, 0) : max(min(x2, width), 0)]
    above, below, left, right = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
    if not (above or below or left or right):
        return inner
    if edge:
        return cv2.copyMakeBorder(inner, above, below, left, right, cv2.BORDER_REPLICATE)
    return cv2.copyMakeBorder(inner, above, below, left, right, cv2.BORDER_CONSTANT, value=fill)


__all__ = ["NO_WINDOW", "Window", "cut_mask", "cut_pixels", "find_window", "resize"]
