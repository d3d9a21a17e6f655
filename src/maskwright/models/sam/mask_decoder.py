"""SAM's mask decoder: prompt tokens and an image embedding to mask logits and predicted IoU.

Source: Kirillov et al., "Segment Anything" (2023). Parameter names and shapes are those of the published checkpoints.
Two stages, so that a caller can look at predicted IoU before any mask is drawn: `run` the transformer, then `draw` the
masks that are wanted. Upscaling works on (cell, channel) matrices, where a stride-2 transposed convolution is one
matrix product and the LayerNorm is over the last axis; only the finished logits are put into picture order.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.nn.layers import MLP, LayerNorm2d
from maskwright.nn.two_way import TwoWayTransformer


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
        num_candidates: int = 3,
        iou_head_depth: int = 3,
        iou_head_hidden: int = 256,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.iou_token = nn.Embedding(1, width)
        self.num_mask_tokens = num_candidates + 1
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, 2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(width, width, width // 8, 3) for _ in range(self.num_mask_tokens)
        )
        self.iou_prediction_head = MLP(width, iou_head_hidden, self.num_mask_tokens, iou_head_depth)

    def run(
        self,
        image_embedding: Float[Tensor, "1 D h w"],
        positions: Float[Tensor, "L D"],
        sparse: Float[Tensor, "N K D"],
        dense: Float[Tensor, "_N _L D"],
    ) -> Decoding:
        """Run the transformer for N prompts on one image; `dense` is one vector for all, or a map for each."""
        output = self.output_tokens()
        tokens = torch.cat([output.expand(sparse.shape[0], -1, -1), sparse], dim=1)
        cells = image_embedding.flatten(2).transpose(1, 2).contiguous() + dense  # 1 or N, L, D
        hidden, cells = self.transformer(tokens, cells, positions)
        mask_tokens = hidden[:, 1 : output.shape[0]]
        return Decoding(mask_tokens=mask_tokens, cells=cells, predicted_iou=self.iou_prediction_head(hidden[:, 0]))

    def output_tokens(self) -> Float[Tensor, "M2 D"]:
        """The learned tokens that come out as predicted IoU and as masks."""
        return torch.cat([self.iou_token.weight, self.mask_tokens.weight])

    def draw(
        self, decoding: Decoding, prompt_index: Int[Tensor, " Q"], mask_index: Int[Tensor, " Q"]
    ) -> Float[Tensor, "Q h4 w4"]:
        """Draw Q masks, candidate `mask_index[i]` of prompt `prompt_index[i]`; other prompts cost nothing."""
        drawn, row = torch.unique(prompt_index, return_inverse=True)
        all_drawn = drawn.numel() == decoding.cells.shape[0]
        pixels = self.upscale(decoding.cells if all_drawn else decoding.cells[drawn])  # P L16 C
        weights = torch.stack(
            [mlp(decoding.mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], 1
        )
        logits = torch.bmm(weights[drawn], pixels.transpose(1, 2))  # P M1 L16
        return to_picture(logits[row, mask_index])

    def upscale(self, cells: Float[Tensor, "P L D"]) -> Float[Tensor, "P L16 C"]:
        """Upscale cells by four; pixels are in cell order (see `to_picture`)."""
        first, norm, second = (self.output_upscaling[i] for i in (0, 1, 3))
        assert isinstance(first, nn.ConvTranspose2d)
        assert isinstance(second, nn.ConvTranspose2d)
        assert isinstance(norm, LayerNorm2d)
        x = transposed_conv(cells, first)  # P L4 D/4
        x = F.gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        return F.gelu(transposed_conv(x, second))


def transposed_conv(x: Float[Tensor, "P L D"], layer: nn.ConvTranspose2d) -> Float[Tensor, "P L4 E"]:
    """Apply a 2x2, stride-2 transposed convolution to cells: each becomes its four pixels, row by row."""
    weight = layer.weight.permute(2, 3, 1, 0).flatten(0, 2)  # 4E D
    bias = None if layer.bias is None else layer.bias.repeat(4)
    return F.linear(x, weight, bias).unflatten(-1, (4, -1)).flatten(1, 2)


def to_picture(pixels: Float[Tensor, "Q L16"]) -> Float[Tensor, "Q h4 w4"]:
    """Put pixels that were upscaled twice from a square grid of cells into picture order."""
    grid = round((pixels.shape[-1] // 16) ** 0.5)
    x = pixels.view(-1, grid, grid, 2, 2, 2, 2)  # Q h w y1 x1 y2 x2
    return x.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, grid * 4, grid * 4)


__all__ = ["Decoding", "MaskDecoder", "to_picture", "transposed_conv"]
