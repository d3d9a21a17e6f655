"""What makes vectors of phrases: a table of words that learns with the adapter, or (`clip.py`) a frozen CLIP."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.words.vocabulary import word_numbers

TABLE_WIDTH = 512  # of CLIP's small models too
NO_WORD = -1


@runtime_checkable
class TextEncoder(Protocol):
    """Phrases to vectors, by way of the integers that `FramePrompts.text` holds."""

    width: int

    def numbers(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into integers.

        Raises:
            PromptError: the phrase cannot be read; the message says why.
        """
        ...

    def vectors(self, text: Int[Tensor, "N k"]) -> Float[Tensor, "N W"]:
        """Turn padded integers into vectors of about unit length."""
        ...


class WordTable(nn.Module):
    """A vector for each word; a phrase is the mean of its words'.

    Vectors begin as noise that follows from the word alone, so that a vocabulary that grows keeps what it had.
    """

    width = TABLE_WIDTH

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = tuple(words)
        self.weight = nn.Parameter(torch.from_numpy(np.stack([_noise(word) for word in self.words])))

    def numbers(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into positions in the table."""
        return word_numbers(phrase, self.words)

    def vectors(self, text: Int[Tensor, "N k"]) -> Float[Tensor, "N W"]:
        """Average the vectors of each phrase's words."""
        is_word = (text != NO_WORD)[..., None].to(self.weight)
        return (self.weight[text.clamp(min=0)] * is_word).sum(1) / is_word.sum(1).clamp(min=1)


def _noise(word: str) -> Float[np.ndarray, " W"]:
    seed = int.from_bytes(word.encode(), "little") % (1 << 32)
    noise = np.random.RandomState(seed).standard_normal(TABLE_WIDTH)  # a stream that NEP 19 has frozen
    return (noise / np.linalg.norm(noise)).astype(np.float32)


__all__ = ["NO_WORD", "TABLE_WIDTH", "TextEncoder", "WordTable"]
