"""Masks that come from a file: their records, and what the log hears of them.

A mask from elsewhere gets the provenance `imported` and the file as its source. A mask that this program wrote comes
back as the record it was, if its pixels are still those; redrawn ones are new records, derived from the old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from maskwright.core.errors import RecordError
from maskwright.core.image import FrameRef
from maskwright.core.provenance import Provenance
from maskwright.core.record import MaskRecord, Scores, new_id
from maskwright.core.resolved import ResolvedRecord, Status
from maskwright.core.rle import RLE
from maskwright.core.track import TrackPoint
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.notes import is_about, mask_from_note
from maskwright.masks import area, box_xyxy

# What a mask without a label is called where a format must have a word.
UNLABELLED = "object"
NAMELESS = f'masks without a label, which are called "{UNLABELLED}"'
OTHER_FACTS = "areas or boxes as the file states them, other than those of its masks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Makes the records of one file or folder; `at` is the moment of the import, one for all of them."""

    source: str
    log: LossLog
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, path: Path, format_name: str, log: LossLog) -> Self:
        """Make one that names a path and its format as the source."""
        return cls(source=f"{path.name} ({format_name})", log=log)

    def mask(
        self,
        rle: RLE,
        *,
        item: str,
        label: str | None = None,
        track: str | None = None,
        track_point: TrackPoint | None = None,
        scores: Scores | None = None,
        status: Status = "proposed",
        note: Any = None,
        ref: FrameRef | None = None,
        image_digest: str | None = None,
        derived_from: str | None = None,
    ) -> ResolvedRecord:
        """Make the record of a mask; `item` names it in the log.

        A `note` about these pixels wins over everything but the label, which a person may have changed elsewhere; a
        `label` of None says nothing.
        """
        known = self._read_note(note, rle, item)
        if known is not None and is_about(note, rle):
            return _relabelled(known, label)
        if known is not None:
            self.log.lose("the history of masks whose pixels have changed", item)
            track, label = track or known.record.track, label if label != UNLABELLED else known.record.label
            derived_from = known.record.id
        provenance = Provenance(
            method="imported",
            created_at=self.at,
            source=self.source,
            derived_from=() if derived_from is None else (derived_from,),
        )
        record = MaskRecord(
            id=new_id(),
            image_digest=image_digest or "",
            rle=rle,
            box_xyxy=box_xyxy(rle),
            area=area(rle),
            provenance=provenance,
            frame=ref,
            label=label,
            track=track,
            scores=scores or Scores(),
            track_point=track_point,
        )
        return ResolvedRecord(record=record, status=status)

    def _read_note(self, note: Any, rle: RLE, item: str) -> ResolvedRecord | None:
        if note is None:
            return None
        try:
            return mask_from_note(note, rle)
        except RecordError as error:
            self.log.lose("notes of maskwright that are damaged", f"{item}: {error}")
            return None

    def check_facts(
        self, rle: RLE, *, item: str, stated_area: Any = None, bbox_xywh: Any = None, slack_px: float = 1
    ) -> None:
        """Tell the log where a file's own area or box is not that of its mask, by more than `slack_px` of outline."""
        pixels, (x1, y1, x2, y2) = area(rle), box_xyxy(rle)
        slack = 1 if slack_px <= 1 else slack_px * (x2 - x1 + y2 - y1)
        if _is_number(stated_area) and abs(stated_area - pixels) > slack:
            self.log.lose(OTHER_FACTS, f"{item}: area {stated_area:g}, the mask has {pixels}")
            return
        if not isinstance(bbox_xywh, Sequence) or len(bbox_xywh) != 4 or not all(map(_is_number, bbox_xywh)):
            return
        x, y, width, height = bbox_xywh
        stated = (x, y, x + width, y + height)
        if any(abs(a - b) > slack_px for a, b in zip(stated, (x1, y1, x2, y2), strict=True)):
            listed = ", ".join(f"{value:g}" for value in bbox_xywh)
            self.log.lose(OTHER_FACTS, f"{item}: box {listed}, the mask has {x1:g}, {y1:g}, {x2 - x1:g}, {y2 - y1:g}")


def scores_of(one: Mapping[str, Any]) -> Scores:
    """Read predicted_iou and stability_score under the names that SAM gives them; what is no number is left out."""
    values = [float(one[key]) if _is_number(one.get(key)) else None for key in ("predicted_iou", "stability_score")]
    return Scores(predicted_iou=values[0], stability=values[1])


def _relabelled(known: ResolvedRecord, label: str | None) -> ResolvedRecord:
    before = known.record.label
    if label in (None, before) or (label == UNLABELLED and not before):
        return known
    return replace(known, record=replace(known.record, label=label))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


__all__ = ["NAMELESS", "OTHER_FACTS", "UNLABELLED", "Importer", "scores_of"]
