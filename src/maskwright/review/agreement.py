"""Where two people looked at the same mask: how much what each said it is agrees.

Each person's version of a mask is what his last word left: the pixels he drew, or those that he accepted; none if he
rejected it. What was undone was not said. Versions are compared in pairs, by the IoU of their pixels. Once a third
person has spoken, whoever spoke last has settled what two saw differently.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from threading import Lock
from typing import Literal

from maskwright.core.image import FrameRef
from maskwright.core.record import MaskRecord
from maskwright.core.review_event import Accept, Edit, Reject, Relabel, ReviewEvent
from maskwright.core.rle import RLE
from maskwright.masks import iou
from maskwright.store.pages import Pages
from maskwright.store.query import ANY_STATUS, Query
from maskwright.store.resolve import resolve, undone_by

SAME_IOU = 0.9  # from here on two outlines count as the same
MOST_COMPARED = 20_000  # masks: those looked at last
_AT_ONCE = 500

# decision: one has it, the other rejected it; pixels: both have it, drawn otherwise; label: only named otherwise.
Difference = Literal["none", "label", "pixels", "decision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a mask is to one person, who said so last `at`: `rle` None, nothing that should be used."""

    actor: str
    at: datetime
    rle: RLE | None
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two people's versions of one mask, who spoke first in front; `iou` is 1 where both rejected it.

    `settled_by` had the last word of three or more, None where only two have spoken.
    """

    record_id: str
    frame: FrameRef | None
    image_digest: str
    first: str
    second: str
    iou: float
    difference: Difference
    labels: tuple[str | None, str | None]
    settled_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether two see the mask differently, and nobody has settled it."""
        return self.difference != "none" and self.settled_by is None

    @property
    def place(self) -> tuple[float, bool, str, str, str]:
        """By which comparisons are ordered: the worst first."""
        return self.iou, self.difference == "none", self.record_id, self.first, self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAgreement:
    """How two people agree, over all masks that both looked at."""

    first: str
    second: str
    num_masks: int
    num_same: int
    mean_iou: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All comparisons, the worst first, and what they come to. `is_cut`: of very many masks those looked at last."""

    comparisons: tuple[Comparison, ...]
    pairs: tuple[PairAgreement, ...]
    is_cut: bool = False


def versions_of(record: MaskRecord, events: Sequence[ReviewEvent]) -> tuple[Version, ...]:
    """List each person's version of a record, in the order in which they last spoke. Events are those touching it."""
    undone = undone_by(events)
    found: dict[str, Version] = {}
    made = record.provenance
    if made.method == "human_drawn" and made.actor is not None:
        found[made.actor] = Version(actor=made.actor, at=made.created_at, rle=record.rle, label=record.label)
    for i, event in enumerate(events):
        if event.id in undone or event.record_id != record.id:
            continue
        now = resolve(record, events[: i + 1])
        before = found.get(event.actor)
        match event.action:
            case Accept() | Edit():
                said = Version(actor=event.actor, at=event.at, rle=now.record.rle, label=now.record.label)
            case Reject():
                said = Version(actor=event.actor, at=event.at, rle=None, label=now.record.label)
            case Relabel(label) if before is not None:  # a name alone says nothing of the pixels
                said = replace(before, at=event.at, label=label)
            case _:
                continue
        found.pop(event.actor, None)
        found[event.actor] = said
    return tuple(found.values())


def compare(record: MaskRecord, events: Sequence[ReviewEvent]) -> tuple[Comparison, ...]:
    """Compare each two people's versions of a record."""
    versions = versions_of(record, events)
    settled_by = versions[-1].actor if len(versions) > 2 else None
    return tuple(replace(_compared(record, a, b), settled_by=settled_by) for a, b in combinations(versions, 2))


class AgreementBook:
    """The comparisons of one store. What was compared once is compared again only after somebody spoke."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._lock = pages, Lock()
        self._known: OrderedDict[str, tuple[int, tuple[Comparison, ...]]] = OrderedDict()

    def agreement(self, query: Query | None = None) -> Agreement:
        """Compare all masks that a query finds, of any status, and that two people or more have looked at."""
        found = list(self._pages.rows(replace(query or Query(), status=ANY_STATUS), _CANDIDATES, (MOST_COMPARED + 1,)))
        with self._lock:
            self._learn([one for one in found if self._known.get(one[0], (-1,))[0] != one[2]])
            comparisons = [one for record_id, *_ in found[:MOST_COMPARED] for one in self._known[record_id][1]]
        comparisons.sort(key=lambda one: one.place)
        pairs = tuple(_pairs(comparisons))
        return Agreement(comparisons=tuple(comparisons), pairs=pairs, is_cut=len(found) > MOST_COMPARED)

    def _learn(self, rows: Sequence[tuple[str, int, int]]) -> None:
        positions = {record_id: position for record_id, _, position in rows}
        for at in range(0, len(rows), _AT_ONCE):
            for record, events in self._pages.lives([ordinal for _, ordinal, _ in rows[at : at + _AT_ONCE]]):
                self._known[record.id] = positions[record.id], compare(record, events)
                self._known.move_to_end(record.id)
        while len(self._known) > 2 * MOST_COMPARED:
            self._known.popitem(last=False)


def _compared(record: MaskRecord, a: Version, b: Version) -> Comparison:
    share, difference = 1.0, "none"
    match a.rle, b.rle:
        case RLE(), RLE():
            share = 1.0 if a.rle == b.rle else iou(a.rle, b.rle)
            difference = "pixels" if share < SAME_IOU else "none" if a.label == b.label else "label"
        case None, None:
            pass
        case _:
            share, difference = 0.0, "decision"
    return Comparison(
        record_id=record.id,
        frame=record.frame,
        image_digest=record.image_digest,
        first=a.actor,
        second=b.actor,
        iou=share,
        difference=difference,
        labels=(a.label, b.label),
    )


def _pairs(comparisons: Sequence[Comparison]) -> Iterator[PairAgreement]:
    by_pair: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        first, second = sorted((one.first, one.second))
        by_pair.setdefault((first, second), []).append(one)
    for (first, second), those in sorted(by_pair.items()):
        num_same = sum(one.difference == "none" for one in those)
        mean_iou = sum(one.iou for one in those) / len(those)
        yield PairAgreement(first=first, second=second, num_masks=len(those), num_same=num_same, mean_iou=mean_iou)


_CANDIDATES = """
    , looks AS (
        SELECT record_id, actor, position FROM steps WHERE kind IN ('accept', 'reject', 'edit', 'revert', 'relabel')
        UNION ALL
        SELECT id, actor, 0 FROM masks WHERE method = 'human_drawn' AND actor IS NOT NULL
    ), twice AS (
        SELECT record_id, max(position) AS position FROM looks GROUP BY record_id HAVING count(DISTINCT actor) > 1
    )
    SELECT m.id, m.ordinal, t.position FROM masks m JOIN twice t ON t.record_id = m.id
    ORDER BY t.position DESC, m.ordinal LIMIT ?
"""

__all__ = [
    "MOST_COMPARED",
    "SAME_IOU",
    "Agreement",
    "AgreementBook",
    "Comparison",
    "Difference",
    "PairAgreement",
    "Version",
    "compare",
    "versions_of",
]
