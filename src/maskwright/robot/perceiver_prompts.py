"""Prompts in time: what was said about one picture, as it has to be said about a later one.

A box or a click is about the picture that its giver saw. When the model is busy then, it is asked about a later one.
"""

import numpy as np
from jaxtyping import Float

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, Prompt, SizeHW
from maskwright.core.prompt import SinglePrompt, prompt_parts
from maskwright.masks import decode
from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask


def moved(prompt: Prompt, motion: Motion, size_hw: SizeHW) -> Prompt:
    """Move a prompt along; what would leave the picture stays at its edge, and words stay as they are."""
    parts: list[SinglePrompt] = [_moved(part, motion, size_hw) for part in prompt_parts(prompt)]
    return CombinedPrompt(parts) if isinstance(prompt, CombinedPrompt) else parts[0]


def rescaled(prompt: Prompt, before_hw: SizeHW, size_hw: SizeHW) -> Prompt | None:
    """Say the same about a picture of another size; None where that cannot be said, as of masks."""
    by = np.array([size_hw[1] / before_hw[1], size_hw[0] / before_hw[0]])
    match prompt:
        case BoxPrompt(box):
            return BoxPrompt(tuple((np.array(box).reshape(2, 2) * by).ravel().tolist()))
        case PointPrompt(points, labels):
            return PointPrompt([(x * by[0], y * by[1]) for x, y in points], labels)
        case MaskPrompt() | CombinedPrompt():
            return None
        case _:
            return prompt


def _moved(part: SinglePrompt, motion: Motion, size_hw: SizeHW) -> SinglePrompt:
    match part:
        case PointPrompt(points, labels):
            moved_xy = np.array(points) + [_flow_in(motion, size_hw, (x, y, x, y)) for x, y in points]
            return PointPrompt([_inside(x, y, size_hw) for x, y in moved_xy.tolist()], labels)
        case BoxPrompt(box):
            x1, y1, x2, y2 = box
            dx, dy = _flow_in(motion, size_hw, (x1, y1, x2, y2))
            dx = min(max(dx, 1 - x2), size_hw[1] - 1 - x1)
            dy = min(max(dy, 1 - y2), size_hw[0] - 1 - y1)
            return BoxPrompt((x1 + dx, y1 + dy, x2 + dx, y2 + dy))
        case MaskPrompt(rle):
            grid_hw = (motion.backward.shape[0], motion.backward.shape[1])
            carried, _, _ = motion.carry(SoftMask.of_bits(decode(rle), grid_hw))
            return MaskPrompt(carried.rle(size_hw))
        case _:
            return part


def _flow_in(motion: Motion, size_hw: SizeHW, box: tuple[float, ...]) -> tuple[float, float]:
    """The median motion inside the middle half of a box, in image pixels."""
    h, w = motion.forward.shape[:2]
    across, down = w / size_hw[1], h / size_hw[0]
    x1, y1, x2, y2 = box
    part = motion.forward[_middle(y1 * down, y2 * down, h), _middle(x1 * across, x2 * across, w)]
    flow: Float[np.ndarray, " 2"] = np.median(part.reshape(-1, 2), axis=0)
    return float(flow[0]) / across, float(flow[1]) / down


def _middle(begin: float, end: float, size: int) -> slice:
    quarter = (end - begin) / 4
    first = min(max(int(begin + quarter), 0), size - 1)
    return slice(first, max(first + 1, min(int(end - quarter) + 1, size)))


def _inside(x: float, y: float, size_hw: SizeHW) -> tuple[float, float]:
    return min(max(x, 0.0), size_hw[1] - 1.0), min(max(y, 0.0), size_hw[0] - 1.0)


__all__ = ["moved", "rescaled"]
