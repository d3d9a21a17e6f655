"""Running out of memory: how to tell, and how many prompts at a time would fit."""

from collections.abc import Callable
from dataclasses import replace

import torch

from maskwright.train.tune.tuner import Tuner

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(sign in str(error) for sign in _SIGNS)


def fitting_size(tuner: Tuner, attempt: Callable[[], object], size: int) -> int:
    """Halve the prompts at a time until a step fits; 0 if not even one does. The weights move: nothing is kept."""
    recipe = tuner.recipe
    while size > 1:
        size //= 2
        tuner.optimizer.zero_grad(set_to_none=True)
        if tuner.device.type == "cuda":
            torch.cuda.empty_cache()
        tuner.recipe = replace(recipe, at_once=size)
        try:
            attempt()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return size
    return 0


__all__ = ["fitting_size", "is_out_of_memory"]
