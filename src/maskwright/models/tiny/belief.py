"""How good `tiny` believes its answers to boxes to be, after what boxes promise has been kept.

The network predicts the IoU of what it drew; the rules make masks better than it knows, and how little a mask changes
with its threshold tells as much again. Fitted by least absolute deviations on generated scenes, checked on real
pictures: docs/log.md, "what tiny believes".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded
from maskwright.models.tiny.box import FILLED_IOU

_MARGIN = 1.0  # of stability
_SHIFT, _BY_NETWORK, _BY_STABILITY = 0.151, 0.389, 0.489


def believe(decoded: Decoded, has_box: Bool[Tensor, " N"]) -> Decoded:
    """Say how good answers to boxes are, from their logits and what the network says of them; 0 to 1.

    Boxes that were filled for want of an answer keep what they say, and so do prompts without a box: of a click alone
    stability tells little, and everything-mode has to choose by scores before anything is drawn.
    """
    said = decoded.predicted_iou
    told = (_SHIFT + _BY_NETWORK * said + _BY_STABILITY * stability(decoded.logits)).clamp(0, 1)
    stays = (said == FILLED_IOU) | ~has_box[:, None]
    return Decoded(logits=decoded.logits, predicted_iou=torch.where(stays, said, told))


def stability(logits: Float[Tensor, "N M h w"]) -> Float[Tensor, "N M"]:
    """IoU of the masks at thresholds of plus and minus the margin; 0 where there is none."""
    inner, outer = ((logits > threshold).sum((2, 3)) for threshold in (_MARGIN, -_MARGIN))
    return inner / outer.clamp(min=1)


__all__ = ["believe", "stability"]
