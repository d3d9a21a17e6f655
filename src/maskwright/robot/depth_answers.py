"""`look_with_depth`: a prompt answered by a model that sees colours, and corrected by depth.

A click says less than a box. Where the place that was clicked gave no sound depth, the hole around it may say what the
box is; asking the model again with that is an option.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from maskwright.core import BoxPrompt, Image, PointPrompt, Prompt
from maskwright.core.errors import ImageError
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import decode
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.looks import Look, look
from maskwright.robot.depth_cues import DepthCues, closed, filled, find_cues, opened
from maskwright.robot.depth_maps import DepthMap
from maskwright.robot.depth_refine import Refined, refine_with_depth

_JOINS_PX, _REACH_PX = 4, 12
_LEAST_SIDE = 4
_FILLS = 0.5  # share of a hole's box that its answer has to fill, chosen on training scenes; less is a wrong box


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthAnswer:
    """What the model saw by colours alone, the look that was refined, the mask after depth, and the box that a hole
    suggested for a click, where one did.
    """

    first: Look
    look: Look
    refined: Refined
    hole_box: BoxXYXY | None = None


def look_with_depth(
    model: Model,
    image: Image,
    prompt: Prompt,
    depth: DepthMap,
    *,
    cues: DepthCues | None = None,
    embedding: ImageEmbedding | None = None,
    by_hole: bool = False,
) -> DepthAnswer:
    """Answer a box or clicks. `cues` and `embedding` are the frame's, where they are at hand.

    `by_hole` asks the model again by the box of the hole that was clicked. It is off, because on scenes that nothing
    was chosen on it made masks worse: a hole's box is too often that of a scrap, or of two things.

    Raises:
        ImageError: depth and picture are of different size.
        PromptError: as `predict` does.
    """
    if depth.size_hw != image.size_hw:
        raise ImageError(f"depth must have the picture's size, {image.size_hw} (h, w), got {depth.size_hw}")
    cues = find_cues(depth) if cues is None else cues
    embedding = embed(model, image) if embedding is None else embedding
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    first = look(model, image, prompt, embedding=embedding)
    if by_hole and isinstance(prompt, PointPrompt) and (suggested := _hole_at(prompt, cues)) is not None:
        again = look(model, image, BoxPrompt(suggested), embedding=embedding)
        refined = refine_with_depth(decode(again.record().rle), cues, box=suggested, grey=grey)
        if _covers(refined.mask, prompt) and _fills(refined.mask, suggested):
            return DepthAnswer(first=first, look=again, refined=refined, hole_box=suggested)
    box = _corners(prompt.box_xyxy) if isinstance(prompt, BoxPrompt) else None
    refined = refine_with_depth(decode(first.record().rle), cues, box=box, grey=grey)
    return DepthAnswer(first=first, look=first, refined=refined)


def _corners(box: Sequence[float]) -> BoxXYXY:
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2


def _hole_at(prompt: PointPrompt, cues: DepthCues) -> BoxXYXY | None:
    """Box the failing depth at the first positive click, or near it."""
    joined = opened(filled(closed(cues.holes | cues.rough, _JOINS_PX)), 3)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8), connectivity=4)
    at = next((xy for xy, label in zip(prompt.points_xy, prompt.labels or (), strict=True) if label == 1), None)
    found = 0 if at is None else _label_near(labels, at)
    if not found:
        return None
    x, y, w, h, _ = stats[found].tolist()
    return None if min(w, h) < _LEAST_SIDE else (float(x), float(y), float(x + w), float(y + h))


def _label_near(labels: np.ndarray, at_xy: tuple[float, float]) -> int:
    """The label at a place or, within 12 pixels, nearest to it; 0 for none."""
    height, width = labels.shape
    x, y = min(max(0, int(at_xy[0])), width - 1), min(max(0, int(at_xy[1])), height - 1)
    top, left = max(0, y - _REACH_PX), max(0, x - _REACH_PX)
    near = labels[top : y + _REACH_PX + 1, left : x + _REACH_PX + 1]
    ys, xs = np.nonzero(near)
    if not len(ys):
        return 0
    away = (ys + top - y) ** 2 + (xs + left - x) ** 2
    nearest = int(np.argmin(away))
    return int(near[ys[nearest], xs[nearest]]) if away[nearest] <= _REACH_PX**2 else 0


def _fills(mask: Bool[np.ndarray, "H W"], box: BoxXYXY) -> bool:
    """Whether a mask is the thing of a box, and not a scrap in it."""
    x1, y1, x2, y2 = box
    return bool(np.count_nonzero(mask) > _FILLS * (x2 - x1) * (y2 - y1))


def _covers(mask: Bool[np.ndarray, "H W"], prompt: PointPrompt) -> bool:
    """Whether a mask holds every positive click and no negative one."""
    height, width = mask.shape
    return all(
        bool(mask[min(max(0, int(y)), height - 1), min(max(0, int(x)), width - 1)]) == bool(label)
        for (x, y), label in zip(prompt.points_xy, prompt.labels or (), strict=True)
    )


__all__ = ["DepthAnswer", "look_with_depth"]
