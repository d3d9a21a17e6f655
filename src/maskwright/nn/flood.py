"""`flood`: the islands of masks that seeds lie on, in torch, for many masks at once on a GPU.

The twin of `maskwright.masks.islands` for logits that have not left the device.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

# A sweep goes along whole rows, then along whole columns, so only a mask that winds about needs many. Asking whether
# more is to be done makes the GPU wait, so it is asked once in some.
_MOST_SWEEPS, _SWEEPS_UNASKED = 64, 4


def flood(masks: Bool[Tensor, "Q h w"], seeds: Bool[Tensor, "Q h w"]) -> Bool[Tensor, "Q h w"]:
    """Keep the pixels that a path of neighbours (up, down, left, right) inside the mask joins to a seed.

    Nothing waits for the GPU but the question whether more is to be done.
    """
    reached = masks & seeds
    across, down = _runs(masks), _runs(masks.transpose(1, 2))
    for _ in range(_MOST_SWEEPS // _SWEEPS_UNASKED):
        before = reached
        for _ in range(_SWEEPS_UNASKED):
            reached = masks & _spread(reached, across)
            reached = masks & _spread(reached.transpose(1, 2), down).transpose(1, 2)
        if torch.equal(reached, before):
            break
    return reached


def _runs(masks: Bool[Tensor, "Q h w"]) -> Tensor:
    """Number the runs of each row; what lies between runs has the number of the run before."""
    starts = masks & ~F.pad(masks, (1, 0))[..., :-1]
    return starts.flatten().cumsum(0).view(masks.shape)


def _spread(reached: Bool[Tensor, "Q h w"], runs: Tensor) -> Bool[Tensor, "Q h w"]:
    hit = torch.zeros(runs.numel() + 1, dtype=torch.uint8, device=runs.device)
    hit.scatter_reduce_(0, runs.flatten(), reached.flatten().to(torch.uint8), "amax")
    return hit[runs] > 0


__all__ = ["flood"]
