"""Where things are, before anybody asks for one: boxes around them, and maps of the regions that have no box.

A light head behind the frozen encoder says for every cell of stride 8 how surely it lies on a thing, which box that
thing has (as FCOS does: Tian et al., 2019), and which region it belongs to: tables, walls, floors and robots are cut up
by what stands on them, so a map finds them better than a box. The decoder draws what is in the boxes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.models.protocol import Features

STRIDE = 8
# Regions are maps; what is no region is nothing or a thing with a box.
REGIONS = ("table", "wall", "floor", "robot arm", "robot gripper")
# Distances to a box's sides are exponentials of what the head says, in this unit, and at most so many of them.
_UNIT, _FURTHEST = 16.0, 4.0
_NEVER = -12.0
_WINDOWS, _NEAR = (3, 9), 3  # sides, in cells of stride 16 and of stride 8
_FAR = 6.0  # numbers are cut so many standard deviations from their mean
_LEAST_SCORE, _SAME_BOX, _VOTING_BOX = 0.04, 0.6, 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderMaps:
    """What the head says of pictures, in picture order; boxes are left, top, right, bottom in frame pixels."""

    things: Float[Tensor, "B h8 w8"]
    boxes: Float[Tensor, "B h8 w8 4"]
    regions: Float[Tensor, "B R h8 w8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBoxes:
    """Boxes of one picture, the surest first, in frame pixels."""

    boxes: Float[Tensor, "Q 4"]
    scores: Float[Tensor, " Q"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNumbers:
    """What the encoder's maps say of cells: of those of stride 16 and of the four in each, in cell order."""

    coarse: Float[Tensor, "B L C"]
    fine: Float[Tensor, "B L4 F"]


class ThingFinder(nn.Module):
    """The encoder's maps to boxes and regions, cell by cell: what lies around is in windows of the embedding.

    A head that looks at cells alone learns from a few cells of each thing, ten times as fast as one that convolves
    whole maps, and found as much. `learned_*` bring the numbers into one range; they belong to the weights.
    """

    learned_mean: Tensor
    learned_scale: Tensor

    def __init__(
        self, *, embedding_width: int, trunk_width: int, skip_widths: tuple[int, int], width: int = 192
    ) -> None:
        super().__init__()
        self.num_coarse = embedding_width * (1 + len(_WINDOWS)) + trunk_width
        num_fine = 2 * skip_widths[0] + 4 * skip_widths[1] + 2
        self.coarse, self.fine = nn.Linear(self.num_coarse, width), nn.Linear(num_fine, width)
        self.middle = nn.Linear(width, width)
        self.out = nn.Linear(width, 5 + len(REGIONS) + 1)
        self.forget = nn.Dropout(0.1)
        self.register_buffer("learned_mean", torch.zeros(self.num_coarse + num_fine))
        self.register_buffer("learned_scale", torch.ones(self.num_coarse + num_fine))
        self.reset()

    def reset(self) -> None:
        """Begin with things that are unlikely everywhere, and boxes of a few cells."""
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[:1], -2.0)

    def fit_ranges(self, coarse: Float[Tensor, "S C"], fine: Float[Tensor, "S F"]) -> None:
        """Take the ranges of the numbers from some that are typical."""
        typical = torch.cat([coarse, fine], 1)
        self.learned_mean.copy_(typical.mean(0))
        self.learned_scale.copy_(1 / typical.std(0).clamp(min=1e-3))

    def forward(self, features: Features, num_rows: int | None = None) -> FinderMaps:
        """Read pictures of which no more than `num_rows` rows of cells of stride 16 are seen; the rest is padding."""
        side = features.image_embedding.shape[-1]
        return as_maps(self.say(features, num_rows or side), side)

    def say(self, features: Features, rows: int) -> Float[Tensor, "B h8 w8 O"]:
        """Say of the cells in the first rows of stride 16: surety, how far boxes reach, regions; raw numbers."""
        numbers = cell_numbers(features, rows)
        hidden = self._coarse(numbers.coarse).repeat_interleave(4, 1) + self._fine(numbers.fine)
        return cells8_to_picture(self._say(hidden), features.image_embedding.shape[-1]).permute(0, 2, 3, 1)

    def of_cells(self, coarse: Float[Tensor, "S C"], fine: Float[Tensor, "S F"]) -> Float[Tensor, "S O"]:
        """Say of single cells: surety, how far the box reaches, regions; raw numbers, for training."""
        return self._say(self._coarse(coarse) + self._fine(fine))

    def _coarse(self, coarse: Tensor) -> Tensor:
        n = self.num_coarse
        return self.coarse(((coarse - self.learned_mean[:n]) * self.learned_scale[:n]).clamp(-_FAR, _FAR))

    def _fine(self, fine: Tensor) -> Tensor:
        n = self.num_coarse
        return self.fine(((fine - self.learned_mean[n:]) * self.learned_scale[n:]).clamp(-_FAR, _FAR))

    def _say(self, hidden: Tensor) -> Tensor:
        h = F.gelu(hidden)
        return self.out(self.forget(h + F.gelu(self.middle(self.forget(h)))))


