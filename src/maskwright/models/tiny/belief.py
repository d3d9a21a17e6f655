"""How good `tiny` believes its answers to be, after what boxes and clicks promise has been kept.

The network predicts the IoU of what it drew, and knows neither what the rules made of it nor what a user saw before. Of
a box, the outline tells as much again: ragged and slender masks are worse. Of a correction, how little it changed:
whoever clicks at what is most wrong, and changes little, had a good mask. Fitted by least absolute deviations on
generated scenes, checked on real pictures: docs/log.md, "belief in boxes and corrections".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.box import FILLED_IOU
from maskwright.models.tiny.clicks import corrects

# Lines through what the network says and, of boxes, the outline; of corrections, what stayed.
_BOX, _BOX_BY_NETWORK, _BOX_BY_OUTLINE = 0.758, 0.325, -0.018
_CORRECTION, _CORRECTION_BY_NETWORK, _CORRECTION_BY_STAYING = -0.046, 0.556, 0.520
_TOP_LEFT = 2


def believe(decoded: Decoded, prompts: FramePrompts, side: int) -> Decoded:
    """Say how good answers to boxes and to corrections by clicks are; 0 to 1. `side` is the frame's, in pixels.

    All others keep what they say: boxes that were filled for want of an answer, masks, clicks that an earlier mask
    honoured already, and first clicks, of which nothing here tells more than the network.
    """
    said, masks = decoded.predicted_iou, decoded.logits > 0
    if prompts.mask_logits is not None:
        staying = _iou(prompts.mask_logits > 0, masks)
        told = _CORRECTION + _CORRECTION_BY_NETWORK * said + _CORRECTION_BY_STAYING * staying
        is_told = corrects(prompts, side)[:, None]
    else:
        is_told = (prompts.labels == _TOP_LEFT).any(1)[:, None] & (said != FILLED_IOU)
        if not is_told.any():
            return decoded
        told = _BOX + _BOX_BY_NETWORK * said + _BOX_BY_OUTLINE * outline(masks)
    told = told.clamp(0, 1) * masks.flatten(2).any(2)
    return Decoded(logits=decoded.logits, predicted_iou=torch.where(is_told, told, said))


def outline(masks: Bool[Tensor, "N M h w"]) -> Float[Tensor, "N M"]:
    """How many sides of cells a mask's border has, in sides of a square of its area: 4 for a square, 0 for nothing.

    The frame's edge is no border.
    """
    across = (masks[..., 1:] != masks[..., :-1]).sum((2, 3))
    down = (masks[..., 1:, :] != masks[..., :-1, :]).sum((2, 3))
    return (across + down) / masks.sum((2, 3)).clamp(min=1).sqrt()


def _iou(first: Bool[Tensor, "N _M h w"], second: Bool[Tensor, "N M h w"]) -> Float[Tensor, "N M"]:
    return (first & second).sum((2, 3)) / (first | second).sum((2, 3)).clamp(min=1)


__all__ = ["believe", "outline"]
