"""`tiny`'s image encoder: an EfficientNet-Lite trunk and a neck that gives the image embedding and maps beside it.

The neck thinks at stride 32, where attention over the whole picture is cheap, and carries what it found down to strides
16 (the embedding), 8 and 4 (skips that the mask decoder adds while it upscales, as SAM 2 does). Positions come from
depthwise convolutions, so the frame may have any side that 32 divides.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.models.tiny.efficientnet_lite import EfficientNetLite, TrunkConfig
from maskwright.nn.layers import LayerNorm2d


class AttentionBlock(nn.Module):
    """Depthwise positions, self-attention over all cells, feed-forward; pre-norm."""

    def __init__(self, width: int, num_heads: int, hidden: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Apply the block."""
        h, w = x.shape[-2:]
        cells = (x + self.place(x)).flatten(2).transpose(1, 2)  # B hw D
        qkv = self.qkv(self.norm1(cells)).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each B heads hw c
        read = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        cells = cells + self.out(read)
        cells = cells + self.lin2(F.gelu(self.lin1(self.norm2(cells))))
        return cells.transpose(1, 2).unflatten(2, (h, w))


class ConvBlock(nn.Module):
    """A wide depthwise convolution and a feed-forward on each cell (ConvNeXt's block, without layer scale)."""

    def __init__(self, width: int, kernel: int, hidden: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Apply the block."""
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.lin2(F.gelu(self.lin1(y))).permute(0, 3, 1, 2)


class TinyImageEncoder(nn.Module):
    """Frames to the image embedding at stride 16 and skips at strides 8 and 4."""

    def __init__(
        self,
        *,
        trunk: TrunkConfig,
        width: int = 192,
        context_width: int = 256,
        context_depth: int = 4,
        embedding_depth: int = 3,
        skip_widths: tuple[int, int] = (64, 32),
    ) -> None:
        super().__init__()
        self.trunk = EfficientNetLite(trunk)
        c4, c8, c16, c32 = self.trunk.channels
        wide8, wide4 = skip_widths
        self.lateral32 = nn.Conv2d(c32, context_width, 1)
        self.context = nn.Sequential(
            *(AttentionBlock(context_width, 8, context_width * 3) for _ in range(context_depth))
        )
        self.lateral16 = nn.Conv2d(c16, width, 1)
        self.down16 = nn.Conv2d(context_width, width, 1)
        self.embed = nn.Sequential(*(ConvBlock(width, 7, width * 3) for _ in range(embedding_depth)))
        self.norm = LayerNorm2d(width)
        self.lateral8 = nn.Conv2d(c8, wide8, 1)
        self.down8 = nn.Conv2d(width, wide8, 1)
        self.refine8 = ConvBlock(wide8, 5, wide8 * 2)
        self.norm8 = LayerNorm2d(wide8)
        self.lateral4 = nn.Conv2d(c4, wide4, 1)
        self.down4 = nn.Conv2d(wide8, wide4, 1)
        self.refine4 = ConvBlock(wide4, 5, wide4 * 2)
        self.norm4 = LayerNorm2d(wide4)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Return the embedding, the skips (stride 8, stride 4), and the trunk's map of stride 16."""
        f4, f8, f16, f32 = self.trunk(pixels)
        context = self.context(self.lateral32(f32))
        x16 = self.embed(self.lateral16(f16) + _double(self.down16(context)))
        skip8 = self.refine8(self.lateral8(f8) + _double(self.down8(x16)))
        skip4 = self.refine4(self.lateral4(f4) + _double(self.down4(skip8)))
        return self.norm(x16), (self.norm8(skip8), self.norm4(skip4)), f16


def _double(x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h2 w2"]:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


__all__ = ["AttentionBlock", "ConvBlock", "TinyImageEncoder"]
