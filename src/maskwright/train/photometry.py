"""What a camera does to a scene: light, colour, blur, lost resolution, noise, JPEG. Batched torch, values in 0..1."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.train.dice import Dice

_LUMA_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


def smooth_field(dice: Dice, batch: int, cells: int, side: int, channels: int = 1) -> Float[Tensor, "B C S S"]:
    """Draw a smooth random field with about `cells` bumps a side, roughly standard normal."""
    coarse = dice.normal(batch, channels, cells + 1, cells + 1)
    return F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)


def photograph(dice: Dice, scene: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Take a picture of a scene."""
    x = relight(dice, scene)
    x = recolour(dice, x)
    x = blur(x, 0.2 + 1.3 * dice.uniform(0, 1, len(x)) ** 3)
    if dice.number(0, 1) < 0.3:
        x = lose_resolution(x, dice.number(0.35, 0.85))
    x = add_noise(dice, x)
    return jpeg(dice, x) if dice.number(0, 1) < 0.6 else x


def relight(dice: Dice, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Multiply by a smooth illumination, the same for objects and background."""
    B, _, S, _ = x.shape
    strength = dice.uniform(0, 0.25, B, 1, 1, 1)
    light = torch.exp(strength * smooth_field(dice, B, 2, S))
    hard = smooth_field(dice, B, 2, S) > 0.9  # a cast shadow with an edge
    cast = 1 - dice.chance(0.15, B, 1, 1, 1) * hard * dice.uniform(0.2, 0.5, B, 1, 1, 1)
    return x * light * cast


def recolour(dice: Dice, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """White balance, saturation, contrast, exposure and gamma of each picture; a few are grey."""
    B = len(x)
    cast = torch.exp(0.12 * dice.normal(B, 3, 1, 1))
    exposure = torch.exp(dice.uniform(-0.5, 0.35, B, 1, 1, 1))
    x = (x * cast * exposure).clamp(1e-4, 1.2)
    grey = x.mean(1, keepdim=True)
    saturation = dice.uniform(0.35, 1.25, B, 1, 1, 1) * (1 - dice.chance(0.05, B, 1, 1, 1))
    x = grey + (x - grey) * saturation
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * dice.uniform(0.6, 1.2, B, 1, 1, 1)
    haze = dice.chance(0.15, B, 1, 1, 1) * dice.uniform(0, 0.3, B, 1, 1, 1)
    x = x * (1 - haze) + haze * 0.8
    return x.clamp(1e-4, 1).pow(torch.exp(dice.uniform(-0.35, 0.35, B, 1, 1, 1)))


def blur(x: Float[Tensor, "B C S S"], sigma: Float[Tensor, " B"]) -> Float[Tensor, "B C S S"]:
    """Gaussian blur with a width for each picture, up to about two pixels."""
    B, C, S, _ = x.shape
    taps = torch.arange(-4, 5, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-(taps**2) / (2 * sigma[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(C, 0)[:, None, None]  # BC 1 1 9
    flat = F.pad(x.reshape(1, B * C, S, S), (4, 4, 4, 4), mode="reflect")
    flat = F.conv2d(F.conv2d(flat, kernel, groups=B * C), kernel.transpose(2, 3), groups=B * C)
    return flat.view(B, C, S, S)


def lose_resolution(x: Float[Tensor, "B C S S"], factor: float) -> Float[Tensor, "B C S S"]:
    """Shrink and enlarge again."""
    S = x.shape[-1]
    small = F.interpolate(x, size=(int(S * factor),) * 2, mode="bilinear", antialias=True)
    return F.interpolate(small, size=(S, S), mode="bicubic", align_corners=False).clamp(0, 1)


def add_noise(dice: Dice, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Add noise that grows with brightness, as a sensor's does."""
    B = len(x)
    level = 0.05 * dice.uniform(0, 1, B, 1, 1, 1) ** 3
    return (x + level * (0.4 + x.sqrt()) * dice.normal(*x.shape)).clamp(0, 1)


def jpeg(dice: Dice, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Quantise 8x8 blocks as JPEG does, with a quality for each picture and halved chroma."""
    B, _, S, _ = x.shape
    scale = torch.exp(dice.uniform(math.log(0.06), math.log(0.9), B, 1, 1, 1, 1))
    r, g, b = x.unbind(1)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    chroma = torch.stack([0.564 * (b - luma), 0.713 * (r - luma)], 1)
    luma = _quantise(luma[:, None], scale)
    chroma = F.interpolate(_quantise(F.avg_pool2d(chroma, 2), scale * 1.5), size=(S, S), mode="bilinear")
    blue, red = luma[:, 0] + chroma[:, 0] / 0.564, luma[:, 0] + chroma[:, 1] / 0.713
    green = (luma[:, 0] - 0.299 * red - 0.114 * blue) / 0.587
    return torch.stack([red, green, blue], 1).clamp(0, 1)


@lru_cache
def _luma_table(device: torch.device) -> Float[Tensor, "8 8"]:
    return torch.tensor(_LUMA_TABLE, device=device, dtype=torch.float32).view(8, 8) / 255


def _quantise(x: Float[Tensor, "B C S S"], scale: Float[Tensor, "B 1 1 1 1"]) -> Float[Tensor, "B C S S"]:
    n = torch.arange(8, device=x.device, dtype=x.dtype)
    dct = torch.cos((2 * n[None] + 1) * n[:, None] * math.pi / 16) * 0.5
    dct[0] *= 0.5**0.5
    B, C, H, W = x.shape
    blocks = x.view(B, C, H // 8, 8, W // 8, 8).transpose(3, 4)  # B C h w 8 8
    spectrum = dct @ blocks @ dct.T
    table = _luma_table(x.device)
    step = scale[..., None] * table
    spectrum = (spectrum / step).round() * step
    return (dct.T @ spectrum @ dct).transpose(3, 4).reshape(B, C, H, W)


__all__ = ["photograph", "smooth_field"]
