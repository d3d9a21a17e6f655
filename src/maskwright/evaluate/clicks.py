"""Where a simulated user clicks next, given an answer and the truth.

`middle_click` is the protocol of interactive segmentation: the middle of the largest error. `random_click` is a person:
any error, the larger the likelier, and somewhere in it, the deeper inside the likelier. The middle of a region is its
pixel furthest from the region's border and from the picture's edge.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from maskwright.evaluate.thinness import distance_inside

# What is wrong with an answer: bitmaps of the predicted and the true mask in, a click out.
ChooseClick = Callable[[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]], "Click"]


@dataclass(frozen=True, slots=True)
class Click:
    """A click in image pixels: on what is missing (label 1), or on what is too much (label 0)."""

    xy: tuple[float, float]
    label: int


def middle_click(predicted: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"]) -> Click:
    """Click in the middle of the largest error; the masks must differ."""
    missing, extra, corner_xy = _errors(predicted, truth)
    depth_missing, depth_extra = distance_inside(missing), distance_inside(extra)
    depth, label = (depth_missing, 1) if depth_missing.max() >= depth_extra.max() else (depth_extra, 0)
    return _at(int(depth.argmax()), depth.shape[1], corner_xy, label)


def random_click(
    predicted: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"], *, rng: np.random.Generator
) -> Click:
    """Click somewhere in an error that is chosen by its area, more likely deep inside; the masks must differ."""
    missing, extra, corner_xy = _errors(predicted, truth)
    num_missing, missing_parts = cv2.connectedComponents(missing.astype(np.uint8))
    _, extra_parts = cv2.connectedComponents(extra.astype(np.uint8))
    parts = np.where(extra_parts > 0, extra_parts + num_missing - 1, missing_parts)
    areas = np.bincount(parts.ravel())[1:]
    chosen = 1 + int(rng.choice(len(areas), p=areas / areas.sum()))
    depth = distance_inside(parts == chosen).ravel().astype(np.float64)
    at = int(rng.choice(depth.size, p=depth / depth.sum()))
    return _at(at, parts.shape[1], corner_xy, 1 if chosen < num_missing else 0)


def _errors(
    predicted: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"]
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"], tuple[int, int]]:
    """Cut out what is missing and what is too much, on the box around both; with its corner."""
    wrong = predicted != truth
    rows, columns = np.flatnonzero(wrong.any(1)), np.flatnonzero(wrong.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return wrong[box] & truth[box], wrong[box] & predicted[box], (int(columns[0]), int(rows[0]))


def _at(index: int, width: int, corner_xy: tuple[int, int], label: int) -> Click:
    y, x = divmod(index, width)
    return Click((corner_xy[0] + x + 0.5, corner_xy[1] + y + 0.5), label)


__all__ = ["ChooseClick", "Click", "middle_click", "random_click"]
