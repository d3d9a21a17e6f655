"""A lesson: one module that learns one thing for some minutes, and goes on where it stopped.

The learning rate follows the clock, so that a lesson of any length ends annealed; what is kept is the average of the
last weights.
"""

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from maskwright.train.average import follow
from maskwright.train.dice import Dice

logger = logging.getLogger(__name__)
_WARM_STEPS, _LAST_RATE = 50, 0.02
_SAVE_SECONDS = 60.0
_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(slots=True, kw_only=True)
class Lesson(Generic[_Module]):
    """A module in training, with its average and its optimizer. `ema` is the share that the average keeps a step."""

    name: str
    module: _Module
    learning_rate: float
    weight_decay: float = 0.05
    ema: float = 0.995
    seed: int = 0
    step: int = 0
    seconds: float = 0.0
    average: _Module = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.module)
        decayed = [p for p in self.module.parameters() if p.ndim > 1]
        others = [p for p in self.module.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.98))

    def state(self) -> dict[str, Any]:
        """What a stopped lesson goes on from."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.module.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def learn(self, loss_of: Callable[[Dice, _Module], Tensor], progress: float) -> float:
        """Take one step; `progress` is the share of the lesson that is over."""
        warm = min(1.0, (self.step + 1) / _WARM_STEPS)
        falling = _LAST_RATE + (0.5 - _LAST_RATE / 2) * (1 + math.cos(math.pi * min(1.0, progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * warm * falling
        self.module.train()
        loss = loss_of(Dice(self.seed * 1_000_003 + self.step), self.module)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        follow(self.average.parameters(), self.module.parameters(), most=self.ema, step=self.step)
        return float(loss.detach())

    def study(self, loss_of: Callable[[Dice, _Module], Tensor], *, minutes: float, save: Callable[[], object]) -> None:
        """Learn until the lesson has had its minutes, saving once a minute and at the end."""
        had, began, saved, mean = self.seconds, time.monotonic(), time.monotonic(), 0.0
        while self.seconds < minutes * 60:
            loss = self.learn(loss_of, self.seconds / (minutes * 60))
            mean += (loss - mean) * (0.05 if mean else 1.0)
            self.seconds = had + time.monotonic() - began
            if time.monotonic() - saved > _SAVE_SECONDS:
                save()
                saved = time.monotonic()
                logger.info("%s: step %d  %.0f s  loss %.3f", self.name, self.step, self.seconds, mean)
        self.average.eval()
        save()
        logger.info("%s: %d steps, loss %.3f", self.name, self.step, mean)


__all__ = ["Lesson"]
