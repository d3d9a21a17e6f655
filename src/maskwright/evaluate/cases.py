"""The worst and the best answers of a run, and what differs most between two, kept so that a person can look at them.

A case names its picture by its place in the data set and holds masks as run lengths: pictures are read again when the
report is drawn.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from maskwright.core import RLE

NUM_WORST, NUM_BEST = 8, 4
NUM_GAINED, NUM_LOST = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One answer to a box, a first click or a phrase, and the truth."""

    segmenter: str
    kind: str
    index: int
    asked: str
    truth: RLE
    answer: RLE
    iou: float
    predicted_iou: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCase:
    """What the first segmenter answered, and what another did to the same question."""

    before: Case
    after: Case

    @property
    def gain(self) -> float:
        """By how much the other's IoU is higher."""
        return self.after.iou - self.before.iou


class CaseBook:
    """Keeps the eight worst and the four best cases of every segmenter and kind, and those that changed most."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[str, str, int], list[tuple[float, int, Case]]] = defaultdict(list)
        self._changes: dict[tuple[str, str, int], list[tuple[float, int, ChangedCase]]] = defaultdict(list)
        self._first: dict[tuple[str, str], Case] = {}  # of the picture at hand
        self._order = count()

    def add(self, case: Case) -> None:
        """Keep a case if it is among the worst or the best so far; of equals, the earlier."""
        number = next(self._order)
        for sign, most in ((-1, NUM_WORST), (1, NUM_BEST)):
            heap = self._heaps[case.segmenter, case.kind, sign]
            heapq.heappush(heap, (sign * case.iou, -number, case))
            if len(heap) > most:
                heapq.heappop(heap)
        self._compare(case, number)

    def _compare(self, case: Case, number: int) -> None:
        """Keep a case with that of the first segmenter if the two differ more than those so far."""
        if self._first and next(iter(self._first.values())).index != case.index:
            self._first.clear()
        first = self._first.setdefault((case.kind, case.asked), case)
        if first.segmenter == case.segmenter:
            return
        change = ChangedCase(before=first, after=case)
        for sign, most in ((1, NUM_GAINED), (-1, NUM_LOST)):
            if sign * change.gain > 0:
                heap = self._changes[case.segmenter, case.kind, sign]
                heapq.heappush(heap, (sign * change.gain, -number, change))
                if len(heap) > most:
                    heapq.heappop(heap)

    def changes(self) -> tuple[ChangedCase, ...]:
        """List what changed most, for each other segmenter and kind: the largest gains, then the largest losses."""
        return tuple(
            change
            for heap in self._changes.values()
            for _, _, change in sorted(heap, key=lambda entry: (-entry[0], -entry[1]))
        )

    def cases(self) -> tuple[Case, ...]:
        """List what was kept: of each segmenter and kind the worst first, then the best first, each case once."""
        return tuple(dict.fromkeys(self._listed()))

    def _listed(self) -> Iterator[Case]:
        for heap in self._heaps.values():
            yield from (case for _, _, case in sorted(heap, key=lambda entry: (-entry[0], -entry[1])))


__all__ = ["NUM_BEST", "NUM_GAINED", "NUM_LOST", "NUM_WORST", "Case", "CaseBook", "ChangedCase"]
