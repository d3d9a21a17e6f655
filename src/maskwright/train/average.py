"""The average of weights in training (EMA): what is scored and exported."""

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def follow(means: Iterable[Tensor], values: Iterable[Tensor], *, most: float, step: int) -> None:
    """Move means towards values after a step; `most` of a mean stays, early on less, so that it follows faster."""
    decay = min(most, step / (step + 10))
    torch._foreach_lerp_(list(means), list(values), 1 - decay)


__all__ = ["follow"]
