"""TinyViT, the image encoder of MobileSAM and of light HQ-SAM: 1024 px in, a 64 x 64 x 256 embedding out.

Parameter names and shapes are the published checkpoints'; the numbers are the reference's to float rounding. What
differs is how they are reached: tokens stay channels-last through the whole network, batch norms are folded into their
convolutions whenever batch statistics are not wanted, wide activations are computed a strip of rows at a time so that
they stay in cache, and attention takes heads and windows as strided views.

Knows nothing of prompts, decoders or image pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.nn.exporting import is_exporting
from maskwright.nn.layers import LayerNorm2d

# Floats of one intermediate strip, 4 MB. Medians of one 1024-pixel frame on two cores (1 MB of L2 each): 596 ms; with
# strips of a quarter 619, of four times 616, without strips 694, since each large activation is page-faulted in anew.
_STRIP_FLOATS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyViTConfig:
    """Widths and depths of TinyViT's four stages. The defaults are MobileSAM's (TinyViT-5M)."""

    side: int = 1024
    widths: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    num_heads: tuple[int, int, int, int] = (2, 4, 5, 10)
    window_sides: tuple[int, int, int, int] = (7, 7, 14, 7)
    out_channels: int = 256
    num_classes: int = 1000

    def build(self) -> "TinyViT":
        """Build the encoder with random weights."""
        return TinyViT(
            side=self.side,
            widths=self.widths,
            depths=self.depths,
            num_heads=self.num_heads,
            window_sides=self.window_sides,
            out_channels=self.out_channels,
            num_classes=self.num_classes,
        )


class TinyViT(nn.Module):
    """Encode frames; also return what light HQ-SAM's decoder wants, the tokens after the second stage.

    TinyViT: Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers" (ECCV 2022), as MobileSAM
    changes it: the last stage keeps the resolution of the one before, and SAM's neck follows. `norm_head` and `head`
    are never run; they are kept for checkpoint compatibility.
    """

    def __init__(
        self,
        *,
        side: int,
        widths: Sequence[int],
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_sides: Sequence[int],
        out_channels: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.img_size = side  # Meta's name; scripts written for segment_anything read it
        self.patch_embed = PatchEmbed(widths[0])
        last = len(widths) - 1
        self.layers = nn.ModuleList()
        for i, width in enumerate(widths):
            # The reference decides the stride from the output width (320 keeps the resolution); for every published
            # checkpoint that means: the merge before the last stage does not shrink.
            merge = PatchMerging(width, widths[i + 1], stride=1 if i == last - 1 else 2) if i < last else None
            blocks: list[nn.Module] = (
                [MBConv(width) for _ in range(depths[i])]
                if i == 0
                else [TinyViTBlock(width, num_heads[i], window_sides[i]) for _ in range(depths[i])]
            )
            self.layers.append(Stage(blocks, merge))
        self.norm_head = nn.LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], num_classes)
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], out_channels, 1, bias=False),
            LayerNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            LayerNorm2d(out_channels),
        )

    def forward(self, pixels: Float[Tensor, "B 3 S S"]) -> tuple[Float[Tensor, "B C h w"], Float[Tensor, "B h w D"]]:
        """Return the embedding, and the 160-wide tokens after the second stage."""
        x = self.patch_embed(pixels.contiguous(memory_format=torch.channels_last))
        x = self.layers[0](x)
        x = early = self.layers[1](x)
        for stage in self.layers[2:]:
            x = stage(x)
        return self.neck(x).contiguous(), early.permute(0, 2, 3, 1)


class Stage(nn.Module):
    """Blocks at one resolution, then the step to the next."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B _C _h _w"]:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm, run as one convolution unless in training mode.

    Folding happens on every call: it costs about 1 ms of an encoder's half second, and a fold that is never stored is
    never stale after `load_state_dict`, `.to` or a step of an optimiser.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def folded(self) -> "FoldedConv":
        """The one convolution that equals both, for running statistics."""
        bn, weight = self.bn, self.c.weight
        assert bn.running_var is not None
        assert bn.running_mean is not None
        scale = bn.weight * (bn.running_var + bn.eps).rsqrt()
        weight = (weight * scale[:, None, None, None]).contiguous(memory_format=torch.channels_last)
        return FoldedConv(weight, bn.bias - bn.running_mean * scale, self.c)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B _C _h _w"]:
        return self.bn(self.c(x)) if self.training else self.folded()(x)


