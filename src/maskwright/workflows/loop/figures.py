"""What a round came to, read from the log: acceptance rate, IoU of proposals against what was accepted, masks an hour.

Everything that people did between two moments of the store counts, also outside the round's queue. Time is read from
the log as `review.progress` reads it: pauses are nobody's work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.masks import iou_matrix
from maskwright.review.engine import RULE
from maskwright.review.progress import Act, pace_of
from maskwright.store import MaskStore
from maskwright.workflows.loop.rounds import Figures, Window

_TOUCHED = f"""
    SELECT DISTINCT record_id FROM events
    WHERE moment > ? AND moment <= ? AND kind <> 'comment' AND actor NOT LIKE '{RULE}%'
"""
_MASKS = f"""
    SELECT m.id, m.status, m.edited_by IS NOT NULL, r.rle, m.rle, m.height, m.width
    FROM masks m JOIN records r USING (id)
    WHERE m.id IN ({_TOUCHED}) AND m.method IN ('sam_raw', 'sam_refined', 'imported')
        AND m.status IN ('accepted', 'rejected')
        AND (m.verified_by IS NULL OR m.verified_by NOT LIKE '{RULE}%')
    ORDER BY m.ordinal
"""
_DRAWN = """
    SELECT count(*) FROM masks
    WHERE method = 'human_drawn' AND created_at > CAST(? AS TIMESTAMPTZ) AND created_at <= CAST(? AS TIMESTAMPTZ)
        AND status IN ('proposed', 'accepted')
"""
_ACTS = f"""
    WITH acts AS (
        SELECT e.actor, e.at AS done_at, e.position, e.record_id AS id, r.method
        FROM events e JOIN records r ON r.id = e.record_id
        WHERE e.moment > $first AND e.moment <= $last AND e.kind <> 'comment' AND e.actor NOT LIKE '{RULE}%'
        UNION ALL
        SELECT actor, created_at, 0, id, method FROM records
        WHERE method = 'human_drawn' AND actor IS NOT NULL
            AND created_at > CAST($begin AS TIMESTAMPTZ) AND created_at <= CAST($end AS TIMESTAMPTZ)
    )
    SELECT actor, done_at, method,
        row_number() OVER (PARTITION BY id ORDER BY done_at, position) = 1,
        row_number() OVER (PARTITION BY id, actor ORDER BY done_at, position) = 1
    FROM acts ORDER BY done_at, position
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A proposal and what was accepted in its place."""

    record_id: str
    proposed: RLE
    final: RLE
    iou: float


def figures_of(store: MaskStore, window: Window) -> Figures:
    """Compute the figures of a round.

    Raises:
        StoreError: the store cannot be read.
    """
    with store.sql(as_of=window.last) as views:
        rows = views.execute(_MASKS, [window.first, window.last]).fetchall()
        (num_drawn,) = views.execute(_DRAWN, [window.begin, window.end]).fetchone()
        values = {"first": window.first, "last": window.last, "begin": window.begin, "end": window.end}
        names = ("actor", "at", "method", "is_new", "is_new_to_actor")
        acts = [Act(**dict(zip(names, row, strict=True))) for row in views.execute(_ACTS, values).fetchall()]
    accepted = [one for one in rows if one[1] == "accepted"]
    corrections = list(_corrections(rows))
    ious = [1.0] * (len(accepted) - len(corrections)) + [one.iou for one in corrections]
    people = pace_of(acts).annotators
    return Figures(
        num_accepted=len(accepted) - len(corrections),
        num_corrected=len(corrections),
        num_rejected=len(rows) - len(accepted),
        num_drawn=int(num_drawn),
        iou=sum(ious) / len(ious) if ious else None,
        iou_corrected=sum(one.iou for one in corrections) / len(corrections) if corrections else None,
        seconds=sum(one.effort.seconds for one in people),
        num_timed=sum(one.effort.num_masks for one in people),
        people=tuple(one.name for one in people),
    )


def worst_corrections(store: MaskStore, window: Window, most: int) -> list[tuple[Correction, ResolvedRecord]]:
    """Find the proposals that had to be changed most, the worst first.

    Raises:
        StoreError: the store cannot be read.
    """
    with store.sql(as_of=window.last) as views:
        rows = views.execute(_MASKS, [window.first, window.last]).fetchall()
    worst = sorted(_corrections(rows), key=lambda one: (one.iou, one.record_id))[:most]
    return [(one, store.record(one.record_id, as_of=window.last)) for one in worst]


def _corrections(rows: list[tuple[Any, ...]]) -> Iterator[Correction]:
    for record_id, status, is_edited, proposed, final, height, width in rows:
        if status == "accepted" and is_edited:
            before, after = (RLE(size_hw=(height, width), counts=_bytes(one)) for one in (proposed, final))
            iou = float(iou_matrix([before], [after])[0, 0])
            yield Correction(record_id=record_id, proposed=before, final=after, iou=iou)


def _bytes(counts: Any) -> bytes:
    return counts.encode() if isinstance(counts, str) else bytes(counts)


__all__ = ["Correction", "figures_of", "worst_corrections"]
