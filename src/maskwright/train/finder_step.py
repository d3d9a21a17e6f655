"""One step of teaching `tiny` where things are: boxes, regions, and how sure to be, behind a frozen encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float16, Int, UInt8
from torch import Tensor

from maskwright.models.tiny.finding import (
    REGIONS,
    STRIDE,
    ThingFinder,
    boxes_around,
    cell_middles,
    cell_numbers,
)
from maskwright.models.tiny.text import num_rows
from maskwright.models.tiny.vocabulary import phrase_words
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import Words, name_of

# Regions without a box; arms and grippers have one too, so that "left robot arm" can be clicked on.
_BOXLESS = ("table", "wall", "floor")
_REGION_NAMES = tuple(tuple(sorted(phrase_words(name))) for name in REGIONS)
_MAP_STRIDE = 2  # of the stores' index maps
_BOX_WEIGHT, _REGION_WEIGHT = 2.0, 0.5
_THING_CELLS, _UNOWNED_CELLS, _ELSEWHERE = 20, 200, 0.08


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTable:
    """Cells of many pictures, some of every thing and more of what is none: their numbers and what to say of them."""

    coarse: Float16[Tensor, "S C"]
    fine: Float16[Tensor, "S F"]
    middles: Float[Tensor, "S 2"]
    is_thing: Bool[Tensor, " S"]
    boxes: Float[Tensor, "S 4"]
    regions: Int[Tensor, " S"]
    weight: Float[Tensor, " S"]

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, chosen: Int[Tensor, " s"]) -> "CellTable":
        """Take some of the cells."""
        return CellTable(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})


def gather_cells(dice: Dice, stores: Sequence[FeatureStore]) -> CellTable:
    """Take cells of every thing of every picture: 0.6 MB a picture, and a fiftieth of a second."""
    rows = [_cells_of(dice, store, picture) for store in stores for picture in range(len(store))]
    columns = {one.name: torch.cat([getattr(row, one.name) for row in rows]) for one in fields(CellTable)}
    return CellTable(**columns)


def _cells_of(dice: Dice, store: FeatureStore, picture: int) -> CellTable:
    features = store.features([picture])
    rows, columns = num_rows(features), features.image_embedding.shape[-1]
    numbers, targets = cell_numbers(features, rows), targets_of(store, [picture])
    owner = targets.owner[0, : 2 * rows].flatten()
    chosen = _some_of_each(dice, owner)
    num_cells, num_chosen = torch.bincount(owner), torch.bincount(owner[chosen])
    share = num_cells[owner[chosen]].float() / num_chosen[owner[chosen]]
    y, x = chosen // (2 * columns), chosen % (2 * columns)
    coarse = (y // 2) * columns + x // 2
    is_thing = owner[chosen] > 0
    return CellTable(
        coarse=numbers.coarse[0, coarse].half(),
        fine=numbers.fine[0, coarse * 4 + (y % 2) * 2 + x % 2].half(),
        middles=cell_middles(2 * columns, 2 * rows).flatten(0, 1)[chosen],
        is_thing=is_thing,
        boxes=targets.boxes[0, : 2 * rows].flatten(0, 1)[chosen],
        regions=targets.regions[0, : 2 * rows].flatten()[chosen],
        weight=torch.where(is_thing, targets.weight[0, : 2 * rows].flatten()[chosen] * share, _ELSEWHERE * share),
    )


def _some_of_each(dice: Dice, owner: Int[Tensor, " L"]) -> Int[Tensor, " S"]:
    shuffled = torch.randperm(len(owner), generator=dice.field)
    shuffled = shuffled[owner[shuffled].argsort(stable=True)]
    sorted_owner = owner[shuffled].contiguous()
    first = torch.searchsorted(sorted_owner, torch.arange(int(owner.max()) + 1))
    rank = torch.arange(len(owner)) - first[sorted_owner]
    return shuffled[rank < torch.where(sorted_owner == 0, _UNOWNED_CELLS, _THING_CELLS)]


def finder_loss(finder: ThingFinder, cells: CellTable) -> Tensor:
    """Learn from some cells: a thing counts by the root of its cells."""
    said = finder.of_cells(cells.coarse.float(), cells.fine.float())
    overlap, giou = _overlaps(boxes_around(cells.middles, said[:, 1:5]), cells.boxes)
    of_things = cells.weight * cells.is_thing
    total = of_things.sum().clamp(min=1e-3)
    box_loss = ((1 - giou) * of_things).sum() / total
    return (
        _BOX_WEIGHT * box_loss
        + _surety_loss(said[:, 0], overlap.detach(), cells) / total
        + _REGION_WEIGHT * F.cross_entropy(said[:, 5:], cells.regions)
    )


def _surety_loss(surety: Tensor, overlap: Tensor, cells: CellTable) -> Tensor:
    """Say the IoU of the box where there is a thing; elsewhere nothing, with most weight on what looks like one."""
    target = torch.where(cells.is_thing, overlap, torch.zeros_like(overlap))
    loss = F.binary_cross_entropy_with_logits(surety, target, reduction="none")
    looks = surety.detach().sigmoid().square()
    return (loss * torch.where(cells.is_thing, cells.weight, cells.weight * looks)).sum()


def _overlaps(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*n 4"]) -> tuple[Tensor, Tensor]:
    """IoU of boxes with their own target, and generalised IoU (Rezatofighi et al., 2019)."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b)]
    union = (areas[0] + areas[1] - shared).clamp(min=1e-6)
    return shared / union, shared / union - (hull - union) / hull.clamp(min=1e-6)


__all__ = ["CellTable", "FinderTargets", "finder_loss", "gather_cells", "targets_of"]
