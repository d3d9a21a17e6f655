"""`Gradients`: gradients of one thread, apart from those of others, so that their sum has an order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


class Gradients:
    """The gradient of some tensors, gathered loss by loss."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self.sums: list[Tensor | None] = [None] * len(tensors)

    def add(self, loss: Float[Tensor, ""]) -> None:
        """Add the gradient of a loss, whose graph is let go of."""
        self.sums = _added(self.sums, torch.autograd.grad(loss, self.tensors, allow_unused=True))


def leave_sum(parts: Sequence[Gradients]) -> None:
    """Leave the sum of several threads' gradients in the tensors' `grad`, added in the order of `parts`."""
    total = parts[0].sums
    for part in parts[1:]:
        total = _added(total, part.sums)
    for tensor, gradient in zip(parts[0].tensors, total, strict=True):
        tensor.grad = gradient


def _added(sums: Sequence[Tensor | None], more: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [b if a is None else a if b is None else a + b for a, b in zip(sums, more, strict=True)]


__all__ = ["Gradients", "leave_sum"]
