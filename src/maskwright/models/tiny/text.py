"""`tiny`'s text path: where in the picture each word of a phrase holds.

Every word of the vocabulary has a place in a space that the picture's cells are read into, so one product says for each
pixel how much it looks red, or like a mug. A phrase holds where all of its words hold: "red mug" needs no training of
its own when "red" and "mug" have had theirs. `pointing.py` makes masks of it.

Nothing here touches prompts without text: their answers stay what they were, to the bit.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.models.protocol import Features
from maskwright.models.sam.mask_decoder import to_picture
from maskwright.models.tiny.image_encoder import ConvBlock

NO_WORD = -1
# Logits of phrases are bent towards this.
_MOST = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicture:
    """Pictures as the text path sees them: cells in the space of words, and the encoder's finer maps in cell order."""

    cells: Float[Tensor, "B L E"]
    skips: tuple[Float[Tensor, "B L4 E8"], Float[Tensor, "B L16 E4"]]


class PictureReader(nn.Module):
    """The encoder's maps into the space of words: once for each picture, whatever is asked of it.

    Colours stand in the finer maps (a probe of single cells named 0.87 of them, 0.49 from the embedding alone), names
    in the trunk's map (0.51 of 139 names from 1,300 objects; 0.44 from the embedding).
    """

    def __init__(self, *, width: int, trunk_width: int, skip_widths: tuple[int, int], depth: int) -> None:
        super().__init__()
        self.cells = nn.Linear(width, width)
        self.skip8 = nn.Linear(skip_widths[0], width, bias=False)
        self.skip4 = nn.Linear(skip_widths[1], width, bias=False)
        self.trunk_norm = nn.LayerNorm(trunk_width)
        self.trunk = nn.Linear(trunk_width, width, bias=False)
        self.blocks = nn.Sequential(*(ConvBlock(width, 7, 2 * width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Features) -> ReadPicture:
        """Read pictures."""
        skip8, skip4, trunk = features.extra[:3]
        grid = features.image_embedding.shape[-2:]
        cells = self.cells(features.image_embedding.flatten(2).transpose(1, 2))  # B L D
        cells = (
            cells + self.skip8(skip8.unflatten(1, (-1, 4)).mean(2)) + self.skip4(skip4.unflatten(1, (-1, 16)).mean(2))
        )
        cells = cells + self.trunk(self.trunk_norm(trunk))
        x = self.blocks(cells.transpose(1, 2).unflatten(2, grid))
        return ReadPicture(cells=self.norm(x.flatten(2).transpose(1, 2)), skips=(skip8, skip4))


class TextPath(nn.Module):
    """The vocabulary, and pictures read into its space."""

    def __init__(
        self,
        *,
        num_words: int,
        width: int = 192,
        trunk_width: int = 120,
        skip_widths: tuple[int, int] = (64, 32),
        picture_depth: int = 2,
    ) -> None:
        super().__init__()
        self.reader = PictureReader(width=width, trunk_width=trunk_width, skip_widths=skip_widths, depth=picture_depth)
        # A word's place among the cells, and what it looks for in the finer maps.
        self.places = nn.Embedding(num_words, width)
        self.place_bias = nn.Embedding(num_words, 1)
        self.to_skip8 = nn.Linear(width, skip_widths[0], bias=False)
        self.to_skip4 = nn.Linear(width, skip_widths[1], bias=False)
        self.reset()

    def reset(self) -> None:
        """Begin with words that are unlikely everywhere, and a reader whose blocks add nothing."""
        nn.init.normal_(self.places.weight, std=self.places.embedding_dim**-0.5)
        nn.init.constant_(self.place_bias.weight, -3.0)
        for block in self.reader.blocks:
            assert isinstance(block, ConvBlock)
            nn.init.zeros_(block.lin2.weight)
            nn.init.zeros_(block.lin2.bias)

    def word_logits(self, pictures: ReadPicture, words: Int[Tensor, "N k"]) -> Float[Tensor, "N k L16"]:
        """Say for each pixel of stride 4, in cell order, how much each word holds there; picture i for row i."""
        places = self.places(words.clamp(min=0))  # N k D
        skip8, skip4 = pictures.skips
        coarse = places @ pictures.cells.transpose(1, 2) + self.place_bias(words.clamp(min=0))
        middle = self.to_skip8(places) @ skip8.transpose(1, 2)
        fine = self.to_skip4(places) @ skip4.transpose(1, 2)
        return (coarse.repeat_interleave(4, 2) + middle).repeat_interleave(4, 2) + fine

    def forward(self, features: Features, text: Int[Tensor, "N k"]) -> Float[Tensor, "N k h4 w4"]:
        """Say where each word of N phrases holds in one picture; -1 is padding."""
        words, which = text.clamp(min=0).unique(return_inverse=True)
        maps = to_picture(self.word_logits(self.reader(features), words[None])[0])
        return maps[which]


def all_hold(logits: Float[Tensor, "N k L"], is_word: Bool[Tensor, "N k"]) -> Float[Tensor, "N L"]:
    """Combine words into the logit that all of them hold, as if they were independent; padding holds."""
    together = (F.logsigmoid(logits) * is_word[..., None]).sum(1).clamp(max=-1e-6)
    return _MOST * torch.tanh((together - torch.log(-torch.expm1(together))) / _MOST)


__all__ = ["NO_WORD", "PictureReader", "ReadPicture", "TextPath", "all_hold"]
