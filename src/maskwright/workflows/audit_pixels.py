"""The checks that read pixels: does what a row says of its mask agree with its run lengths?

Masks are read a few thousand at a time and never held. Nothing is decoded: area and box come from the runs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from maskwright.core import RLE
from maskwright.core.errors import MaskError
from maskwright.masks import area, box_xyxy
from maskwright.workflows.findings import MOST_EXAMPLES, Finding
from maskwright.workflows.store_facts import LISTED

_BATCH = 4096
# An object that is hidden or out of the picture has an empty mask, if its track says so or a person drew it.
_IS_UNSEEN = "coalesce(track_state <> 'visible' OR (track_state IS NOT NULL AND edited_by IS NOT NULL), false)"
_SQL = f"SELECT id, height, width, rle, x1, y1, x2, y2, area, {_IS_UNSEEN} FROM masks WHERE {LISTED}"

# What can be wrong, and what to do about it, by the name of the check.
_KINDS = {
    "unreadable pixels": (
        "masks whose run lengths cannot be read",
        "they are damaged, or were made for another size: reject them, or put them again from their source",
    ),
    "wrong area": (
        "masks whose area is not that of their pixels",
        "whoever wrote them counted otherwise: put them again with masks.area(rle)",
    ),
    "wrong box": (
        "masks whose box is not the tight box of their pixels",
        "boxes are x1, y1, x2, y2 with exclusive right and bottom: put them again with masks.box_xyxy(rle)",
    ),
    "empty masks": (
        "masks without a pixel",
        "reject them; a frame without an object needs no mask to say so",
    ),
}


@dataclass(slots=True)
class _Tally:
    count: int = 0
    examples: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)

    def add(self, record_id: str, example: str) -> None:
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)
            self.records.append(record_id)


def check_pixels(
    views: Any, progress: Callable[[int, int | None], None] | None = None, *, total: int | None = None
) -> Iterator[Finding]:
    """Compare area and box of every listed mask with its pixels."""
    yield from findings_of(wrong_masks(views, progress, total=total))


def findings_of(wrong: Iterable[tuple[str, str, str]]) -> Iterator[Finding]:
    """Make findings of what `wrong_masks` gives."""
    tallies = {kind: _Tally() for kind in _KINDS}
    for kind, record_id, example in wrong:
        tallies[kind].add(record_id, example)
    for kind, tally in tallies.items():
        if tally.count:
            says, advice = _KINDS[kind]
            severity = "warning" if kind == "empty masks" else "error"
            yield Finding(
                check=kind, severity=severity, count=tally.count, says=says, advice=advice,
                examples=tuple(tally.examples), num_more=tally.count - len(tally.examples),
                records=tuple(tally.records),
            )  # fmt: skip


def wrong_masks(
    views: Any, progress: Callable[[int, int | None], None] | None = None, *, total: int | None = None
) -> Iterator[tuple[str, str, str]]:
    """Give (check, id, what is wrong) of each listed mask that disagrees with its pixels, or has none."""
    cursor = views.execute(_SQL)
    num_done = 0
    while rows := cursor.fetchmany(_BATCH):
        for row in rows:
            for kind, example in _problems(row):
                yield kind, row[0], example
        num_done += len(rows)
        if progress is not None:
            progress(num_done, total)


def _problems(row: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    record_id, height, width, counts, *box, told_area, is_unseen = row
    try:
        rle = RLE((height, width), bytes(counts))
        true_area, true_box = area(rle), box_xyxy(rle)
    except MaskError as error:
        yield "unreadable pixels", f"{record_id}: {error}"
        return
    if told_area != true_area:
        yield "wrong area", f"{record_id}: says {told_area}, has {true_area}"
    if tuple(box) != true_box:
        yield "wrong box", f"{record_id}: says {_box(box)}, is {_box(true_box)}"
    if not true_area and not is_unseen:
        yield "empty masks", record_id


def _box(box: Any) -> str:
    return ",".join(f"{value:g}" for value in box)


__all__ = ["check_pixels", "findings_of", "wrong_masks"]
