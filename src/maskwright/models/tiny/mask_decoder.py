"""`tiny`'s mask decoder: SAM's, with the encoder's finer maps added while the masks are upscaled.

The transformer, tokens and heads are those of models/sam (same parameter names). Skips are the same for every prompt, so
they are put into cell order once per image and broadcast.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.sam.mask_decoder import Decoding, to_picture, transposed_conv
from maskwright.nn.layers import MLP, LayerNorm2d
from maskwright.nn.two_way import TwoWayTransformer


class TinyMaskDecoder(nn.Module):
    """Candidate 0 is for unambiguous prompts; 1 to 3 are whole, part and sub-part."""

    def __init__(
        self,
        *,
        transformer: TwoWayTransformer,
        width: int,
        skip_widths: tuple[int, int],
        num_candidates: int = 3,
    ) -> None:
        super().__init__()
        wide8, wide4 = skip_widths
        self.transformer = transformer
        self.num_mask_tokens = num_candidates + 1
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, wide8, 2, stride=2),
            LayerNorm2d(wide8),
            nn.GELU(),
            nn.ConvTranspose2d(wide8, wide4, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(width, width, wide4, 3) for _ in range(self.num_mask_tokens))
        self.iou_prediction_head = MLP(width, width, self.num_mask_tokens, 3)

    def run(
        self,
        cells: Float[Tensor, "_N L D"],
        positions: Float[Tensor, "L D"],
        sparse: Float[Tensor, "N K D"],
    ) -> Decoding:
        """Run the transformer for N prompts; cells (embedding plus dense prompt) are shared (_N = 1) or one map each."""
        output = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([output.expand(sparse.shape[0], -1, -1).to(sparse.dtype), sparse], dim=1)
        hidden, cells = self.transformer(tokens, cells, positions)
        predicted_iou = self.iou_prediction_head(hidden[:, 0])
        return Decoding(mask_tokens=hidden[:, 1 : len(output)], cells=cells, predicted_iou=predicted_iou)

    def hyper_weights(self, mask_tokens: Float[Tensor, "N M1 D"]) -> Float[Tensor, "N M1 C"]:
        """Turn mask tokens into one weight per upscaled channel."""
        return torch.stack([mlp(mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], 1)

    def upscale(
        self, cells: Float[Tensor, "P L D"], skips: tuple[Float[Tensor, "_P L4 E"], Float[Tensor, "_P L16 C"]]
    ) -> Float[Tensor, "P L16 C"]:
        """Upscale cells by four, adding the skips, which are in cell order (`skip_cells`)."""
        first, norm, _, second, _ = self.output_upscaling
        x = transposed_conv(cells, first) + skips[0]
        x = F.gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        return F.gelu(transposed_conv(x, second) + skips[1])

    def draw(
        self,
        decoding: Decoding,
        skips: tuple[Tensor, Tensor],
        prompt_index: Int[Tensor, " Q"],
        mask_index: Int[Tensor, " Q"],
    ) -> Float[Tensor, "Q h4 w4"]:
        """Draw Q masks of one image, candidate `mask_index[i]` of prompt `prompt_index[i]`."""
        drawn, row = torch.unique(prompt_index, return_inverse=True)
        pixels = self.upscale(decoding.cells[drawn], skips)
        weights = self.hyper_weights(decoding.mask_tokens[drawn])
        logits = torch.bmm(weights, pixels.transpose(1, 2))  # P M1 L16
        return to_picture(logits[row, mask_index])

    def draw_all(self, decoding: Decoding, skips: tuple[Tensor, Tensor]) -> Float[Tensor, "N M1 h4 w4"]:
        """Draw every candidate of every prompt; skips hold one image, or one for each prompt (training)."""
        logits = torch.bmm(
            self.hyper_weights(decoding.mask_tokens), self.upscale(decoding.cells, skips).transpose(1, 2)
        )
        return to_picture(logits.flatten(0, 1)).unflatten(0, logits.shape[:2])


def skip_cells(
    skip8: Float[Tensor, "B E h2 w2"], skip4: Float[Tensor, "B C h4 w4"]
) -> tuple[Float[Tensor, "B L4 E"], Float[Tensor, "B L16 C"]]:
    """Put the finer maps into the order in which cells are upscaled: cell, then y and x within it, level by level."""
    B, E, h2, w2 = skip8.shape
    x = skip8.reshape(B, E, h2 // 2, 2, w2 // 2, 2)  # B E h y1 w x1
    cells8 = x.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, E)
    C = skip4.shape[1]
    x = skip4.reshape(B, C, h2 // 2, 2, 2, w2 // 2, 2, 2)  # B C h y1 y2 w x1 x2
    cells4 = x.permute(0, 2, 5, 3, 6, 4, 7, 1).reshape(B, -1, C)
    return cells8, cells4


__all__ = ["TinyMaskDecoder", "skip_cells"]
