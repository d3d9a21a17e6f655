"""Which of the vocabulary's colours a thing has, by the pixels that are seen of it; none where it is doubtful."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.tiny.vocabulary import COLOURS, WORDS

# Of an object's sampled pixels: how many must be of one colour, how many of the next at most, and how many at least.
_SHARE, _SECOND, _LEAST = 0.55, 0.25, 8


def pixel_colours(rgb: Float[Tensor, "B 3 h w"]) -> Int[Tensor, "B h w"]:
    """Give the index into COLOURS of each pixel, values in 0..1; -1 between colours."""
    rgb = rgb.clamp(0, 1)
    high, low = rgb.amax(1), rgb.amin(1)
    spread = high - low
    vivid = spread / high.clamp(min=1e-4)
    r, g, b = rgb.unbind(1)
    step = spread.clamp(min=1e-4)
    hue = torch.where(
        high == r, ((g - b) / step) % 6, torch.where(high == g, (b - r) / step + 2, (r - g) / step + 4)
    ).mul(60)
    found = torch.full_like(high, -1, dtype=torch.long)

    def name(colour: str, where: Tensor) -> None:
        found[where] = COLOURS.index(colour)

    is_red = (hue < 12) | (hue > 345)
    strong = (vivid > 0.4) & (high > 0.25)
    name("red", is_red & strong & (vivid > 0.5))
    pale_red = is_red & (vivid > 0.2) & (vivid < 0.45) & (high > 0.75)
    name("pink", pale_red | ((hue > 305) & (hue < 345) & strong & (high > 0.6)))
    name("orange", (hue > 18) & (hue < 42) & (vivid > 0.55) & (high > 0.7))
    name("brown", (hue > 10) & (hue < 42) & (vivid > 0.3) & (high > 0.2) & (high < 0.58))
    name("yellow", (hue > 47) & (hue < 66) & strong & (high > 0.55))
    name("green", (hue > 80) & (hue < 165) & strong)
    name("blue", (hue > 192) & (hue < 252) & strong)
    name("purple", (hue > 265) & (hue < 298) & strong)
    name("gray", (vivid < 0.12) & (high > 0.28) & (high < 0.7))
    name("white", (vivid < 0.12) & (high > 0.82))
    name("black", (high < 0.13) | ((high < 0.22) & (vivid < 0.4)))
    return found


def name_colours(pictures: Float[Tensor, "B 3 S S"], visible: Float[Tensor, "B O s s"]) -> Int[Tensor, "B O"]:
    """Give the index into WORDS of each object's colour, -1 where it has no one colour.

    Pictures are in 0..1; masks may have any whole fraction of their side. Single pixels are judged, not means: the
    mean of a wire and what it lies on is the colour of neither.
    """
    stride = max(1, visible.shape[-1] // 160)
    seen = visible[:, :, ::stride, ::stride] > 0.9
    step = pictures.shape[-1] // visible.shape[-1] * stride
    offset = min(step // 2, step - 1)
    colours = pixel_colours(pictures[:, :, offset::step, offset::step])[..., : seen.shape[-2], : seen.shape[-1]]
    shown = (colours[:, None] == torch.arange(len(COLOURS), device=colours.device)[None, :, None, None]).float()
    counts = torch.einsum("bohw,bchw->boc", seen.float(), shown)
    total = seen.flatten(2).sum(2).clamp(min=1)
    best, second = (counts / total[..., None]).topk(2, dim=2).values.unbind(2)
    first = counts.argmax(2) + WORDS.index(COLOURS[0])
    return torch.where((best > _SHARE) & (second < _SECOND) & (total >= _LEAST), first, -1)


__all__ = ["name_colours", "pixel_colours"]
