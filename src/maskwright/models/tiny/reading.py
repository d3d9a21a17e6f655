"""What a mask shows, in numbers, and which words hold of it: the encoder's maps and the picture's own colours, pooled.

A mask is read whole: means inside it and in a ring around it, how its colours are spread, its shape and place. What
reads the numbers is small, so it learns in minutes; colour words are read from colours alone, so that a mug is not
red because the mugs of the training scenes were.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from maskwright.models.protocol import Features
from maskwright.models.sam.mask_decoder import to_picture
from maskwright.models.tiny.finding import cells8_to_picture

NUM_SHADES = 48
_RING = 2  # cells of stride 8
_LEAST_INNER = 12  # pixels of stride 4 that must be left to do without a mask's edge, whose colours are mixed
_LEAST_SPREAD = 1e-3
_FAR = 6.0  # numbers are cut so many standard deviations from their mean


def oklab(shades: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Turn frame pixels (-1..1) into Oklab, where distances are as people see them (Ottosson, 2020)."""
    rgb = ((shades + 1) / 2).clamp(0, 1)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ _tensor(_TO_CONES, shades).T
    return cones.clamp(min=0) ** (1 / 3) @ _tensor(_TO_LAB, shades).T


_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)  # fmt: skip
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)  # fmt: skip


