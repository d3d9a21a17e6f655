"""Running out of memory: how many prompts at a time would fit."""

import traceback
from collections.abc import Callable
from dataclasses import replace

import torch

from maskwright.core.out_of_memory import is_out_of_memory
from maskwright.train.tune.tuner import Tuner


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
            let_go(error)
        else:
            return size
    return 0


def let_go(error: BaseException) -> None:
    """Let go of what the functions that failed had in memory; the error would hold it as long as it is handled."""
    traceback.clear_frames(error.__traceback__)


__all__ = ["fitting_size", "let_go"]