def as_maps(said: Float[Tensor, "B h8 w8 O"], side: int) -> FinderMaps:
    """Make maps of what was said of a picture's rows, in a frame of `side` cells of stride 16."""
    padding = (0, 0, 0, 2 * side - said.shape[1])
    boxes = F.pad(said[..., 1:5].permute(0, 3, 1, 2), padding).permute(0, 2, 3, 1)
    return FinderMaps(
        things=F.pad(said[..., 0], padding, value=_NEVER),
        boxes=boxes_around(cell_middles(boxes.shape[2], boxes.shape[1]).to(boxes), boxes),
        regions=F.pad(said[..., 5:].permute(0, 3, 1, 2), padding, value=_NEVER),
    )


def cell_numbers(features: Features, rows: int) -> CellNumbers:
    """Collect what the maps say of the cells in the first rows of stride 16: the embedding there and in windows."""
    skip8, skip4, trunk = features.extra[:3]
    side = features.image_embedding.shape[-1]
    seen = rows * side
    embedding = features.image_embedding[:, :, :rows]
    windows = torch.cat([embedding, *(_window_mean(embedding, size) for size in _WINDOWS)], 1)
    near8 = _window_mean(cells8_to_picture(skip8[:, : 4 * seen], side), _NEAR)
    where = skip8.new_tensor([(x, y) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]).repeat(seen, 1)
    return CellNumbers(
        coarse=torch.cat([windows.flatten(2).transpose(1, 2), trunk[:, :seen]], 2),
        fine=torch.cat(
            [
                skip8[:, : 4 * seen],
                _picture_to_cells8(near8),
                skip4[:, : 16 * seen].unflatten(1, (-1, 4)).flatten(2),
                where.expand(len(skip8), -1, -1),
            ],
            2,
        ),
    )


def _window_mean(x: Float[Tensor, "B C h w"], size: int) -> Float[Tensor, "B C h w"]:
    rows = F.avg_pool2d(x, (size, 1), 1, (size // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, size), 1, (0, size // 2), count_include_pad=False)


def cells8_to_picture(cells: Float[Tensor, "B L4 D"], columns: int) -> Float[Tensor, "B D h8 w8"]:
    """Put cells of stride 8, which lie in fours within so many columns of stride 16, into picture order."""
    x = cells.unflatten(1, (-1, columns, 2, 2))  # B h w y x D
    return x.permute(0, 5, 1, 3, 2, 4).flatten(2, 3).flatten(3, 4)


def _picture_to_cells8(x: Float[Tensor, "B D h8 w8"]) -> Float[Tensor, "B L4 D"]:
    fours = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # B D h y w x
    return fours.permute(0, 2, 4, 3, 5, 1).flatten(1, 4)


def boxes_around(middles: Float[Tensor, "*n 2"], said: Float[Tensor, "*m 4"]) -> Float[Tensor, "*m 4"]:
    """Boxes from how far they reach to each side of cells' middles."""
    away = _UNIT * said.clamp(-_FURTHEST, _FURTHEST).exp()
    return torch.cat([middles - away[..., :2], middles + away[..., 2:]], -1)


def cell_middles(columns: int, rows: int) -> Float[Tensor, "h w 2"]:
    """Middles of cells of stride 8, in frame pixels."""
    x, y = ((torch.arange(n) + 0.5) * STRIDE for n in (columns, rows))
    return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)], -1)


def propose(maps: FinderMaps, *, most: int, size_wh: tuple[float, float]) -> FoundBoxes:
    """Take the surest boxes of one picture, each once, as the mean of those that say the same.

    All cells but the idlest take part: those of one large thing are hundreds, and no less sure than a small thing's.
    """
    scores, order = maps.things[0].flatten().sigmoid().sort(descending=True)
    order = order[scores > _LEAST_SCORE]
    scores = scores[: len(order)]
    limit = torch.tensor([*size_wh, *size_wh], device=scores.device)
    boxes = torch.minimum(maps.boxes[0].flatten(0, 1)[order].clamp(min=0), limit)
    is_open = torch.ones_like(scores, dtype=torch.bool)
    found: list[Tensor] = []
    sure: list[Tensor] = []
    while len(found) < most and is_open.any():
        first = is_open.int().argmax()
        overlap = box_iou(boxes[first, None], boxes)[0]
        is_open &= overlap <= _SAME_BOX
        is_open[first] = False
        votes = (overlap >= _VOTING_BOX) * scores
        votes[first] = scores[first]
        found.append(votes @ boxes / votes.sum())
        sure.append(scores[first])
    if not found:
        return FoundBoxes(boxes=boxes[:0], scores=scores[:0])
    return FoundBoxes(boxes=torch.stack(found), scores=torch.stack(sure))


def box_iou(a: Float[Tensor, "N 4"], b: Float[Tensor, "M 4"]) -> Float[Tensor, "N M"]:
    """IoU of each box with each other."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1) for x in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=1e-6)


def region_logits(maps: FinderMaps) -> Float[Tensor, "R h4 w4"]:
    """Draw the regions of one picture at stride 4: how much likelier each is than the next."""
    logits = F.interpolate(maps.regions[:1], scale_factor=2.0, mode="bilinear", align_corners=False)[0]
    two, which = logits.topk(2, dim=0)
    is_first = which[0] == torch.arange(len(logits), device=logits.device)[:, None, None]
    return (logits - torch.where(is_first, two[1], two[0]))[: len(REGIONS)]


__all__ = [
    "REGIONS",
    "STRIDE",
    "CellNumbers",
    "FinderMaps",
    "FoundBoxes",
    "ThingFinder",
    "as_maps",
    "box_iou",
    "boxes_around",
    "cell_middles",
    "cell_numbers",
    "cells8_to_picture",
    "propose",
    "region_logits",
]
