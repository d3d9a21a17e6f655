"""Where things are, before anybody asks for one: boxes around them, and maps of the regions that have no box.

A light head behind the frozen encoder says for every cell of stride 8 how surely it lies on a thing, which box that
thing has (as FCOS does: Tian et al., 2019), and which region it belongs to: tables, walls, floors and robots are cut up
by what stands on them, so a map finds them better than a box. The decoder draws what is in the boxes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from maskwright.models.protocol import Features
from maskwright.models.tiny.image_encoder import ConvBlock

STRIDE = 8
# Regions are maps; what is no region is nothing or a thing with a box.
REGIONS = ("table", "wall", "floor", "robot arm", "robot gripper")
# Distances to a box's sides are exponentials of what the head says, in this unit, and at most so many of them.
_UNIT, _FURTHEST = 16.0, 4.0
_MOST_CELLS, _LEAST_SCORE, _SAME_BOX, _VOTING_BOX = 300, 0.04, 0.6, 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderMaps:
    """What the head says of pictures, in picture order; boxes are left, top, right, bottom in frame pixels."""

    hidden: Float[Tensor, "B D h8 w8"]
    things: Float[Tensor, "B h8 w8"]
    boxes: Float[Tensor, "B h8 w8 4"]
    regions: Float[Tensor, "B R h8 w8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBoxes:
    """Boxes of one picture, the surest first, in frame pixels."""

    boxes: Float[Tensor, "Q 4"]
    scores: Float[Tensor, " Q"]


class ThingFinder(nn.Module):
    """The encoder's maps to boxes and regions."""

    def __init__(
        self, *, embedding_width: int, trunk_width: int, skip_widths: tuple[int, int], width: int = 96
    ) -> None:
        super().__init__()
        self.trunk_norm = nn.LayerNorm(trunk_width)
        self.coarse = nn.Linear(embedding_width + trunk_width, width)
        self.fine = nn.Linear(sum(skip_widths), width)
        self.blocks = nn.Sequential(ConvBlock(width, 7, 2 * width), ConvBlock(width, 7, 2 * width))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 5 + len(REGIONS) + 1)

    def reset(self) -> None:
        """Begin with things that are unlikely everywhere, and boxes of a few cells."""
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[:1], -3.0)

    def forward(self, features: Features) -> FinderMaps:
        """Read pictures; a fifth of a second for one on a CPU core."""
        skip8, skip4, trunk = features.extra[:3]
        coarse = torch.cat([features.image_embedding.flatten(2).transpose(1, 2), self.trunk_norm(trunk)], -1)
        fine = torch.cat([skip8, skip4.unflatten(1, (-1, 4)).mean(2)], -1)
        cells = self.coarse(coarse).repeat_interleave(4, 1) + self.fine(fine)
        x = self.norm(self.blocks(cells8_to_picture(cells)).permute(0, 2, 3, 1))
        said = self.out(x).float()
        return FinderMaps(
            hidden=x.permute(0, 3, 1, 2),
            things=said[..., 0],
            boxes=_boxes(said[..., 1:5]),
            regions=said[..., 5:].permute(0, 3, 1, 2),
        )


def cells8_to_picture(cells: Float[Tensor, "B L4 D"]) -> Float[Tensor, "B D h8 w8"]:
    """Put cells of stride 8, which lie in fours within those of stride 16, into picture order."""
    grid = round((cells.shape[1] // 4) ** 0.5)
    x = cells.unflatten(1, (grid, grid, 2, 2))  # B h w y x D
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(cells), -1, 2 * grid, 2 * grid)


def _boxes(said: Float[Tensor, "B h w 4"]) -> Float[Tensor, "B h w 4"]:
    away = _UNIT * said.clamp(-_FURTHEST, _FURTHEST).exp()
    h, w = said.shape[1:3]
    x, y = ((torch.arange(n, device=said.device) + 0.5) * STRIDE for n in (w, h))
    middle = torch.stack([x.expand(h, w), y[:, None].expand(h, w)], -1)
    return torch.cat([middle - away[..., :2], middle + away[..., 2:]], -1)


def propose(maps: FinderMaps, *, most: int, size_wh: tuple[float, float]) -> FoundBoxes:
    """Take the surest boxes of one picture, each once, as the mean of those that say the same."""
    scores = maps.things[0].flatten().sigmoid()
    order = scores.topk(min(_MOST_CELLS, len(scores))).indices
    order = order[scores[order] > _LEAST_SCORE]
    limit = torch.tensor([*size_wh, *size_wh], device=scores.device)
    boxes = torch.minimum(maps.boxes[0].flatten(0, 1)[order].clamp(min=0), limit)
    scores = scores[order]
    overlap = box_iou(boxes, boxes)
    kept = _apart(overlap, most)
    votes = (overlap[kept] >= _VOTING_BOX) * scores
    boxes = votes @ boxes / votes.sum(1, keepdim=True).clamp(min=1e-6)
    return FoundBoxes(boxes=boxes, scores=scores[kept])


def _apart(overlap: Float[Tensor, "C C"], most: int) -> list[int]:
    """Go from the surest on and drop what overlaps with one that was kept."""
    is_open = torch.ones(len(overlap), dtype=torch.bool)
    same: Bool[Tensor, "C C"] = (overlap > _SAME_BOX).cpu()
    kept: list[int] = []
    for i in range(len(overlap)):
        if is_open[i] and len(kept) < most:
            kept.append(i)
            is_open &= ~same[i]
    return kept


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
    "FinderMaps",
    "FoundBoxes",
    "ThingFinder",
    "box_iou",
    "cells8_to_picture",
    "propose",
    "region_logits",
]
