"""Which cells of a picture a loss looks at: most of those where a mask ends or errs, some of the many others.

A cell of stride 16 costs the same wherever it lies, and drawing all of them with their gradient is half of a step
(PointRend, Kirillov et al. 2020, samples points for the same reason). Cells are drawn by chances that are known, and
count by one over their chance, so a loss over the chosen ones is the loss over all of them, on average.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.sam.draft import in_cells, take_cells

_EVEN = 0.4  # of the cells that are looked at, how many are drawn evenly from the whole frame
_ROUNDS = 4  # until chances above one have been given to others


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCells:
    """K cells of each of N masks, and how many cells each of them stands for."""

    index: Int[Tensor, "N K"]
    weight: Float[Tensor, "N K"]

    def of(self, pictures: Float[Tensor, "N 1 h w"]) -> Float[Tensor, "N 1 K p"]:
        """Take the cells out of pictures."""
        return take_cells(in_cells(pictures), self.index)


def choose_cells(
    share: float,
    target: Float[Tensor, "N 1 h w"],
    answer: Float[Tensor, "N h w"] | None,
    offset: Float[Tensor, "N 1"],
) -> ChosenCells:
    """Choose a share of the cells of each mask: at its edge, where the answer at hand is wrong, and anywhere.

    `target` says how much of each pixel is inside; `answer` has logits; `offset` is chance, from 0 to 1.
    """
    inside = in_cells(target)[:, 0]  # N L p
    N, L, _ = inside.shape
    num_chosen = max(1, round(share * L))
    if num_chosen >= L:
        everything = torch.arange(L, device=target.device).expand(N, -1)
        return ChosenCells(index=everything, weight=torch.ones_like(inside[..., 0]))
    interest = _edge(inside.mean(-1))
    if answer is not None:
        interest = interest + ((in_cells(answer[:, None])[:, 0] > 0) != (inside > 0.5)).float().mean(-1)
    even = torch.full_like(interest, 1 / L)
    total = interest.sum(1, keepdim=True)
    wanted = torch.where(total > 0, _EVEN * even + (1 - _EVEN) * interest / total.clamp(min=1e-6), even)
    chance = _chances(wanted, num_chosen)
    passed = chance.double().cumsum(1)
    passed = passed * (num_chosen / passed[:, -1:])
    # One draw for all: every K-th part of the sum of chances gives one cell, so no cell comes twice.
    at = offset + torch.arange(num_chosen, device=target.device)
    index = torch.searchsorted(passed, at.double()).clamp(max=L - 1)
    return ChosenCells(index=index, weight=1 / chance.gather(1, index))


def _edge(inside: Float[Tensor, "N L"]) -> Float[Tensor, "N L"]:
    """One for cells that hold the mask's end or lie beside such a cell."""
    side = round(inside.shape[1] ** 0.5)
    grid = inside.view(-1, 1, side, side)
    most, least = F.max_pool2d(grid, 3, 1, 1), -F.max_pool2d(-grid, 3, 1, 1)
    return (most - least > 0).flatten(1).float()


def _chances(wanted: Float[Tensor, "N L"], num_chosen: int) -> Float[Tensor, "N L"]:
    """Scale wishes to chances that add up to the number wanted, none of them above one."""
    chance = wanted * (num_chosen / wanted.sum(1, keepdim=True))
    for _ in range(_ROUNDS):
        is_full = chance >= 1
        rest = torch.where(is_full, 0.0, chance)
        left = num_chosen - is_full.sum(1, keepdim=True)
        chance = torch.where(is_full, 1.0, rest * (left / rest.sum(1, keepdim=True).clamp(min=1e-6)))
    return chance.clamp(max=1.0)


__all__ = ["ChosenCells", "choose_cells"]
