"""`TextAdapter`: from the vector of a phrase to prompt tokens and a dense prompt, for a decoder that stays as it is.

The idea is that of "Segment Anything" (Kirillov et al. 2023, sections 7.5 and D.5): SAM is prompted by a CLIP vector
as by a click. We differ in how that is learnt. SAM was trained as a whole, prompted by CLIP's vectors of image crops;
here the network is trained already and stays, clicks and boxes answer as before to the bit, and a small module learns
from masks with labels. It looks at the embedding too, since a vector alone cannot say where to a decoder that was
taught places: the phrase is compared with every cell, and the tokens carry the places that it suits.

Two output tokens are added to the decoder's, as HQ-SAM adds its own: one is drawn, one tells how good that is and
whether there is any such thing. A phrase means everything that it names, in one mask.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.protocol import Features
from maskwright.models.sam.mask_decoder import Skips, to_picture
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.model import TinySam
from maskwright.models.words.encoders import TextEncoder, WordTable
from maskwright.nn.layers import MLP, LayerNorm2d

NUM_TOKENS, _HIDDEN = 4, 128
_FIRST_BIAS = -3.0  # of a cell: most show something else
_TOP_CELLS = 6
_TRUNK = 2  # where `tiny` keeps its trunk's map, which knows more of what things are than the embedding does


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Answers to N phrases: masks, where the phrase suits the cells, and logits of presence and of IoU."""

    logits: Float[Tensor, "N h w"]
    heat: Float[Tensor, "N g g"]
    presence: Float[Tensor, " N"]
    quality: Float[Tensor, " N"]


class TextAdapter(nn.Module):
    """Turns phrases into prompts of a network of `width`, whose decoder draws `pixel_width` channels.

    `table` learns with it; without one a frozen `encoder` makes the vectors.
    """

    def __init__(
        self,
        *,
        width: int,
        context_width: int,
        pixel_width: int,
        table: WordTable | None = None,
        encoder: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        self.table = table
        self._encoder = encoder
        self.width = width
        self.text = nn.Sequential(
            nn.LayerNorm(self.encoder.width),
            nn.Linear(self.encoder.width, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
        )
        self.context = nn.Sequential(
            nn.Conv2d(context_width, _HIDDEN, 1),
            LayerNorm2d(_HIDDEN),
            nn.GELU(),
            nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1),
            LayerNorm2d(_HIDDEN),
            nn.GELU(),
            nn.Conv2d(_HIDDEN, _HIDDEN, 1),
        )
        self.bias = nn.Parameter(torch.tensor(_FIRST_BIAS))
        self.tokens = nn.Linear(_HIDDEN, NUM_TOKENS * width)
        self.place = nn.Linear(2 * width, width)
        self.suits = nn.Parameter(torch.zeros(width))
        self.suits_not = nn.Parameter(torch.zeros(width))
        self.out_tokens = nn.Embedding(2, width)
        self.hyper = MLP(width, width, pixel_width, 3)
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.judge = MLP(width + 2, width, 2, 3)

    @property
    def encoder(self) -> TextEncoder:
        """What makes vectors of phrases."""
        found = self._encoder if self.table is None else self.table
        assert found is not None, "an adapter has a table or is given an encoder"
        return found

    def answer(
        self, network: SamModel, features: Features, image_index: Int[Tensor, " N"], text: Int[Tensor, "N k"]
    ) -> Told:
        """Answer N phrases, phrase i about image `image_index[i]`."""
        meaning = self.text(self.encoder.vectors(text).to(self.bias))
        heat = self._heat(network, features, image_index, meaning)
        cells = features.image_embedding.flatten(2).transpose(1, 2)[image_index]  # N L D
        positions = network.prompt_encoder.positions()
        share = heat.flatten(1).softmax(1)
        place = torch.cat([share @ positions, torch.bmm(share[:, None], cells)[:, 0]], 1)
        sparse = self.tokens(meaning).unflatten(1, (NUM_TOKENS, self.width)) + self.place(place)[:, None]
        p = heat.flatten(1).sigmoid()[..., None]
        cells = cells + network.prompt_encoder.dense(None) + p * self.suits + (1 - p) * self.suits_not
        decoder = network.mask_decoder
        output = torch.cat([decoder.output_tokens(), self.out_tokens.weight])
        tokens = torch.cat([output.expand(len(sparse), -1, -1), sparse], 1)
        hidden, cells = decoder.transformer(tokens, cells, positions)
        drawn, judged = hidden[:, len(output) - 2], hidden[:, len(output) - 1]
        pixels = decoder.upscale(cells, _skips(network, features, image_index))
        logits = to_picture(torch.bmm(self.hyper(drawn)[:, None], pixels.transpose(1, 2))[:, 0])
        logits = logits + self.gain * F.interpolate(heat[:, None], logits.shape[-2:], mode="bilinear")[:, 0]
        top = heat.flatten(1).topk(_TOP_CELLS, 1).values
        presence, quality = self.judge(torch.cat([judged, top[:, :1], top.mean(1, keepdim=True)], 1)).unbind(1)
        return Told(logits=logits, heat=heat, presence=presence, quality=quality)

    def _heat(
        self, network: SamModel, features: Features, image_index: Int[Tensor, " N"], meaning: Float[Tensor, "N H"]
    ) -> Float[Tensor, "N g g"]:
        """How well each phrase suits each cell of its image, as logits."""
        seen = self.context(context_of(network, features))[image_index]
        return torch.einsum("nc,nchw->nhw", meaning, seen) * _HIDDEN**-0.5 + self.bias


def context_of(network: SamModel, features: Features) -> Float[Tensor, "B E g g"]:
    """What an adapter compares phrases with: the embedding, and of `tiny` its trunk's map."""
    embedding = features.image_embedding
    if not isinstance(network, TinySam):
        return embedding
    trunk = features.extra[_TRUNK].transpose(1, 2).unflatten(2, embedding.shape[-2:])
    return torch.cat([embedding, trunk], 1)


def _context_width(network: SamModel) -> int:
    width = network.prompt_encoder.width
    if not isinstance(network, TinySam):
        return width
    trunk: Any = network.image_encoder.trunk
    return width + trunk.channels[2]


def _skips(network: SamModel, features: Features, image_index: Int[Tensor, " N"]) -> Skips | None:
    """The finer maps that `tiny` draws with; HQ-SAM's own layers are left to its clicks and boxes."""
    if not isinstance(network, TinySam):
        return None
    return features.extra[0][image_index], features.extra[1][image_index]


def build_adapter(
    network: SamModel, *, table: WordTable | None = None, encoder: TextEncoder | None = None, seed: int = 0
) -> TextAdapter:
    """Build an adapter for a network; it begins with what the decoder knows of drawing its single answer."""
    decoder = network.mask_decoder
    last = decoder.output_upscaling[3]
    assert isinstance(last, nn.ConvTranspose2d)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = TextAdapter(
            width=network.prompt_encoder.width,
            context_width=_context_width(network),
            pixel_width=last.out_channels,
            table=table,
            encoder=encoder,
        )
    with torch.no_grad():
        adapter.out_tokens.weight.copy_(torch.cat([decoder.mask_tokens.weight[:1], decoder.iou_token.weight]))
        adapter.hyper.load_state_dict(decoder.output_hypernetworks_mlps[0].state_dict())
    return adapter.to(network.device)


__all__ = ["NUM_TOKENS", "TextAdapter", "Told", "build_adapter", "context_of"]