def _tensor(rows: tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    return torch.tensor(rows, dtype=like.dtype, device=like.device)


def colour_numbers(
    shades: Float[Tensor, "h w 3"],
    masks: Bool[Tensor, "Q h w"],
    palette: Float[Tensor, "P 3"],
    size_hw: tuple[int, int],
) -> Float[Tensor, "Q C"]:
    """Describe colours: shares of the palette, quantiles of lightness and chroma, spread, and the whole picture's."""
    seen = oklab(shades[: size_hw[0], : size_hw[1]]).flatten(0, 1)  # L 3
    inner = F.avg_pool2d(masks.float()[:, None], 3, 1, 1)[:, 0] > 0.99
    small = inner.flatten(1).sum(1) < _LEAST_INNER
    inside = torch.where(small[:, None, None], masks, inner)[:, : size_hw[0], : size_hw[1]].flatten(1).float()
    inside = inside / inside.sum(1, keepdim=True).clamp(min=1)
    near = (-(seen[:, None] - palette).square().sum(-1) / (2 * 0.05**2)).softmax(-1)  # L P
    mean = inside @ seen
    spread = (inside @ seen.square() - mean.square()).clamp(min=0).sqrt()
    chroma = seen[:, 1:].norm(dim=-1)
    levels = torch.arange(0.1, 1.0, 0.2, device=seen.device)
    quantiles = [_quantiles(inside, values, levels) for values in (seen[:, 0], chroma)]
    whole = torch.cat([seen.mean(0), seen.std(0), seen[:, 0].quantile(torch.tensor([0.1, 0.9], device=seen.device))])
    return torch.cat([inside @ near, mean, spread, *quantiles, whole.expand(len(masks), -1)], 1)


def _quantiles(inside: Float[Tensor, "Q L"], values: Float[Tensor, " L"], levels: Float[Tensor, " K"]) -> Tensor:
    order = values.argsort()
    below = inside[:, order].cumsum(1)
    at = torch.searchsorted(below.contiguous(), levels.expand(len(inside), -1).contiguous()).clamp(max=len(values) - 1)
    return values[order][at]


def shape_numbers(masks: Bool[Tensor, "Q h w"], size_hw: tuple[int, int]) -> Float[Tensor, "Q S"]:
    """Describe sizes, places and outlines of masks; `size_hw` is the picture's part of the frame."""
    height, width = size_hw
    x, y = ((torch.arange(n, device=masks.device) + 0.5).float() for n in (masks.shape[2], masks.shape[1]))
    inside = masks.float()
    columns, rows = inside.sum(1), inside.sum(2)
    area = rows.sum(1).clamp(min=1)
    mx, my = (columns @ x) / area, (rows @ y) / area
    vx, vy = (columns @ x.square()) / area - mx**2, (rows @ y.square()) / area - my**2
    vxy = (inside @ x * y).sum(1) / area - mx * my
    root = ((vx - vy) ** 2 / 4 + vxy**2).clamp(min=0).sqrt()
    long, short = ((vx + vy) / 2 + root + 0.1).log(), ((vx + vy) / 2 - root + 0.1).clamp(min=0.01).log()
    w, h = ((x_ > 0).sum(1).clamp(min=1).float() for x_ in (columns, rows))
    edge = inside - F.avg_pool2d(inside[:, None], 3, 1, 1)[:, 0]
    rough = edge.clamp(min=0).sum((1, 2)) / area.sqrt()
    sides = [columns[:, 0], columns[:, width - 1], rows[:, 0], rows[:, height - 1]]
    touches = sum((side > 0).float() for side in sides)
    numbers = [
        area.log(), w.log(), h.log(), (w / h).log(), area / (w * h), long - short, (vx - vy) / (vx + vy + 0.1),
        2 * vxy / (vx + vy + 0.1), mx / width, my / height, rough, touches, (w * h / (width * height)).log(),
    ]  # fmt: skip
    return torch.stack([n if isinstance(n, Tensor) else torch.full_like(area, n) for n in numbers], 1)


def map_numbers(features: Features, masks: Bool[Tensor, "Q h w"]) -> Float[Tensor, "Q F"]:
    """Average the maps of one picture inside masks and around them."""
    skip8, skip4, trunk = (x[0] for x in features.extra[:3])
    grid = features.image_embedding.shape[-2:]
    fine = to_picture(skip4.T).flatten(1).T  # L16 C
    middle = cells8_to_picture(skip8[None], grid[1])[0].flatten(1).T
    coarse = torch.cat([features.image_embedding[0], trunk.T.unflatten(1, grid)]).flatten(1).T
    m4 = masks.float()
    m8 = F.avg_pool2d(m4, 2)
    ring8 = (F.max_pool2d(m8, 2 * _RING + 1, 1, _RING) > 0).float() * (1 - m8)
    m16, ring16 = F.avg_pool2d(m8, 2), F.avg_pool2d(ring8, 2)
    mean4 = _mean(m4, fine)
    spread4 = (_mean(m4, fine.square()) - mean4.square()).clamp(min=0).sqrt()
    return torch.cat(
        [mean4, spread4, _mean(m8, middle), _mean(ring8, middle), _mean(m16, coarse), _mean(ring16, coarse)], 1
    )


def _mean(weights: Float[Tensor, "Q h w"], values: Float[Tensor, "L C"]) -> Float[Tensor, "Q C"]:
    flat = weights.flatten(1)
    return flat @ values / flat.sum(1, keepdim=True).clamp(min=1e-3)


class MaskReader(nn.Module):
    """Numbers of masks to how much each word holds of them, and how likely they are whole things.

    `learned_mean` and `learned_scale` bring the numbers into one range; they belong to the weights.
    """

    learned_mean: Tensor
    learned_scale: Tensor

    def __init__(
        self,
        *,
        sizes: tuple[int, int, int],
        num_words: int,
        num_colours: int,
        width: int = 192,
        space: int = 96,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.sizes, self.num_colours = sizes, num_colours
        total = sum(sizes)
        self.register_buffer("learned_mean", torch.zeros(total))
        self.register_buffer("learned_scale", torch.ones(total))
        self.name1, self.name2 = nn.Linear(total, width), nn.Linear(width, width)
        self.to_space = nn.Linear(width, space)
        self.places = nn.Embedding(num_words, space)
        self.bias = nn.Parameter(torch.empty(num_words))
        self.quality = nn.Linear(width, 1)
        self.colour1, self.colour2 = nn.Linear(sizes[1], 64), nn.Linear(64, 64)
        self.to_colours = nn.Linear(64, num_colours)
        self.forget, self.forget_some = nn.Dropout(dropout), nn.Dropout(dropout / 2)
        self.reset()

    def reset(self) -> None:
        """Begin with words that are unlikely of everything."""
        nn.init.normal_(self.places.weight, std=self.places.embedding_dim**-0.5)
        nn.init.constant_(self.bias, -4.0)

    def fit_ranges(self, numbers: Float[Tensor, "Q F"]) -> None:
        """Take the ranges of the numbers from some that are typical."""
        self.learned_mean.copy_(numbers.mean(0))
        self.learned_scale.copy_(1 / numbers.std(0).clamp(min=_LEAST_SPREAD))

    def forward(self, numbers: Float[Tensor, "Q F"]) -> tuple[Float[Tensor, "Q W"], Float[Tensor, " Q"]]:
        """Give the logit of every word for each mask, and that of its being a whole thing."""
        x = ((numbers - self.learned_mean) * self.learned_scale).clamp(-_FAR, _FAR)
        h = F.gelu(self.name1(self.forget_some(x)))
        h = h + F.gelu(self.name2(self.forget(h)))
        words = self.to_space(self.forget(h)) @ self.places.weight.T + self.bias
        c = F.gelu(self.colour1(x[:, self.sizes[0] : self.sizes[0] + self.sizes[1]]))
        c = c + F.gelu(self.colour2(self.forget(c)))
        colours = self.to_colours(self.forget(c)) + self.bias[: self.num_colours]
        return torch.cat([colours, words[:, self.num_colours :]], 1), self.quality(h)[:, 0]


__all__ = ["NUM_SHADES", "MaskReader", "colour_numbers", "map_numbers", "oklab", "shape_numbers"]
