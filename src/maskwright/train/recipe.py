"""What decides the outcome of a training run, and the learning rate that follows from it."""

import math
from dataclasses import dataclass, field
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def _option(default: _Number, about: str) -> _Number:
    """A field with its line in --help."""
    return field(default=default, metadata={"help": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides the outcome of a run; stored with the weights."""

    side: int = _option(512, "side of the frame in pixels, a multiple of 32")
    batch: int = _option(48, "pictures a step")
    per_image: int = _option(5, "objects asked for in each picture")
    corrections: int = _option(1, "clicks that correct each first answer")
    steps: int = _option(4000, "steps in all")
    learning_rate: float = _option(5e-4, "highest learning rate")
    trunk_rate: float = _option(0.15, "the trunk's learning rate, as a share of the others'")
    warmup: int = _option(100, "steps until the learning rate is at its highest")
    weight_decay: float = _option(0.05, "AdamW's, not on the trunk")
    clip: float = _option(1.0, "longest gradient")
    iou_weight: float = _option(1.0, "weight of the error of predicted IoU")
    teacher_weight: float = _option(1.0, "weight of what a teacher answers, beside the truth")
    ema: float = _option(0.998, "how slowly the average of the weights follows")
    photographs: int = _option(3, "photographs taken of each painted scene")
    max_objects: int = _option(10, "most objects in a scene")
    frozen_blocks: int = _option(7, "first blocks of the trunk that keep ImageNet's weights")
    seed: int = _option(0, "decides every scene; another for each round")


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Warm up linearly by step, then a cosine by progress, which is a share of steps or of the time allowed."""
    warm = min(1.0, (step + 1) / recipe.warmup)
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


__all__ = ["Recipe", "learning_rate"]