class FoldedConv:
    """A convolution with its batch norm inside, for as long as one forward pass lasts."""

    __slots__ = ("bias", "conv", "weight")

    def __init__(self, weight: Tensor, bias: Tensor, conv: nn.Conv2d) -> None:
        self.weight, self.bias, self.conv = weight, bias, conv

    def __call__(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B _C _h _w"]:
        conv = self.conv
        return F.conv2d(x, self.weight, self.bias, conv.stride, conv.padding, conv.dilation, conv.groups)


class PatchEmbed(nn.Module):
    """Two strided 3 x 3 convolutions: a quarter of the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Index 1 is the activation's place in the published file.
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, 3, stride=2), nn.GELU(), ConvNorm(width // 2, width, 3, stride=2)
        )

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        return self.seq[2](_gelu_(self.seq[0](x)))


class MBConv(nn.Module):
    """Widen four times, mix 3 x 3 per channel, narrow; with a residual."""

    def __init__(self, width: int, expand: int = 4) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, width * expand)
        self.conv2 = ConvNorm(width * expand, width * expand, 3, groups=width * expand)
        self.conv3 = ConvNorm(width * expand, width)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        if self.training:
            hidden = _gelu_(self.conv2(_gelu_(self.conv1(x))))
            return _gelu_(self.conv3(hidden) + x)
        widen, mix, narrow = self.conv1.folded(), self.conv2.folded(), self.conv3.folded()
        if is_exporting():
            return _gelu_(narrow(_gelu_(mix(_gelu_(widen(x))))) + x)
        rows = max(4, _STRIP_FLOATS // (self.conv2.c.in_channels * x.shape[3] * x.shape[0]))
        strips = []
        for top, bottom, halo_top, halo_bottom in _strips_with_halo(x.shape[2], rows):
            hidden = _gelu_(widen(x[:, :, halo_top:halo_bottom]))
            # Padding is right at the picture's edges; elsewhere it only spoils the halo rows, which are cut off here.
            hidden = _gelu_(mix(hidden)[:, :, top - halo_top : bottom - halo_top])
            strips.append(_gelu_(narrow(hidden) + x[:, :, top:bottom]))
        return torch.cat(strips, dim=2)


class PatchMerging(nn.Module):
    """Change the width, and halve the resolution with `stride` 2."""

    def __init__(self, in_width: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_width, out_width)
        self.conv2 = ConvNorm(out_width, out_width, 3, stride=stride, groups=out_width)
        self.conv3 = ConvNorm(out_width, out_width)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B _C _h _w"]:
        return self.conv3(_gelu_(self.conv2(_gelu_(self.conv1(x)))))


class TinyViTBlock(nn.Module):
    """Attention within windows, a depth-wise 3 x 3, and a perceptron; the first and the last with a residual."""

    def __init__(self, width: int, num_heads: int, window_side: int) -> None:
        super().__init__()
        self.attn = WindowAttention(width, num_heads, window_side)
        self.mlp = Perceptron(width, width * 4)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        tokens = x.permute(0, 2, 3, 1)  # B h w C
        tokens = tokens + self.attn(tokens)
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.mlp(tokens).permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Attention within square windows, biased by the distance of two tokens along each axis.

    A grid that the window does not divide is padded at the right and the bottom. The reference pads before the norm, so
    after it a padding token is the norm's bias.
    """

    offsets: Tensor

    def __init__(self, width: int, num_heads: int, window_side: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_side = window_side
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, width * 3)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, window_side**2))
        self.register_buffer("offsets", window_offsets(window_side), persistent=False)

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        B, h, w, C = x.shape
        side, heads = self.window_side, self.num_heads
        rows, cols = -(-h // side), -(-w // side)
        padded = self._padded(self.norm(x), rows * side, cols * side)
        windows = padded.view(B, rows, side, cols, side, C).transpose(2, 3).reshape(-1, side * side, C)
        # Each head's query, key and value lie beside each other in the published weights; attention takes them strided.
        q, k, v = self.qkv(windows).unflatten(-1, (heads, 3, C // heads)).permute(3, 0, 2, 1, 4)  # X heads L c
        bias = self.attention_biases[:, self.offsets]  # heads L L; gathered here, so it is never stale
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None]).transpose(1, 2)
        out = out.reshape(B, rows, cols, side, side, C).transpose(2, 3).reshape(padded.shape)
        return self.proj(out[:, :h, :w])

    def _padded(self, x: Float[Tensor, "B h w C"], height: int, width: int) -> Float[Tensor, "B _H _W C"]:
        B, h, w, C = x.shape
        if is_exporting():
            wide = torch.cat([x, self.norm.bias.expand(B, h, width - w, C)], 2) if width > w else x
            return torch.cat([wide, self.norm.bias.expand(B, height - h, width, C)], 1) if height > h else wide
        padded = self.norm.bias.expand(B, height, width, C).contiguous()
        padded[:, :h, :w] = x
        return padded


class Perceptron(nn.Module):
    """Norm, widen, activate, narrow, with the residual; computed a strip of tokens at a time."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        if is_exporting():
            return x + self.fc2(_gelu_(self.fc1(self.norm(x))))
        tokens = x.reshape(-1, x.shape[-1])
        strips = tokens.split(max(64, _STRIP_FLOATS // self.fc1.out_features))
        return torch.cat([part + self.fc2(_gelu_(self.fc1(self.norm(part)))) for part in strips]).view(x.shape)


def window_offsets(side: int) -> Int[Tensor, "L L"]:
    """Number the distances (rows, columns) between any two cells of a window, in the order the checkpoints use.

    The reference numbers distances as it first meets them, row by row; from the first cell every distance occurs, so
    the number of (dy, dx) is dy * side + dx.
    """
    axis = torch.arange(side)
    distance = (axis[:, None] - axis[None, :]).abs()
    both = distance[:, None, :, None] * side + distance[None, :, None, :]  # y1 x1 y2 x2
    return both.reshape(side * side, side * side)


def _strips_with_halo(height: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut `height` rows into strips: (top, bottom) of each, and the same with one more row wherever there is one."""
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield top, bottom, max(top - 1, 0), min(bottom + 1, height)


def _gelu_(x: Tensor) -> Tensor:
    """Exact GELU in the memory of `x`; autograd keeps what it needs."""
    if is_exporting():
        return F.gelu(x)
    return torch.ops.aten.gelu_(x)


__all__ = ["TinyViT", "TinyViTConfig", "window_offsets"]
