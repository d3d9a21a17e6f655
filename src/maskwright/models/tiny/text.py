"""`tiny`'s text path: a phrase becomes tokens for the decoder, and a map of where in the picture its words hold.

Every word of the vocabulary has a place in a space that the picture's cells are read into, so one product says for each
pixel how much it looks red, or like a mug. A phrase holds where all of its words hold: "red mug" needs no training of
its own when "red" and "mug" have had theirs. The map enters the decoder as a mask prompt does. The words, having seen
each other, are summed up in a fixed number of tokens that join those of points and box corners; so text combines with
both, and phrases of any length go in one batch.

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
from maskwright.nn.layers import MLP

NO_WORD = -1
_NUM_TOKENS = 4
# Maps are bent towards this logit: SAM's own mask prompts seldom exceed it.
_MOST = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicture:
    """Pictures as the text path sees them: cells in the space of words, and the encoder's finer maps in cell order."""

    cells: Float[Tensor, "B L E"]
    skips: tuple[Float[Tensor, "B L4 E8"], Float[Tensor, "B L16 E4"]]

    def __getitem__(self, index: Int[Tensor, " N"]) -> "ReadPicture":
        """Take the picture of each prompt."""
        return ReadPicture(cells=self.cells[index], skips=(self.skips[0][index], self.skips[1][index]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPhrases:
    """N phrases read on their pictures.

    `tokens` join the sparse prompts; `map_logits`, where the phrase holds, is a mask prompt; `dense` joins the cells.
    """

    tokens: Float[Tensor, "N T D"]
    map_logits: Float[Tensor, "N 1 h4 w4"]
    dense: Float[Tensor, "N L D"]


class PhraseBlock(nn.Module):
    """Self-attention of the words of a phrase and a feed-forward; pre-norm."""

    def __init__(self, width: int, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.lin1 = nn.Linear(width, 2 * width)
        self.lin2 = nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "N T D"], is_there: Bool[Tensor, "N T"]) -> Float[Tensor, "N T D"]:
        """Apply the block; words that are not there are not read."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = qkv  # each N heads T c
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=is_there[:, None, None])
        x = x + self.out(read.transpose(1, 2).flatten(2))
        return x + self.lin2(F.gelu(self.lin1(self.norm2(x))))


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
        skip8, skip4, trunk = features.extra
        grid = features.image_embedding.shape[-2:]
        cells = self.cells(features.image_embedding.flatten(2).transpose(1, 2))  # B L D
        cells = (
            cells + self.skip8(skip8.unflatten(1, (-1, 4)).mean(2)) + self.skip4(skip4.unflatten(1, (-1, 16)).mean(2))
        )
        cells = cells + self.trunk(self.trunk_norm(trunk))
        x = self.blocks(cells.transpose(1, 2).unflatten(2, grid))
        return ReadPicture(cells=self.norm(x.flatten(2).transpose(1, 2)), skips=(skip8, skip4))


class TextPath(nn.Module):
    """Phrases as vocabulary indices, and features of pictures, to what the mask decoder wants."""

    def __init__(
        self,
        *,
        num_words: int,
        width: int = 192,
        trunk_width: int = 120,
        skip_widths: tuple[int, int] = (64, 32),
        num_outputs: int = 5,
        phrase_depth: int = 2,
        picture_depth: int = 2,
    ) -> None:
        super().__init__()
        self.reader = PictureReader(width=width, trunk_width=trunk_width, skip_widths=skip_widths, depth=picture_depth)
        # Where a word holds: its place among the cells, and what it looks for in the finer maps.
        self.places = nn.Embedding(num_words, width)
        self.place_bias = nn.Embedding(num_words, 1)
        self.to_skip8 = nn.Linear(width, skip_widths[0], bias=False)
        self.to_skip4 = nn.Linear(width, skip_widths[1], bias=False)
        # What a word means to the decoder, and the tokens that sum a phrase up.
        self.words = nn.Embedding(num_words, width)
        self.summary = nn.Embedding(_NUM_TOKENS, width)
        self.blocks = nn.ModuleList(PhraseBlock(width) for _ in range(phrase_depth))
        self.norm = nn.LayerNorm(width)
        self.evidence = nn.Linear(2, width)
        # The dense prompt: cells seen through the phrase.
        self.seen = nn.Linear(width, width)
        self.gain = nn.Linear(width, 2 * width)
        self.from_map = nn.Linear(2, width, bias=False)
        self.dense = nn.Linear(width, width)
        # The decoder's output tokens, told that a phrase asks, and their own judgement of the answer.
        self.outputs = nn.Embedding(num_outputs, width)
        self.iou_head = MLP(width, width, num_outputs - 1, 3)
        self.reset()

    def reset(self) -> None:
        """Begin with a path that hardly speaks: words are unlikely everywhere, and the dense prompt is silent."""
        for table in (self.places, self.words, self.summary):
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
        nn.init.constant_(self.place_bias.weight, -3.0)
        for silent in (
            self.dense.weight,
            self.dense.bias,
            self.evidence.weight,
            self.evidence.bias,
            self.outputs.weight,
        ):
            nn.init.zeros_(silent)

    def word_logits(self, pictures: ReadPicture, words: Int[Tensor, "N k"]) -> Float[Tensor, "N k L16"]:
        """Say for each pixel of stride 4, in cell order, how much each word holds there; picture i for row i."""
        places = self.places(words.clamp(min=0))  # N k D
        skip8, skip4 = pictures.skips
        coarse = places @ pictures.cells.transpose(1, 2) + self.place_bias(words.clamp(min=0))
        middle = self.to_skip8(places) @ skip8.transpose(1, 2)
        fine = self.to_skip4(places) @ skip4.transpose(1, 2)
        return (coarse.repeat_interleave(4, 2) + middle).repeat_interleave(4, 2) + fine

    def forward(self, pictures: ReadPicture, text: Int[Tensor, "N k"]) -> ReadPhrases:
        """Read phrase i on picture i; -1 is padding."""
        is_word = text != NO_WORD
        where = all_hold(self.word_logits(pictures, text), is_word)  # N L16
        in_cells = where.unflatten(1, (-1, 16))
        held = torch.stack([in_cells.mean(2), in_cells.amax(2)], -1) / _MOST  # N L 2
        tokens = self._tokens(text, is_word)
        phrase = tokens[:, :1]
        gain, shift = self.gain(phrase).chunk(2, -1)
        dense = F.gelu(self.seen(pictures.cells) * (1 + gain) + shift + self.from_map(held))
        strongest = torch.cat([held[..., 0].amax(1, keepdim=True), held[..., 0].mean(1, keepdim=True)], 1)
        tokens = tokens + self.evidence(strongest)[:, None]
        return ReadPhrases(tokens=tokens, map_logits=to_picture(where)[:, None], dense=self.dense(dense))

    def _tokens(self, text: Int[Tensor, "N k"], is_word: Bool[Tensor, "N k"]) -> Float[Tensor, "N T D"]:
        x = torch.cat([self.summary.weight.expand(len(text), -1, -1), self.words(text.clamp(min=0))], 1)
        is_there = F.pad(is_word, (_NUM_TOKENS, 0), value=True)
        for block in self.blocks:
            x = block(x, is_there)
        return self.norm(x[:, :_NUM_TOKENS])


def all_hold(logits: Float[Tensor, "N k L"], is_word: Bool[Tensor, "N k"]) -> Float[Tensor, "N L"]:
    """Combine words into the logit that all of them hold, as if they were independent."""
    together = (F.logsigmoid(logits) * is_word[..., None]).sum(1).clamp(max=-1e-6)
    return _MOST * torch.tanh((together - torch.log(-torch.expm1(together))) / _MOST)


__all__ = ["NO_WORD", "PhraseBlock", "PictureReader", "ReadPhrases", "ReadPicture", "TextPath", "all_hold"]
