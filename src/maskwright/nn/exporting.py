"""Whether a network is being written down instead of run: then it is told as whole products, without loops that save
memory or keep a cache warm. The runtime that reads the graph decides such things by itself, and a loop over a batch
that was traced would keep the batch's size for ever.
"""

import torch


def is_exporting() -> bool:
    """Whether `torch.export` or `torch.jit.trace` is looking."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


__all__ = ["is_exporting"]
