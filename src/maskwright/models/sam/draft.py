"""`Draft`: what a decoder made of a batch of prompts before anything is drawn, as training needs it.

Drawing is the larger half of a decoder's work, and every cell of stride 16 is drawn by itself. So training draws what
it wants to know: all of it, the one candidate that a user would see, or a few cells of each prompt.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder, Skips, to_picture

CELL_PIXELS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The transformer's output for N prompts; prompt i is on image `image_index[i]`, whose finer maps `skips` hold."""

    decoder: MaskDecoder
    decoding: Decoding
    image_index: Int[Tensor, " N"]
    skips: Skips | None = None

    @property
    def predicted_iou(self) -> Float[Tensor, "N M1"]:
        """Of all candidates."""
        return self.decoding.predicted_iou

    def draw_all(self) -> Float[Tensor, "N M1 h w"]:
        """Draw every candidate of every prompt, a few prompts at a time."""
        decoder, decoding = self.decoder, self.decoding
        hyper = decoder.hyper_weights(decoding.mask_tokens)  # N M1 C
        drawn = [
            torch.bmm(hyper[piece], decoder.upscale(decoding.cells[piece], self._skips_of(piece)).transpose(1, 2))
            for piece in decoder.pieces(len(hyper), decoding.cells)
        ]
        logits = torch.cat(drawn)
        return to_picture(logits.flatten(0, 1)).unflatten(0, logits.shape[:2])

    def draw_one(self, candidates: Int[Tensor, " N"]) -> Float[Tensor, "N h w"]:
        """Draw one candidate of each prompt, a few prompts at a time."""
        decoder, decoding = self.decoder, self.decoding
        rows = torch.arange(len(candidates), device=candidates.device)
        hyper = decoder.hyper_weights(decoding.mask_tokens)[rows, candidates]  # N C
        drawn = [
            torch.einsum("npc,nc->np", decoder.upscale(decoding.cells[piece], self._skips_of(piece)), hyper[piece])
            for piece in decoder.pieces(len(candidates), decoding.cells)
        ]
        return to_picture(torch.cat(drawn))

    def draw_cells(self, chosen: Int[Tensor, "N K"]) -> Float[Tensor, "N M1 K p"]:
        """Draw every candidate in some cells of each prompt; a cell has its pixels in the order of `in_cells`."""
        decoding, rows = self.decoding, torch.arange(len(chosen), device=chosen.device)[:, None]
        skips = None if self.skips is None else self._some_skips(self.skips, chosen)
        pixels = self.decoder.upscale(decoding.cells[rows, chosen], skips)  # N K16 C
        hyper = self.decoder.hyper_weights(decoding.mask_tokens)
        return torch.bmm(hyper, pixels.transpose(1, 2)).unflatten(-1, (-1, CELL_PIXELS))

    def _skips_of(self, prompts: slice) -> Skips | None:
        if self.skips is None:
            return None
        images = self.image_index[prompts]
        return self.skips[0][images], self.skips[1][images]

    def _some_skips(self, skips: Skips, chosen: Int[Tensor, "N K"]) -> tuple[Tensor, Tensor]:
        num_cells, images = self.decoding.cells.shape[1], self.image_index[:, None]
        eighth, quarter = (x.unflatten(1, (num_cells, -1))[images, chosen].flatten(1, 2) for x in skips)
        return eighth, quarter


def in_cells(picture: Float[Tensor, "N M h w"]) -> Float[Tensor, "N M L p"]:
    """Put pixels into the order in which cells are drawn: cell by cell, and within each quarter by quarter."""
    N, M, h, w = picture.shape
    x = picture.reshape(N, M, h // 4, 2, 2, w // 4, 2, 2)  # N M h y1 y2 w x1 x2
    return x.permute(0, 1, 2, 5, 3, 6, 4, 7).reshape(N, M, -1, CELL_PIXELS)


def take_cells(cells: Float[Tensor, "N M L p"], chosen: Int[Tensor, "N K"]) -> Float[Tensor, "N M K p"]:
    """Take some cells of each row."""
    index = chosen[:, None, :, None].expand(-1, cells.shape[1], -1, cells.shape[-1])
    return cells.gather(2, index)


__all__ = ["CELL_PIXELS", "Draft", "in_cells", "take_cells"]
