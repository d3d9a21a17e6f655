"""What a user could take instead of a network: fill the box, or OpenCV's GrabCut (Rother et al. 2004) from a box
or clicks.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core.errors import UnsupportedPrompt
from maskwright.core.image import Image
from maskwright.core.prompt import BoxPrompt, PointPrompt, Prompt
from maskwright.core.shapes import SizeHW
from maskwright.evaluate.segmenter import Answer, AnswerPrompt

_ITERATIONS = 5
# A click alone says nothing of size. Probably object within a quarter of the picture's shorter side, surely within a
# fiftieth: the best of 1/8, 1/4, 3/8 on pictures that the project may look at.
_MAYBE, _SURE = 0.25, 0.02


class BoxFill:
    """The box itself; no answer to clicks but a disc around them."""

    name = "box-fill"

    def open(self, image: Image) -> Callable[[], AnswerPrompt]:
        """Nothing to prepare."""

        def answer(prompt: Prompt) -> Answer:
            match prompt:
                case BoxPrompt(box_xyxy=box):
                    return Answer(mask=_rectangle(image.size_hw, box))
                case PointPrompt(points_xy=points, labels=labels):
                    hint = _click_hints(image.size_hw, points, labels or ())
                    return Answer(mask=(hint == cv2.GC_FGD) | (hint == cv2.GC_PR_FGD))
            raise UnsupportedPrompt(f"box-fill takes a box or clicks, got {type(prompt).__name__}")

        return lambda: answer


class GrabCut:
    """Colour models of inside and outside and a minimal cut, started from a box or from clicks."""

    name = "grabcut"

    def open(self, image: Image) -> Callable[[], AnswerPrompt]:
        """Turn the picture to OpenCV's channel order."""
        bgr = np.ascontiguousarray(image.pixels[..., ::-1])

        def answer(prompt: Prompt) -> Answer:
            match prompt:
                case BoxPrompt(box_xyxy=box):
                    hint = np.where(_rectangle(image.size_hw, box), cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
                case PointPrompt(points_xy=points, labels=labels):
                    hint = _click_hints(image.size_hw, points, labels or ())
                case _:
                    raise UnsupportedPrompt(f"grabcut takes a box or clicks, got {type(prompt).__name__}")
            return Answer(mask=_grab(bgr, hint))

        return lambda: answer


def _grab(bgr: UInt8[np.ndarray, "H W 3"], hint: UInt8[np.ndarray, "H W"]) -> np.ndarray:
    """Run GrabCut from hints; a hint without any background or object is its own answer."""
    inside = (hint == cv2.GC_FGD) | (hint == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return inside
    cv2.setRNGSeed(0)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(bgr, hint, (0, 0, 1, 1), background, foreground, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (hint == cv2.GC_FGD) | (hint == cv2.GC_PR_FGD)


def _rectangle(size_hw: SizeHW, box_xyxy: object) -> np.ndarray:
    x1, y1, x2, y2 = np.asarray(box_xyxy, float)
    mask = np.zeros(size_hw, bool)
    mask[max(0, round(y1)) : max(0, round(y2)), max(0, round(x1)) : max(0, round(x2))] = True
    return mask


def _click_hints(size_hw: SizeHW, points_xy: object, labels: object) -> UInt8[np.ndarray, "H W"]:
    height, width = size_hw
    y, x = np.mgrid[:height, :width] + 0.5
    hint = np.full(size_hw, cv2.GC_PR_BGD, np.uint8)
    points, kinds = np.asarray(points_xy, float), np.asarray(labels, int)
    distance = [np.hypot(x - px, y - py) / min(size_hw) for px, py in points]
    for away, kind in zip(distance, kinds, strict=True):
        if kind == 1:
            hint[(away < _MAYBE) & (hint == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
    for away, kind in zip(distance, kinds, strict=True):
        hint[away < _SURE] = cv2.GC_FGD if kind == 1 else cv2.GC_BGD
    return hint


__all__ = ["BoxFill", "GrabCut"]
