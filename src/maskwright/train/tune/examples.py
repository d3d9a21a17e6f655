"""`Example`: a picture with its true masks, wherever it was read from, and what names a set of them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from maskwright.core import RLE, Image

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleMask:
    """One true mask and what is known of it; `key` names it within its picture.

    `is_checked` False: nobody looked at it, a rule accepted it. It may be learnt from; nothing is scored by it.
    """

    key: str
    rle: RLE
    label: str | None = None
    material: str | None = None
    occlusion: float | None = None
    licence: str | None = None
    is_checked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture and its masks. `group` is the episode: its frames stay on one side of the split.

    `digest` is the picture's identity, and `read` decodes it.
    """

    name: str
    group: str
    digest: str
    masks: tuple[ExampleMask, ...]
    read: Callable[[], Image] = field(compare=False, repr=False)


def fingerprint(examples: Sequence[Example]) -> str:
    """Hash pictures and masks, in whatever order: the identity of training data."""
    lines = sorted(
        f"{one.digest} {hashlib.sha256(mask.rle.counts).hexdigest()}" for one in examples for mask in one.masks
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def labels_of(examples: Sequence[Example]) -> Counter[str]:
    """Count masks by label; those without one are `unlabelled`."""
    return Counter(mask.label or "unlabelled" for one in examples for mask in one.masks)


def spread(items: Sequence[T], most: int) -> tuple[T, ...]:
    """Take at most so many, spread evenly from the first to the last."""
    if len(items) <= most:
        return tuple(items)
    return tuple(items[i * (len(items) - 1) // max(1, most - 1)] for i in range(most))


__all__ = ["Example", "ExampleMask", "fingerprint", "labels_of", "spread"]
