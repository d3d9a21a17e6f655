"""How good `tiny` believes its masks to be, after what boxes and clicks promise has been kept.

The network predicts the IoU of what it drew; the rules make masks better than it knows, and how little a mask changes
with its threshold tells as much again. Fitted by least absolute deviations on generated scenes, checked on real
pictures: docs/log.md, "what tiny believes".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded
from maskwright.models.tiny.box import FILLED_IOU

# Predicted IoU is shift + by_network * what the network says + by_stability * the mask's stability at a margin of 1.
_MARGIN = 1.0
_BY_BOX, _BY_CLICK = (0.151, 0.389, 0.489), (-0.164, 0.988, 0.228)


def believe(decoded: Decoded, has_box: Bool[Tensor, " N"]) -> Decoded:
    """Say how good first answers are, from their logits and what the network says of them; 0 to 1.

    Boxes that were filled for want of an answer keep what they say.
    """
    said = decoded.predicted_iou
    told = torch.where(has_box[:, None], _line(decoded, *_BY_BOX), _line(decoded, *_BY_CLICK)).clamp(0, 1)
    return Decoded(logits=decoded.logits, predicted_iou=torch.where(said == FILLED_IOU, said, told))


def _line(decoded: Decoded, shift: float, by_network: float, by_stability: float) -> Float[Tensor, "N M"]:
    return shift + by_network * decoded.predicted_iou + by_stability * stability(decoded.logits)


def stability(logits: Float[Tensor, "N M h w"]) -> Float[Tensor, "N M"]:
    """IoU of the masks at thresholds of plus and minus the margin; 0 where there is none."""
    inner, outer = ((logits > threshold).sum((2, 3)) for threshold in (_MARGIN, -_MARGIN))
    return inner / outer.clamp(min=1)


__all__ = ["believe", "stability"]
