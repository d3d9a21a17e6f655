"""What a model may offer beside `Model` when it takes words: a second look, for which parts of a picture are enlarged.

Optional: `predict` looks again only where a model implements `ReadsParts`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.protocol import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a picture in a frame of its own.

    `place_xyxy` is where it lies, in pixels of the whole picture's frame; `extent_wh` is how much of its own frame it
    fills.
    """

    features: Features
    place_xyxy: tuple[float, float, float, float]
    extent_wh: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsFound:
    """All that a phrase means: masks, each as logits of the frame it was seen in, and how sure that is.

    A piece is numbered 0 in the whole picture's frame, and from 1 in those of the parts. Nothing is cut off: an answer
    that is hardly believed is the best guess.
    """

    pieces: tuple[tuple[int, Float[Tensor, "h w"]], ...]
    belief: float


@runtime_checkable
class ReadsParts(Protocol):
    """A model whose answers to words gain from parts of the picture, enlarged."""

    def find_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[WordsFound]:
        """Answer phrases from a picture and parts of it; `parts` is called unless they are remembered."""
        ...

    def things_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[list[WordsFound]]:
        """Give for each phrase all things of a picture that it may hold of, each with its own belief."""
        ...


__all__ = ["Part", "ReadsParts", "WordsFound"]
