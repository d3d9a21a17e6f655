"""Seeded random draws for the scene generator: structure on the CPU, fields on the device.

Which kind of object, how many, how large decides control flow, so it is drawn on the CPU and never makes a GPU wait.
"""

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor


class Dice:
    """Two generators with one seed."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._structure = random.Random(seed)
        self.field = torch.Generator(self.device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw from [low, high) on the device."""
        return torch.rand(shape, generator=self.field, device=self.device).mul_(high - low).add_(low)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal on the device."""
        return torch.randn(shape, generator=self.field, device=self.device)

    def chance(self, p: float, *shape: int) -> Tensor:
        """Draw 0.0 or 1.0, one with probability p, on the device."""
        return (torch.rand(shape, generator=self.field, device=self.device) < p).float()

    def integers(self, high: int, *shape: int) -> Tensor:
        """Draw integers from [0, high) on the device."""
        return torch.randint(high, shape, generator=self.field, device=self.device)

    def number(self, low: float, high: float) -> float:
        """Draw one number on the CPU."""
        return self._structure.uniform(low, high)

    def log_number(self, low: float, high: float) -> float:
        """Draw one number on the CPU, evenly in its logarithm."""
        return math.exp(self.number(math.log(low), math.log(high)))

    def pick(self, weights: dict[str, float]) -> str:
        """Draw one name on the CPU by weight."""
        return self._structure.choices(list(weights), list(weights.values()))[0]

    def pick_index(self, weights: Sequence[float]) -> int:
        """Draw an index on the CPU by weight."""
        return self._structure.choices(range(len(weights)), weights)[0]

    def normal_number(self) -> float:
        """Draw one number from the standard normal on the CPU."""
        return self._structure.gauss(0, 1)

    def below(self, high: int) -> int:
        """Draw one integer from [0, high) on the CPU."""
        return self._structure.randrange(high)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy a small CPU tensor without making the CPU wait for the device."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


__all__ = ["Dice", "to_device"]
