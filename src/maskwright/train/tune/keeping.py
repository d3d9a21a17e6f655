"""Keeping what the base knows: prompts in general pictures are to be answered as the base answers them.

Masks of one kind alone teach a click that it means that kind, wherever it is. So beside what is learnt, every step asks
the base and the student the same about general pictures: by a click, by the box of what the base sees there, or by a
correction of it. The target is all that the base answers, logit by logit, and what it believes of it (learning without
forgetting, Li and Hoiem 2016; the teacher is the student's own beginning, so candidate answers candidate). General
pictures need no true masks for it; where they have some, most clicks go to those things.

Where the encoder learns, every view costs more than its prompts. There the base is asked about the general pictures
that a batch sees anyway, since they are mixed in.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.frame import FrameSpec
from maskwright.models.protocol import Features, FramePrompts
from maskwright.models.sam.draft import in_cells, take_cells
from maskwright.models.sam.model import SamModel
from maskwright.train.dice import Dice
from maskwright.train.interaction import MASK_STRIDE, boxes_around, correct
from maskwright.train.step import best_believed
from maskwright.train.tune.crew import Crew
from maskwright.train.tune.samples import SampleBatch
from maskwright.train.tune.sampling import ChosenCells, choose_cells
from maskwright.train.tune.views import View

_CLICK_SHARE, _BOX_SHARE = 0.6, 0.2  # of steps, how many ask by a click and by a box; the others by a correction
_THING_SHARE = 0.7  # of clicks, how many are on what has a mask; the others are anywhere
_DIVERGENCE, _OVERLAP, _BELIEF = 5.0, 1.0, 1.0
_FEW_PIXELS = 50.0  # of a mask: below that its overlap hardly counts, for its gradient would be nothing but noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """K places to ask about: which of `views` each is in, and where to click.

    Where a batch sees these views, `beside` names the sample of the batch beside which each is asked, ascending;
    whoever answers for the sample answers for the place.
    """

    views: tuple[View, ...]
    view_index: Int[Tensor, " K"]
    region: Bool[Tensor, "K s s"]
    beside: tuple[int, ...] | None = None

    def share(self, crew: Crew, num_samples: int) -> slice:
        """Which of the places are a process's own."""
        if self.beside is None:
            return crew.share(len(self.view_index))
        own = crew.share(num_samples)
        return slice(bisect_left(self.beside, own.start), bisect_left(self.beside, own.stop))


def elsewhere(
    chosen: Sequence[View], spec: FrameSpec, rng: np.random.Generator, device: torch.device | str
) -> Elsewhere:
    """Take a place in each of the views that were chosen."""
    views = list({view.key: view for view in chosen}.values())
    row = {view.key: i for i, view in enumerate(views)}
    regions = [_place(view, spec, rng) for view in chosen]
    return Elsewhere(
        views=tuple(views),
        view_index=torch.tensor([row[view.key] for view in chosen], device=device),
        region=torch.from_numpy(np.stack(regions)).to(device),
    )


def elsewhere_in(
    batch: SampleBatch, is_general: Callable[[View], bool], share: float, spec: FrameSpec, rng: np.random.Generator
) -> Elsewhere | None:
    """Take places in the general pictures that a batch sees anyway; None if it sees none."""
    general = [row for row, one in enumerate(batch.samples) if is_general(one.view)]
    num_asked = math.ceil(share * len(batch.samples))
    rows = sorted(rng.permutation(general)[:num_asked].tolist())
    if not rows:
        return None
    found = elsewhere([batch.samples[row].view for row in rows], spec, rng, batch.masks.device)
    return replace(found, beside=tuple(rows))


