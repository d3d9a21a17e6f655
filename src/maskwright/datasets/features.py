"""Which features of `FEATURES` a frame has, so that a writer can tell what its format does not keep of them."""

from collections.abc import Callable
from dataclasses import astuple

from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import areas, holes, intersection, is_empty, islands, union


def features_of(frame: LabelledFrame) -> dict[str, list[str]]:
    """Name, for each feature that a frame has, the masks that have it; costs the runs of its masks."""
    found = {name: [_item(frame, one) for one in frame.masks if has(one)] for name, has in _OF_MASK.items()}
    found["overlaps"] = _overlapping(frame)
    found["unlabelled frames"] = [] if frame.masks else [frame.name]
    return {name: items for name, items in found.items() if items}


def tell_losses(frame: LabelledFrame, holds: frozenset[str], log: LossLog) -> None:
    """Tell the log which features of a frame a format that `holds` others does not keep."""
    lost = frozenset([*_OF_MASK, "overlaps", "unlabelled frames"]) - holds
    for name in sorted(lost):
        items = _find(frame, name)
        if items:
            log.lose(name, items[0], len(items))


def _find(frame: LabelledFrame, name: str) -> list[str]:
    if name == "overlaps":
        return _overlapping(frame)
    if name == "unlabelled frames":
        return [] if frame.masks else [frame.name]
    return [_item(frame, one) for one in frame.masks if _OF_MASK[name](one)]


def _overlapping(frame: LabelledFrame) -> list[str]:
    """List the masks that share a pixel with one before them."""
    rles = [one.record.rle for one in frame.masks]
    if len(rles) < 2 or int(areas([union(rles)])[0]) == int(areas(rles).sum()):
        return []
    found, covered = [], rles[0]
    for one in frame.masks[1:]:
        if not is_empty(intersection([covered, one.record.rle])):
            found.append(_item(frame, one))
        covered = union([covered, one.record.rle])
    return found


def _item(frame: LabelledFrame, mask: ResolvedRecord) -> str:
    return f"{frame.name}#{mask.record.id}"


def _has_scores(record: MaskRecord) -> bool:
    return any(value is not None for value in astuple(record.scores))


_OF_MASK: dict[str, Callable[[ResolvedRecord], bool]] = {
    "holes": lambda one: bool(holes(one.record.rle)),
    "islands": lambda one: len(islands(one.record.rle)) > 1,
    "labels": lambda one: bool(one.record.label),
    "tracks": lambda one: one.record.track is not None,
    "track states": lambda one: one.record.track_point is not None and one.record.track_point.state != "visible",
    "scores": lambda one: _has_scores(one.record),
    "status": lambda one: one.status != "proposed",
    "provenance": lambda one: True,
    "comments": lambda one: bool(one.comments),
}

__all__ = ["features_of", "tell_losses"]
