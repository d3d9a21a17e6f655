"""Simulated people: which object they mean, where they click first, how loosely they draw a box, where they correct.

Everything is batched and stays on the device. Points are in frame pixels; masks are at half the frame's side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.protocol import FramePrompts
from maskwright.train.dice import Dice
from maskwright.train.pooling import small_box_mean
from maskwright.train.scenes import Scenes

_LEAST_PIXELS = 40  # of a half-side mask; smaller visible remains are not asked about
MASK_STRIDE = 2
_CLICK_SHARE, _BOX_SHARE = 0.5, 0.4  # of first prompts; the rest are boxes with a click


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """N masks that prompts ask for, and which picture of the batch each is in."""

    masks: Float[Tensor, "N 1 s s"]
    image_index: Int[Tensor, " N"]


def choose_targets(dice: Dice, scenes: Scenes, *, per_image: int, part_share: float = 0.1) -> Targets:
    """Choose objects that can be seen, a share of them as one of their parts."""
    B = len(scenes.visible)
    whole = scenes.visible > 0.5
    seen = whole.flatten(2).sum(2)
    eligible = (seen >= _LEAST_PIXELS).float()
    # A picture without any: take its largest remainder rather than nothing.
    eligible = torch.where(
        eligible.sum(1, keepdim=True) > 0, eligible, (seen == seen.max(1, keepdim=True).values).float()
    )
    chosen = torch.multinomial(eligible + 1e-9, per_image, replacement=True, generator=dice.field)  # B P
    image_index = torch.arange(B, device=whole.device).repeat_interleave(per_image)
    masks = whole[image_index, chosen.flatten()]
    part = scenes.parts[image_index, chosen.flatten()]
    wanted = 1 + dice.integers(3, len(masks), 1, 1)
    as_part = masks & (part == wanted)
    big_enough = as_part.flatten(1).sum(1) >= 2 * _LEAST_PIXELS
    take_part = big_enough & (dice.chance(part_share, len(masks)) > 0)
    masks = torch.where(take_part[:, None, None], as_part, masks)
    return Targets(masks=masks[:, None].float(), image_index=image_index)


def click_in(dice: Dice, region: Bool[Tensor, "N s s"]) -> Float[Tensor, "N 2"]:
    """Click in each region: half of the time near its middle, half anywhere; frame pixels. Empty regions click
    anywhere.
    """
    N, s, _ = region.shape
    inside = region.float()
    half = F.avg_pool2d(inside[:, None], 2)
    depth = half
    for size in (3, 5, 9):  # how much of the neighbourhood is inside, near and far: highest in the middle
        depth = depth + small_box_mean(half, size)
    coarse = small_box_mean(F.avg_pool2d(half, 4), 5)
    depth = depth + F.interpolate(coarse, size=half.shape[-2:], mode="bilinear") * 2
    depth = F.interpolate(depth, size=(s, s), mode="bilinear")[:, 0] * inside
    focus = torch.where(dice.chance(0.5, N) > 0, 24.0, 0.0)[:, None]
    score = focus * (depth / depth.amax((1, 2), keepdim=True).clamp(min=1e-3) - 1).flatten(1)
    likely = score.exp() * inside.flatten(1)
    likely = torch.where(likely.amax(1, keepdim=True) > 0, likely, torch.ones_like(likely))
    passed = likely.cumsum(1)
    at = dice.uniform(0, 1 - 1e-6, N, 1) * passed[:, -1:]
    index = torch.searchsorted(passed, at, right=True)[:, 0].clamp(max=s * s - 1)
    xy = torch.stack([index % s, index // s], 1).float()
    return xy * MASK_STRIDE + dice.uniform(0, MASK_STRIDE, N, 2) - 0.5


def boxes_around(dice: Dice, masks: Bool[Tensor, "N s s"], *, jitter: float = 0.1) -> Float[Tensor, "N 2 2"]:
    """Box each mask, half of them loosely, as two corners in frame pixels."""
    N, s, _ = masks.shape
    axis = torch.arange(s, device=masks.device)
    rows, columns = masks.any(2), masks.any(1)

    def ends(line: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(line, axis, s).amin(1).clamp(max=s - 1), torch.where(line, axis, -1).amax(1).clamp(min=0) + 1

    (y0, y1), (x0, x1) = ends(rows), ends(columns)
    corners = torch.stack([torch.stack([x0, y0], 1), torch.stack([x1, y1], 1)], 1).float() * MASK_STRIDE
    size = corners[:, 1] - corners[:, 0]
    loose = dice.chance(0.5, N)[:, None, None] * jitter
    offset = (dice.normal(N, 2, 2) * loose * size[:, None]).clamp(-20, 20)
    return (corners + offset).clamp(0, s * MASK_STRIDE) - 0.5


def first_prompts(dice: Dice, masks: Float[Tensor, "N 1 s s"]) -> tuple[FramePrompts, Bool[Tensor, " N"]]:
    """Prompt each target for the first time: by a click, a box, or both; also say which are one click alone.

    One kind for all, so that prompts are made of the tokens that `predict` gives them: a click and padding, a box
    alone.
    """
    region = masks[:, 0] > 0.5
    click, box = click_in(dice, region)[:, None], boxes_around(dice, region)
    N, kind = len(masks), dice.number(0, 1)
    if kind < _CLICK_SHARE:
        points, labels = torch.cat([click, torch.zeros_like(click)], 1), (1, -1)
    elif kind < _CLICK_SHARE + _BOX_SHARE:
        points, labels = box, (2, 3)
    else:
        points, labels = torch.cat([click, box], 1), (1, 2, 3)
    is_click = torch.full((N,), labels == (1, -1), device=masks.device)
    return FramePrompts(points=points, labels=torch.tensor(labels, device=masks.device).expand(N, -1)), is_click


def correct(
    dice: Dice,
    prompts: FramePrompts,
    logits: Float[Tensor, "N h w"],
    target: Float[Tensor, "N 1 s s"],
) -> FramePrompts:
    """Add a click where the answer is wrong, and hand back the answer as the mask prompt."""
    side = target.shape[-1]
    shown = F.interpolate(logits[:, None].float(), size=(side, side), mode="bilinear") > 0
    wanted = target > 0.5
    missed, extra = (wanted & ~shown)[:, 0], (shown & ~wanted)[:, 0]
    more_missed = missed.flatten(1).sum(1) >= extra.flatten(1).sum(1)
    region = torch.where(more_missed[:, None, None], missed, extra)
    point = click_in(dice, region)
    label = torch.where(more_missed, 1, 0)
    nothing_wrong = ~region.flatten(1).any(1)
    label = torch.where(nothing_wrong, -1, label)
    return FramePrompts(
        points=torch.cat([prompts.points, point[:, None]], 1),
        labels=torch.cat([prompts.labels, label[:, None]], 1),
        mask_logits=logits[:, None].detach(),
    )


__all__ = ["MASK_STRIDE", "Targets", "boxes_around", "choose_targets", "click_in", "correct", "first_prompts"]
