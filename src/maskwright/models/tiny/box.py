"""What a box promises, applied to `tiny`'s answers: the object is inside, and it is there.

A network this small leaks past boxes, loses one small object in fifteen altogether, and is in doubt about large ones.
SAM's own decoder is left to itself; this belongs to `tiny` alone. Constants were chosen on real pictures: docs/log.md,
"what a box promises".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts

_SLACK = 0.01  # how far a mask may reach out of its box, in box sides: for boxes that cut a little
_SLOPE = 2.0  # logits per cell beyond the box: the mask ends at its edge, not at the next cell's middle
_FURTHEST = 2.0  # how far the threshold moves: where nothing is likely, the mask stays empty
# An answer that covers less of its box than this has lost the object. The box itself is nearer to the truth then, and
# says so by the IoU that filled boxes have on real objects.
_LEAST_SHARE, FILLED_IOU = 0.1, 0.66
_TOP_LEFT, _BOTTOM_RIGHT = 2, 3


def keep_promises(decoded: Decoded, prompts: FramePrompts, side: int) -> Decoded:
    """Draw the likeliest mask inside each box, cut there; where a box alone found next to nothing, answer with the box.

    `side` is the frame's, in pixels. Prompts without a box come back as they were.
    """
    has_box = (prompts.labels == _TOP_LEFT).any(1)
    if not has_box.any():
        return decoded
    h = decoded.logits.shape[-1]
    beyond, size = distance_beyond(prompts, side / h, h)  # N h h, N
    inside = beyond < beyond.flatten(1).amin(1).clamp(min=0)[:, None, None] + 1e-6
    covered = ((decoded.logits > 0) & inside[:, None]).flatten(2).sum(2) / inside.flatten(1).sum(1)[:, None]
    is_lost = (covered < _LEAST_SHARE) & _says_no_more(prompts)[:, None]
    filled = (-_SLOPE * beyond)[:, None]
    threshold = best_threshold(decoded.logits, inside).clamp(-_FURTHEST, _FURTHEST)
    levelled = decoded.logits - threshold[..., None, None]
    cut = torch.minimum(levelled, -_SLOPE * (beyond - _SLACK * size[:, None, None])[:, None])
    logits = torch.where(is_lost[..., None, None], filled, cut)
    return Decoded(
        logits=torch.where(has_box[:, None, None, None], logits, decoded.logits),
        predicted_iou=torch.where(
            is_lost & has_box[:, None], torch.full_like(decoded.predicted_iou, FILLED_IOU), decoded.predicted_iou
        ),
    )


def best_threshold(logits: Float[Tensor, "N M h w"], inside: Bool[Tensor, "N h w"]) -> Float[Tensor, "N M"]:
    """Find the logit at which a mask has the highest expected IoU, if probabilities inside are what they say.

    The mask of the k most probable cells has an expected intersection of the sum of their p, and a union of k plus the
    sum of the others' p (Nowozin, "Optimal decisions from probabilistic models", 2014). Zero is the threshold for
    counting errors alike inside and outside; IoU wants a lower one where the network is in doubt about a large region.
    """
    flat = torch.where(inside[:, None], logits, torch.full_like(logits, -torch.inf)).flatten(2)
    ordered = flat.sort(-1, descending=True).values  # N M hw
    total = ordered.sigmoid().cumsum(-1)
    count = torch.arange(1, flat.shape[-1] + 1, device=flat.device)
    last = (total / (count + total[..., -1:] - total)).argmax(-1, keepdim=True)  # the least probable cell to keep
    kept = ordered.gather(-1, last)
    left_out = ordered.gather(-1, (last + 1).clamp(max=flat.shape[-1] - 1))
    return torch.where(left_out.isfinite(), (kept + left_out) / 2, kept - 1)[..., 0]


def distance_beyond(
    prompts: FramePrompts, stride: float, num_cells: int
) -> tuple[Float[Tensor, "N h h"], Float[Tensor, " N"]]:
    """How far each cell's middle lies beyond each prompt's box, in cells (negative inside), and the box's mean side."""
    low = _corner(prompts, _TOP_LEFT) / stride
    high = _corner(prompts, _BOTTOM_RIGHT) / stride
    middle = torch.arange(num_cells, device=low.device, dtype=low.dtype) + 0.5
    x = torch.maximum(low[:, :1] - middle, middle - high[:, :1])  # N h
    y = torch.maximum(low[:, 1:] - middle, middle - high[:, 1:])
    return torch.maximum(y[:, :, None], x[:, None, :]), (high - low).clamp(min=0).prod(1).sqrt()


def _corner(prompts: FramePrompts, label: int) -> Float[Tensor, "N 2"]:
    return (prompts.points * (prompts.labels == label)[..., None]).sum(1)


def _says_no_more(prompts: FramePrompts) -> Bool[Tensor, " N"]:
    """Whether a prompt is a box alone: clicks know where the object is, and words may name what is not there."""
    alone = ~((prompts.labels == 0) | (prompts.labels == 1)).any(1)
    return alone if prompts.text is None else torch.zeros_like(alone)


__all__ = ["FILLED_IOU", "best_threshold", "distance_beyond", "keep_promises"]
