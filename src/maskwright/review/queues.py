"""Queues: named orders in which masks are worth looking at, a page at a time.

A queue gives each of its masks a value and orders by it, the smallest first. A page goes on after the last mask of the
one before; who decides about a mask takes it out of most queues, which moves nobody else's place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard, get_args

import pyarrow as pa

from maskwright.core.errors import SettingError
from maskwright.core.resolved import ResolvedRecord
from maskwright.review.agreement import Agreement
from maskwright.store.pages import Pages
from maskwright.store.query import ANY_STATUS, Query

QueueName = Literal["uncertain", "drifting", "second_look", "disagreed", "audit"]
QUEUES: dict[QueueName, str] = {
    "uncertain": "proposals, the least sure first: the lower of predicted IoU and stability",
    "drifting": "proposals of a tracker, first where it was unsure and where an object's size jumped",
    "second_look": "accepted masks that one person alone has looked at, and not whoever asks",
    "disagreed": "masks that two people see differently and no third has settled, the least alike first",
    "audit": "accepted masks at random, in the same order for the same seed",
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place in a queue."""

    value: float
    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A mask with what it was ordered by; None where nothing is known of it, which comes last. And its place.

    `reasons` say why it was picked, where somebody picked it (`named_queues`).
    """

    mask: ResolvedRecord
    value: float | None
    place: Ranked
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """Masks in the order of a queue, the place to go on after (None at the end), and how many are left with these."""

    items: tuple[Queued, ...]
    next: Ranked | None
    num_left: int = 0


def is_rule(name: str) -> TypeGuard[QueueName]:
    """Tell whether a rule makes the queue of that name."""
    return name in QUEUES


def queue_page(
    pages: Pages,
    name: QueueName,
    query: Query | None = None,
    *,
    after: Ranked | None = None,
    limit: int = 100,
    actor: str = "",
    seed: int = 0,
    agreement: Agreement | None = None,
) -> QueuePage:
    """Give the next masks of a queue, among those that a query finds; the queue itself says of which status.

    `actor` asks for a second look, `seed` shuffles the audit, `agreement` is what people disagreed about.

    Raises:
        SettingError: there is no such queue.
    """
    if name not in QUEUES:
        raise SettingError(f"a queue is one of {', '.join(get_args(QueueName))}; got {name!r}")
    tables: Mapping[str, pa.Table] = {"compared": _compared(agreement)} if name == "disagreed" else {}
    values: list[Any] = {"second_look": [actor], "audit": [f" {seed}"]}.get(name, [])
    return ordered_page(pages, (_SELECTS[name], values), query, tables=tables, after=after, limit=limit)


def ordered_page(
    pages: Pages,
    ranked: tuple[str, Sequence[Any]],
    query: Query | None,
    *,
    tables: Mapping[str, pa.Table],
    after: Ranked | None,
    limit: int,
    reasons: Mapping[str, tuple[str, ...]] | None = None,
) -> QueuePage:
    """Give a page of what `ranked` orders: SQL that defines a table of that name (id, ordinal, value), with values."""
    query = replace(query or Query(), status=ANY_STATUS)
    begin, place = ("true", []) if after is None else ("(value, ordinal) > (?, ?)", [after.value, after.ordinal])
    columns = "id, value, ordinal, count(*) OVER ()"
    sql, values = ranked
    select = f", {sql} SELECT {columns} FROM ranked WHERE {begin} ORDER BY value, ordinal LIMIT ?"
    rows = list(pages.rows(query, select, [*values, *place, limit + 1], tables=tables))
    masks = pages.pick([ordinal for _, _, ordinal, _ in rows[:limit]])
    items = tuple(
        Queued(
            mask=masks[record_id],
            value=None if value == _UNKNOWN else value,
            place=Ranked(value, ordinal),
            reasons=(reasons or {}).get(record_id, ()),
        )
        for record_id, value, ordinal, _ in rows[:limit]
        if record_id in masks
    )
    after_these = Ranked(*rows[limit - 1][1:3]) if len(rows) > limit else None
    return QueuePage(items=items, next=after_these, num_left=rows[0][3] if rows else 0)


def _compared(agreement: Agreement | None) -> pa.Table:
    """Each mask that people see differently, with the least of their IoUs, which is 1 where only labels differ."""
    least: dict[str, float] = {}
    for one in (agreement or Agreement(comparisons=(), pairs=())).comparisons:
        if one.is_open:
            least[one.record_id] = min(one.iou, least.get(one.record_id, 1.0))
    columns = {"record_id": pa.array(list(least), pa.string()), "iou": pa.array(list(least.values()), pa.float64())}
    return pa.table(columns)


_UNKNOWN = 1e9
_SELECTS: dict[QueueName, str] = {
    "uncertain": f"""
        ranked AS (
            SELECT id, ordinal, CAST(coalesce(least(predicted_iou, stability), {_UNKNOWN}) AS DOUBLE) AS value
            FROM masks WHERE status = 'proposed'
        )""",
    "drifting": """
        tracked AS (
            SELECT *, lag(area) OVER (
                PARTITION BY dataset, episode, camera, track ORDER BY frame_index, ordinal
            ) AS area_before
            FROM (
                SELECT id, ordinal, status, area, dataset, episode, camera, frame_index, track, track_source,
                    track_state, track_confidence
                FROM masks WHERE track IS NOT NULL AND dataset IS NOT NULL AND status IN ('proposed', 'accepted')
            )
        ), ranked AS (
            SELECT id, ordinal, CAST(
                coalesce(track_confidence, 1)
                * coalesce((least(area, area_before) + 1) / (greatest(area, area_before) + 1), 1) AS DOUBLE
            ) AS value
            FROM tracked
            WHERE status = 'proposed' AND track_source IN ('segmented', 'carried') AND track_state <> 'outside'
        )""",
    "second_look": """
        looks AS (
            SELECT record_id, actor FROM steps WHERE kind IN ('accept', 'reject', 'edit')
            UNION ALL
            SELECT id, actor FROM masks WHERE method = 'human_drawn' AND actor IS NOT NULL
        ), once AS (
            SELECT record_id FROM looks GROUP BY record_id HAVING min(actor) = max(actor) AND min(actor) <> ?
        ), ranked AS (
            SELECT m.id, m.ordinal, CAST(0 AS DOUBLE) AS value
            FROM masks m JOIN once ON once.record_id = m.id WHERE m.status = 'accepted'
        )""",
    "disagreed": """
        ranked AS (
            SELECT m.id, m.ordinal, c.iou AS value
            FROM masks m JOIN compared c ON c.record_id = m.id WHERE m.status <> 'merged' AND m.status <> 'split'
        )""",
    "audit": """
        ranked AS (
            SELECT id, ordinal, md5_number_lower(id || ?) / 18446744073709551616.0 AS value
            FROM masks WHERE status = 'accepted'
        )""",
}

__all__ = ["QUEUES", "QueueName", "QueuePage", "Queued", "Ranked", "is_rule", "ordered_page", "queue_page"]
