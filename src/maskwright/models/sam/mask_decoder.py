"""SAM's mask decoder: prompt tokens and an image embedding to mask logits and predicted IoU.

Source: Kirillov et al., "Segment Anything" (2023). Parameter names and shapes are those of the published checkpoints.
Two stages, so that a caller can look at predicted IoU before any mask is drawn: `run` the transformer, then `draw` the
masks that are wanted. Upscaling works on (cell, channel) matrices, where a stride-2 transposed convolution is one
matrix product and the LayerNorm is over the last axis; only the finished logits are put into picture order.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.nn.layers import MLP, LayerNorm2d
from maskwright.nn.mask_ops import agreement_score
from maskwright.nn.two_way import TwoWayTransformer

# Largest buffer of the decoder on CPU. glibc hands buffers above 32 MiB back to the system as soon as they are free;
# mapping and zeroing them anew at every operation took two fifths of the decoder's time.
PIECE_BYTES = 16 << 20

# Finer maps of the encoder at strides 8 and 4, in cell order (`to_cells`): one image, or one for each prompt.
Skips = tuple[Float[Tensor, "_P L4 E"], Float[Tensor, "_P L16 C"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """The transformer's output for N prompts: mask tokens, cells and the predicted IoU of all candidates."""

    mask_tokens: Float[Tensor, "N _M D"]
    cells: Float[Tensor, "N L D"]
    predicted_iou: Float[Tensor, "N M1"]


