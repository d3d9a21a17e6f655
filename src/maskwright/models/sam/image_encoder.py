"""SAM's image encoder: a plain ViT with windowed attention, some global blocks, and a convolutional neck.

Source: Kirillov et al., "Segment Anything" (2023); Li et al., "Exploring Plain Vision Transformer Backbones" (2022).
Parameter names and shapes are those of the published checkpoints. Where the computation differs, the result does not:
queries, keys and values of window padding are not projected, since a zero token projects to the bias (30 GFLOP of
ViT-B's 972), padded outputs are dropped before the output projection, attention runs in blocks, and the feed-forward
runs over slices of tokens so that its hidden layer stays in the cache.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.nn.attention import attend_with_grid_bias, relative_positions, resized_table
from maskwright.nn.exporting import is_exporting
from maskwright.nn.fused_attention import attend_over_grid, can_fuse
from maskwright.nn.layers import LayerNorm2d, MLPBlock

_TOKENS_PER_SLICE = 1024  # the hidden layer of a slice is 12 MiB for ViT-B


class PatchEmbed(nn.Module):
    """Cut the frame into patches and project each to a token."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B h w D"]:
        """Project patches. On a GPU by a plain product: cuDNN takes 4 ms for 8 frames of ViT-H, and rounds to TF32."""
        if pixels.device.type != "cuda":
            return self.proj(pixels).permute(0, 2, 3, 1).contiguous()
        return self.as_product(pixels)

    def as_product(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B h w D"]:
        """Project patches as rows of numbers."""
        side = self.proj.kernel_size[0]
        patches = pixels.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 1, 3, 5)
        return F.linear(patches.flatten(3), self.proj.weight.flatten(1), self.proj.bias)


