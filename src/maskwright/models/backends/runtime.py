"""What runs an exported model: a `Runtime` takes tensors to tensors, a part at a time, and knows nothing of masks."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Runtime(Protocol):
    """The networks of one exported model, loaded by one library.

    Tensors come from and go to `device`, which is the CPU where the library moves them itself. Safe to call from
    several threads at once.
    """

    name: str
    device: torch.device

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part on tensors in the order of its ports."""
        ...


__all__ = ["Runtime"]