class MaskDecoder(nn.Module):
    """Candidate 0 is for unambiguous prompts; 1 to 3 are whole, part and sub-part."""

    def __init__(
        self,
        *,
        transformer: TwoWayTransformer,
        width: int = 256,
        upscaled_widths: tuple[int, int] | None = None,
        num_candidates: int = 3,
        iou_head_hidden: int = 256,
    ) -> None:
        super().__init__()
        wide8, wide4 = upscaled_widths or (width // 4, width // 8)
        self.transformer = transformer
        self.iou_token = nn.Embedding(1, width)
        self.num_mask_tokens = num_candidates + 1
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, wide8, 2, stride=2),
            LayerNorm2d(wide8),
            nn.GELU(),
            nn.ConvTranspose2d(wide8, wide4, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(width, width, wide4, 3) for _ in range(self.num_mask_tokens))
        self.iou_prediction_head = MLP(width, iou_head_hidden, self.num_mask_tokens, 3)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.iou_token.weight.dtype

    def run(
        self, cells: Float[Tensor, "_N L D"], positions: Float[Tensor, "L D"], sparse: Float[Tensor, "N K D"]
    ) -> Decoding:
        """Run the transformer for N prompts; cells (embedding plus dense prompt) are one for all, or one map each."""
        output = self.output_tokens()
        tokens = torch.cat([output.expand(sparse.shape[0], -1, -1).to(sparse.dtype), sparse], dim=1)
        hidden, cells = self.transformer(tokens, cells, positions)
        mask_tokens = hidden[:, 1 : output.shape[0]]
        return Decoding(mask_tokens=mask_tokens, cells=cells, predicted_iou=self.iou_prediction_head(hidden[:, 0]))

    def output_tokens(self) -> Float[Tensor, "M2 D"]:
        """The learned tokens that come out as predicted IoU and as masks."""
        return torch.cat([self.iou_token.weight, self.mask_tokens.weight])

    def draw(
        self,
        decoding: Decoding,
        prompt_index: Int[Tensor, " Q"],
        mask_index: Int[Tensor, " Q"],
        skips: Skips | None = None,
    ) -> Float[Tensor, "Q h4 w4"]:
        """Draw Q masks, candidate `mask_index[i]` of prompt `prompt_index[i]`; other prompts cost nothing."""
        drawn, row = torch.unique(prompt_index, return_inverse=True)
        return to_picture(self._in_cells(decoding, drawn, skips)[row, mask_index])

    def draw_each(
        self, decoding: Decoding, candidates: slice, skips: Skips | None = None
    ) -> Float[Tensor, "N _M h4 w4"]:
        """Draw some candidates of every prompt: what `draw` gives, with nothing that a GPU would be waited for."""
        drawn = torch.arange(len(decoding.cells), device=decoding.cells.device)
        cells = self._in_cells(decoding, drawn, skips)[:, candidates]
        return to_picture(cells.flatten(0, 1)).unflatten(0, cells.shape[:2])

    def draw_compared(
        self,
        decoding: Decoding,
        prompt_index: Int[Tensor, " Q"],
        mask_index: Int[Tensor, " Q"],
        skips: Skips | None = None,
    ) -> tuple[Float[Tensor, "Q h4 w4"], Float[Tensor, " Q"]]:
        """Draw Q masks, and say how alike candidates 1 and up of the prompt of each are, drawn or not.

        Of indices on the CPU, nothing waits for a GPU.
        """
        device = decoding.cells.device
        drawn, row = (x.to(device) for x in torch.unique(prompt_index, return_inverse=True))
        mask_index = mask_index.to(device)
        cells = self._in_cells(decoding, drawn, skips)
        return to_picture(cells[row, mask_index]), agreement_score(cells[:, 1:, None] > 0)[row]

    def _in_cells(self, decoding: Decoding, drawn: Int[Tensor, " P"], skips: Skips | None) -> Float[Tensor, "P M1 L16"]:
        """Draw all candidates of some prompts, in cell order."""
        hyper = self.hyper_weights(decoding.mask_tokens[drawn])  # P M1 C
        logits = [
            torch.bmm(hyper[piece], self.upscale(decoding.cells[rows], skips_of(skips, rows)).transpose(1, 2))
            for piece in self.pieces(len(drawn), decoding.cells)
            for rows in (drawn[piece],)
        ]
        return torch.cat(logits)

    def pieces(self, num_prompts: int, cells: Float[Tensor, "N L D"]) -> list[slice]:
        """Cut prompts so that their pixels fit `PIECE_BYTES` on CPU."""
        second = self.output_upscaling[3]
        assert isinstance(second, nn.ConvTranspose2d)
        pixel_bytes = cells.shape[1] * 16 * second.out_channels * cells.element_size()
        size = max(1, PIECE_BYTES // pixel_bytes) if cells.device.type == "cpu" else max(1, num_prompts)
        return [slice(i, i + size) for i in range(0, num_prompts, size)]

    def draw_all(self, decoding: Decoding, skips: Skips | None = None) -> Float[Tensor, "N M1 h4 w4"]:
        """Draw every candidate of every prompt, as training needs them."""
        pixels = self.upscale(decoding.cells, skips)  # N L16 C
        logits = torch.bmm(self.hyper_weights(decoding.mask_tokens), pixels.transpose(1, 2))
        return to_picture(logits.flatten(0, 1)).unflatten(0, logits.shape[:2])

    def hyper_weights(self, mask_tokens: Float[Tensor, "N _M D"]) -> Float[Tensor, "N M1 C"]:
        """Turn mask tokens into one weight for each upscaled channel."""
        return torch.stack([mlp(mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1)

    def upscale(self, cells: Float[Tensor, "P L D"], skips: Skips | None = None) -> Float[Tensor, "P L16 C"]:
        """Upscale cells by four, adding finer maps of the encoder on the way; pixels are in cell order."""
        first, norm, second = (self.output_upscaling[i] for i in (0, 1, 3))
        assert isinstance(first, nn.ConvTranspose2d)
        assert isinstance(second, nn.ConvTranspose2d)
        assert isinstance(norm, LayerNorm2d)
        x = transposed_conv(cells, first)  # P L4 E
        x = x if skips is None else x + skips[0]
        x = F.gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        x = transposed_conv(x, second)  # P L16 C
        return F.gelu(x if skips is None else x + skips[1])


def transposed_conv(x: Float[Tensor, "P L D"], layer: nn.ConvTranspose2d) -> Float[Tensor, "P L4 E"]:
    """Apply a 2x2, stride-2 transposed convolution to cells: each becomes its four pixels, row by row."""
    weight = layer.weight.permute(2, 3, 1, 0).flatten(0, 2)  # 4E D
    bias = None if layer.bias is None else layer.bias.repeat(4)
    return F.linear(x, weight, bias).unflatten(-1, (4, -1)).flatten(1, 2)


def skips_of(skips: Skips | None, prompts: Int[Tensor, " P"]) -> Skips | None:
    """Take the maps of some prompts, where there is one for each."""
    if skips is None or skips[0].shape[0] == 1:
        return skips
    return skips[0][prompts], skips[1][prompts]


def to_picture(pixels: Float[Tensor, "Q L16"]) -> Float[Tensor, "Q h4 w4"]:
    """Put pixels that were upscaled twice from a square grid of cells into picture order."""
    grid = math.isqrt(int(pixels.shape[-1]) // 16)  # int: a trace would carry it as a tensor
    x = pixels.view(-1, grid, grid, 2, 2, 2, 2)  # Q h w y1 x1 y2 x2
    return x.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, grid * 4, grid * 4)


def to_cells(skip8: Float[Tensor, "B E h2 w2"], skip4: Float[Tensor, "B C h4 w4"]) -> Skips:
    """Put the finer maps into the order in which cells are upscaled: cell, then y and x within it, level by level."""
    B, E, h2, w2 = skip8.shape
    x = skip8.reshape(B, E, h2 // 2, 2, w2 // 2, 2)  # B E h y1 w x1
    cells8 = x.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, E)
    C = skip4.shape[1]
    x = skip4.reshape(B, C, h2 // 2, 2, 2, w2 // 2, 2, 2)  # B C h y1 y2 w x1 x2
    cells4 = x.permute(0, 2, 5, 3, 6, 4, 7, 1).reshape(B, -1, C)
    return cells8, cells4


__all__ = ["Decoding", "MaskDecoder", "Skips", "skips_of", "to_cells", "to_picture", "transposed_conv"]
