"""`Arriving`: a tensor on its way to the CPU, so that what launches work on a GPU need not wait for it yet."""

import torch
from torch import Tensor


class Arriving:
    """A copy of a tensor that `get` waits for; one that is on the CPU is there already."""

    def __init__(self, x: Tensor) -> None:
        self._copy, self._event = x, None
        if x.is_cuda:
            self._copy = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
            self._copy.copy_(x, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()

    def get(self) -> Tensor:
        """Wait for what was launched before it, and give the copy."""
        if self._event is not None:
            self._event.synchronize()
        return self._copy


__all__ = ["Arriving"]
