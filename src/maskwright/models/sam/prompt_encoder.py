"""SAM's prompt encoder: points and box corners become tokens, a mask becomes a dense map.

Source: Kirillov et al., "Segment Anything" (2023); Tancik et al., "Fourier Features" (2020) for the positions.
Parameter names and shapes are those of the published checkpoints.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.nn.layers import LayerNorm2d

PADDING, NEGATIVE, POSITIVE, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = -1, 0, 1, 2, 3


class RandomPositions(nn.Module):
    """Positions in [0, 1] as sines and cosines of random frequencies."""

    def __init__(self, num_frequencies: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, num_frequencies))
        self.positional_encoding_gaussian_matrix: Tensor

    def forward(self, unit_xy: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n D"]:
        """Encode positions, in full precision also where training has the rest in half: an angle needs its digits."""
        matrix = self.positional_encoding_gaussian_matrix
        with torch.autocast(matrix.device.type, enabled=False):
            angle = 2 * math.pi * ((2 * unit_xy - 1).to(matrix.dtype) @ matrix)
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def grid(self, h: int, w: int) -> Float[Tensor, "L D"]:
        """Encode the centres of an h x w grid."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(h, device=device, dtype=torch.float32) + 0.5) / h
        x = (torch.arange(w, device=device, dtype=torch.float32) + 0.5) / w
        unit_xy = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return self(unit_xy).flatten(0, 1)


class PromptEncoder(nn.Module):
    """Points, boxes and masks of a frame of `side` pixels to tokens, and maps on a `grid` x `grid` embedding."""

    def __init__(self, *, side: int, grid: int, width: int = 256, mask_channels: int = 16) -> None:
        super().__init__()
        self.side = side
        self.grid = grid
        self.width = width
        self.pe_layer = RandomPositions(width // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, 2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, 2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, width, 1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def positions(self) -> Float[Tensor, "L D"]:
        """The position of every cell of the image embedding."""
        return self.pe_layer.grid(self.grid, self.grid)

    def tokens(self, points: Float[Tensor, "N K 2"], labels: Int[Tensor, "N K"]) -> Float[Tensor, "N K D"]:
        """Embed points by label; a padding point carries no position, as the reference has it."""
        positions = self.pe_layer((points + 0.5) / self.side)
        kinds = torch.cat(
            [e.weight for e in (self.not_a_point_embed, *self.point_embeddings) if isinstance(e, nn.Embedding)]
        )
        return positions * (labels != PADDING)[..., None] + kinds[labels + 1]

    def dense(self, mask_logits: Float[Tensor, "N 1 _h _w"] | None) -> Float[Tensor, "N L D"] | Float[Tensor, "1 1 D"]:
        """Embed mask logits cell by cell; without masks, the one vector that stands for none."""
        if mask_logits is None:
            return self.no_mask_embed.weight[None]
        return self.mask_downscaling(mask_logits).flatten(2).transpose(1, 2)


__all__ = ["BOX_BOTTOM_RIGHT", "BOX_TOP_LEFT", "NEGATIVE", "PADDING", "POSITIVE", "PromptEncoder", "RandomPositions"]
