"""One step of teaching `tiny` where things are: boxes, regions, and how sure to be, behind a frozen encoder."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from maskwright.models.tiny.finding import REGIONS, STRIDE, FinderMaps, ThingFinder
from maskwright.models.tiny.vocabulary import phrase_words
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import Words, name_of

# Regions without a box; arms and grippers have one too, so that "left robot arm" can be clicked on.
_BOXLESS = ("table", "wall", "floor")
_REGION_NAMES = tuple(tuple(sorted(phrase_words(name))) for name in REGIONS)
_MAP_STRIDE = 2  # of the stores' index maps
_BOX_WEIGHT, _REGION_WEIGHT = 2.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderTargets:
    """For each cell of some pictures: whose it is (0: nobody's with a box), that one's box, which region it is in
    (the last number: in none), and how much a cell counts in the loss of boxes."""

    owner: Int[Tensor, "B h w"]
    boxes: Float[Tensor, "B h w 4"]
    regions: Int[Tensor, "B h w"]
    weight: Float[Tensor, "B h w"]


def targets_of(store: FeatureStore, pictures: list[int]) -> FinderTargets:
    """Read what the head should say of some pictures."""
    rows = [_targets(store.index_maps[picture], store.words[picture]) for picture in pictures]
    owner, boxes, regions, weight = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return FinderTargets(owner=owner, boxes=boxes, regions=regions, weight=weight)


def _targets(
    labels: UInt8[np.ndarray, "s s"], words: tuple[Words, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    table, region = np.zeros((len(words) + 1, 4), np.float32), np.full(len(words) + 1, len(REGIONS))
    has_box, share = np.zeros(len(words) + 1, bool), np.zeros(len(words) + 1, np.float32)
    step = STRIDE // _MAP_STRIDE
    cells = labels[step // 2 :: step, step // 2 :: step]
    for i, one in enumerate(words, 1):
        rows, columns = (np.flatnonzero((labels == i).any(axis)) for axis in (1, 0))
        if not len(rows):
            continue
        name = name_of(one)
        if name in _REGION_NAMES:
            region[i] = _REGION_NAMES.index(name)
        has_box[i] = name not in _REGION_NAMES[: len(_BOXLESS)]
        table[i] = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) * _MAP_STRIDE
        share[i] = max(1, int((cells == i).sum())) ** -0.5
    owner = np.where(has_box[cells], cells, 0).astype(np.int64)
    return owner, table[owner], region[cells].astype(np.int64), np.where(owner > 0, share[cells], 0).astype(np.float32)


def finder_loss(finder: ThingFinder, store: FeatureStore, pictures: list[int]) -> Tensor:
    """Learn from some pictures: a thing counts by the root of its cells."""
    maps, targets = finder(store.features(pictures)), targets_of(store, pictures)
    overlap, giou = _overlaps(maps.boxes, targets.boxes)
    is_thing = targets.owner > 0
    total = targets.weight.sum().clamp(min=1)
    box_loss = ((1 - giou) * targets.weight).sum() / total
    return (
        _BOX_WEIGHT * box_loss
        + _surety_loss(maps, overlap.detach(), targets, is_thing, total)
        + _region_loss(maps, targets)
    )


def _surety_loss(maps: FinderMaps, overlap: Tensor, targets: FinderTargets, is_thing: Tensor, total: Tensor) -> Tensor:
    """Say the IoU of the box where there is a thing; elsewhere nothing, with most weight on what looks like one."""
    target = torch.where(is_thing, overlap, torch.zeros_like(overlap))
    loss = F.binary_cross_entropy_with_logits(maps.things, target, reduction="none")
    weight = torch.where(is_thing, targets.weight, 0.75 * maps.things.detach().sigmoid().square())
    return (loss * weight).sum() / total


def _region_loss(maps: FinderMaps, targets: FinderTargets) -> Tensor:
    return _REGION_WEIGHT * F.cross_entropy(maps.regions, targets.regions)


def _overlaps(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*n 4"]) -> tuple[Tensor, Tensor]:
    """IoU of boxes with their own target, and generalised IoU (Rezatofighi et al., 2019)."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b)]
    union = (areas[0] + areas[1] - shared).clamp(min=1e-6)
    return shared / union, shared / union - (hull - union) / hull.clamp(min=1e-6)


__all__ = ["FinderTargets", "finder_loss", "targets_of"]