class GridAttention(nn.Module):
    """Self-attention over an h x w grid, or over its windows, with decomposed relative positions."""

    def __init__(self, width: int, num_heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window = window
        side = window or grid
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // num_heads))

    def forward(self, x: Float[Tensor, "B h w D"]) -> Float[Tensor, "B h w D"]:
        """Attend within windows, or over the whole grid where the window is 0."""
        return self.proj(self.attend(self.qkv(x)))

    def attend(self, qkv: Float[Tensor, "B h w E"]) -> Float[Tensor, "B h w D"]:
        """Do what lies between the two projections."""
        _, h, w, _ = qkv.shape
        side_h, side_w = (self.window, self.window) if self.window else (h, w)
        if can_fuse(qkv, self.num_heads, side_h, side_w):
            tables = resized_table(self.rel_pos_h, side_h), resized_table(self.rel_pos_w, side_w)
            return attend_over_grid(qkv, self.qkv.bias, *tables, self.num_heads, side_h, side_w)
        qkv = self._windows(qkv, side_h, side_w)  # 3 B nh nw heads side_h side_w c
        q, k, v = qkv.flatten(1, 4).flatten(2, 3)  # X L c
        grid_q = q.unflatten(1, (side_h, side_w))
        rows = torch.einsum("xhwc,hkc->xhwk", grid_q, relative_positions(self.rel_pos_h, side_h)).flatten(1, 2)
        columns = torch.einsum("xhwc,wkc->xhwk", grid_q, relative_positions(self.rel_pos_w, side_w)).flatten(1, 2)
        out = attend_with_grid_bias(q, k, v, rows, columns)
        return self._grid(out.view(qkv.shape[1:]), h, w)

    def _windows(self, qkv: Float[Tensor, "B h w E"], side_h: int, side_w: int) -> Tensor:
        """Cut the grid into windows, heads apart; positions beyond the grid hold what a zero token projects to."""
        B, h, w, _ = qkv.shape
        nh, nw, c = -(-h // side_h), -(-w // side_w), qkv.shape[-1] // (3 * self.num_heads)
        split = qkv.view(B, h, w, 3, self.num_heads, c)
        shape = (3, B, nh, nw, self.num_heads, side_h, side_w, c)
        if is_exporting():
            return self._padded(qkv, nh * side_h, nw * side_w).view(
                B, nh, side_h, nw, side_w, 3, self.num_heads, c
            ).permute(5, 0, 1, 3, 6, 2, 4, 7)  # fmt: skip
        if (nh * side_h, nw * side_w) == (h, w):
            out = qkv.new_empty(shape)
        else:
            out = self.qkv.bias.view(3, 1, 1, 1, self.num_heads, 1, 1, c).to(qkv.dtype).expand(shape).clone()
        for y, x, grid_y, grid_x in _pieces(h, w, side_h, side_w):
            piece = split[:, grid_y, grid_x].unflatten(2, (-1, x[1])).unflatten(1, (-1, y[1]))
            out[:, :, y[0], x[0], :, : y[1], : x[1]] = piece.permute(5, 0, 1, 3, 6, 2, 4, 7)
        return out

    def _padded(self, qkv: Float[Tensor, "B h w E"], height: int, width: int) -> Float[Tensor, "B _H _W E"]:
        """Put what a zero token projects to below and right of a grid."""
        B, h, w, E = qkv.shape
        bias = self.qkv.bias.to(qkv.dtype)
        if width > w:
            qkv = torch.cat([qkv, bias.expand(B, h, width - w, E)], 2)
        return torch.cat([qkv, bias.expand(B, height - h, width, E)], 1) if height > h else qkv

    def _grid(self, windows: Tensor, h: int, w: int) -> Float[Tensor, "B h w D"]:
        """Put windows back together, without what lay beyond the grid."""
        B, nh, nw, heads, side_h, side_w, c = windows.shape
        if is_exporting():
            whole = windows.permute(0, 1, 4, 2, 5, 3, 6).reshape(B, nh * side_h, nw * side_w, heads * c)
            return whole[:, :h, :w]
        out = windows.new_empty(B, h, w, heads, c)
        for y, x, grid_y, grid_x in _pieces(h, w, side_h, side_w):
            piece = windows[:, y[0], x[0], :, : y[1], : x[1]].permute(0, 1, 4, 2, 5, 3, 6)
            out[:, grid_y, grid_x] = piece.flatten(3, 4).flatten(1, 2)
        return out.flatten(3)


_Span = tuple[slice, int]  # windows, and how many cells of each lie in the grid


def _pieces(h: int, w: int, side_h: int, side_w: int) -> Iterator[tuple[_Span, _Span, slice, slice]]:
    """Split a grid into whole windows and those cut at its bottom and right: spans in y and x, grid slices."""
    for windows_y, grid_y, cells_y in _spans(h, side_h):
        for windows_x, grid_x, cells_x in _spans(w, side_w):
            yield (windows_y, cells_y), (windows_x, cells_x), grid_y, grid_x


def _spans(length: int, side: int) -> Iterator[tuple[slice, slice, int]]:
    whole = length // side
    if whole:
        yield slice(0, whole), slice(0, whole * side), side
    if length % side:
        yield slice(whole, whole + 1), slice(whole * side, length), length % side


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, num_heads: int, grid: int, window: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = GridAttention(width, num_heads, grid, window)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLPBlock(width, int(width * mlp_ratio), nn.GELU)

    def forward(self, x: Float[Tensor, "B h w D"]) -> Float[Tensor, "B h w D"]:
        """Attend, then feed forward."""
        x = x + self.attn(self.norm1(x))
        if torch.is_grad_enabled() or x.device.type != "cpu" or is_exporting():
            return x + self.mlp(self.norm2(x))
        for tokens in x.view(-1, x.shape[-1]).split(_TOKENS_PER_SLICE):
            tokens += self.mlp(self.norm2(tokens))
        return x


class ViTEncoder(nn.Module):
    """The ViT-B, -L and -H encoders: 16-pixel patches, blocks, neck to 256 channels.

    `forward` also returns the tokens after the first global block, which HQ-SAM fuses into its masks.
    """

    def __init__(
        self,
        *,
        side: int,
        width: int,
        depth: int,
        num_heads: int,
        global_blocks: tuple[int, ...],
        window: int = 14,
        patch: int = 16,
        out_channels: int = 256,
    ) -> None:
        super().__init__()
        grid = side // patch
        self.img_size = side  # Meta's name; scripts written for segment_anything read it
        self.first_global = global_blocks[0]
        self.patch_embed = PatchEmbed(patch, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, width))
        self.blocks = nn.ModuleList(
            Block(width, num_heads, grid, 0 if i in global_blocks else window) for i in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(width, out_channels, 1, bias=False),
            LayerNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            LayerNorm2d(out_channels),
        )

    def forward(self, pixels: Float[Tensor, "B 3 S S"]) -> tuple[Float[Tensor, "B C h w"], Float[Tensor, "B h w D"]]:
        """Encode frames; also return the tokens after the first global block."""
        x = self.patch_embed(pixels) + self.pos_embed
        first_global = x
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == self.first_global:
                first_global = x
        return self.neck(x.permute(0, 3, 1, 2)).contiguous(), first_global


__all__ = ["ViTEncoder"]