def _place(view: View, spec: FrameSpec, rng: np.random.Generator) -> Bool[np.ndarray, "s s"]:
    """One of the things of a view, or all of it."""
    is_thing = rng.random() < _THING_SHARE
    thing = view.target(int(rng.choice(view.masks)), spec) if is_thing else None
    return view.extent(spec) if thing is None or not thing.any() else thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Prompts, what the base answers to them, and the cells in which that is compared."""

    image_index: Int[Tensor, " K"]
    prompts: FramePrompts
    logits: Float[Tensor, "K M1 h w"]
    predicted_iou: Float[Tensor, "K M1"]
    cells: ChosenCells

    def __getitem__(self, rows: slice) -> "Kept":
        """Take some of the prompts."""
        return Kept(
            image_index=self.image_index[rows],
            prompts=self.prompts[rows],
            logits=self.logits[rows],
            predicted_iou=self.predicted_iou[rows],
            cells=ChosenCells(index=self.cells.index[rows], weight=self.cells.weight[rows]),
        )


@torch.no_grad()
def ask_base(
    base: SamModel,
    features: Features,
    at: Elsewhere,
    dice: Dice,
    share: float,
    at_once: int,
    *,
    own: slice = slice(None),
    only_boxes: bool = False,
) -> Kept:
    """Ask the base, `at_once` prompts at a time; a loss will look at a share of the cells.

    Prompts are drawn for all; only the `own` rows are answered, the others mean nothing.
    """
    kind = _CLICK_SHARE if only_boxes else dice.number(0, 1)
    prompts = _clicks(_anywhere(dice, at.region))
    logits, believed = _answers(base, features, at.view_index, prompts, own, at_once)
    if kind >= _CLICK_SHARE:
        prompts = _about_another(dice, prompts, logits, believed, at, by_box=kind < _CLICK_SHARE + _BOX_SHARE)
        logits, believed = _answers(base, features, at.view_index, prompts, own, at_once)
    inside = (logits > 0).float().mean(1, keepdim=True)
    return Kept(
        image_index=at.view_index,
        prompts=prompts,
        logits=logits,
        predicted_iou=believed,
        cells=choose_cells(share, inside, None, dice.uniform(0, 1, len(logits), 1)),
    )


def _about_another(
    dice: Dice,
    prompts: FramePrompts,
    logits: Float[Tensor, "K M1 h w"],
    believed: Float[Tensor, "K M1"],
    at: Elsewhere,
    *,
    by_box: bool,
) -> FramePrompts:
    """Take one of the answers to a click as what is meant: ask for it by its box, or correct what was shown."""
    K, several = len(logits), logits.shape[1] - 1
    rows = torch.arange(K, device=logits.device)
    wanted = logits[rows, 1 + dice.integers(several, K)] if several else logits[:, 0]
    side = at.region.shape[-1]
    target = F.interpolate(wanted[:, None], size=(side, side), mode="bilinear", align_corners=False) > 0
    if by_box:
        labels = torch.tensor((2, 3), device=logits.device).expand(K, -1)
        return FramePrompts(points=boxes_around(dice, target[:, 0]), labels=labels)
    shown = logits[rows, best_believed(believed, torch.ones_like(rows, dtype=torch.bool))]
    return correct(dice, prompts, shown, target.float())


def keeping_loss(model: SamModel, features: Features, kept: Kept) -> Float[Tensor, " K"]:
    """How far a model's answers are from the base's: of masks, cell by cell, and of beliefs. Zero if they are alike."""
    draft = model.draft(features, kept.image_index, kept.prompts)
    logits = draft.draw_cells(kept.cells.index).float()
    with torch.autocast(logits.device.type, enabled=False):  # answers may be in half precision, what compares them not
        far = _distance(logits, take_cells(in_cells(kept.logits), kept.cells.index).sigmoid(), kept.cells.weight)
        far = far + _BELIEF * (draft.predicted_iou.float() - kept.predicted_iou) ** 2
        return far.mean(1)


def _distance(
    logits: Float[Tensor, "K M1 C p"], target: Float[Tensor, "K M1 C p"], weight: Float[Tensor, "K C"]
) -> Float[Tensor, "K M1"]:
    """How far masks are from others, over C cells of which each stands for `weight`."""
    weight = weight[:, None, :, None]
    entropy = F.binary_cross_entropy(target, target, reduction="none")
    divergence = F.binary_cross_entropy_with_logits(logits, target, reduction="none") - entropy
    mean = (divergence * weight).sum((2, 3)) / weight.expand_as(divergence[:, :1]).sum((2, 3))
    p = logits.sigmoid()
    common, both = ((x * weight).sum((2, 3)) for x in (2 * p * target, p * p + target * target))
    return _DIVERGENCE * mean + _OVERLAP * (1 - (common + _FEW_PIXELS) / (both + _FEW_PIXELS))


def _answers(
    base: SamModel,
    features: Features,
    image_index: Int[Tensor, " K"],
    prompts: FramePrompts,
    own: slice,
    at_once: int,
) -> tuple[Float[Tensor, "K M1 h w"], Float[Tensor, "K M1"]]:
    start, stop, _ = own.indices(len(image_index))
    pieces = [slice(at, min(at + at_once, stop)) for at in range(start, stop, at_once)]
    drafts = [base.draft(features, image_index[piece], prompts[piece]) for piece in pieces]
    logits = torch.cat([draft.draw_all().float() for draft in drafts])
    believed = torch.cat([draft.predicted_iou.float() for draft in drafts])
    K = len(image_index)
    return _among(K, start, logits), _among(K, start, believed)


def _among(count: int, start: int, rows: Tensor) -> Tensor:
    """Put one's own rows where they belong among all; the others are zero."""
    if len(rows) == count:
        return rows
    found = rows.new_zeros(count, *rows.shape[1:])
    found[start : start + len(rows)] = rows
    return found


def _anywhere(dice: Dice, region: Bool[Tensor, "K s s"]) -> Float[Tensor, "K 2"]:
    """A point of each region, all alike likely, in frame pixels."""
    K, s, _ = region.shape
    passed = region.flatten(1).float().cumsum(1)
    at = dice.uniform(0, 1 - 1e-6, K, 1) * passed[:, -1:]
    index = torch.searchsorted(passed, at, right=True)[:, 0].clamp(max=s * s - 1)
    xy = torch.stack([index % s, index // s], 1).float()
    return xy * MASK_STRIDE + dice.uniform(0, MASK_STRIDE, K, 2) - 0.5


def _clicks(points: Float[Tensor, "K 2"]) -> FramePrompts:
    labels = torch.tensor((1, -1), device=points.device).expand(len(points), -1)
    return FramePrompts(points=torch.stack([points, torch.zeros_like(points)], 1), labels=labels)


__all__ = ["Elsewhere", "Kept", "ask_base", "elsewhere", "elsewhere_in", "keeping_loss"]
