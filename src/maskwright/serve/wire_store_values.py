"""Between the store's values and what goes over REST: requests become values, values become JSON, in one place."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from maskwright import core
from maskwright.core import MaskRecord, ResolvedRecord, from_json, to_json
from maskwright.core.errors import RequestError
from maskwright.masks import area, box_xyxy, from_coco
from maskwright.serve.store_cursors import frame_id
from maskwright.serve.store_edits import Edited
from maskwright.serve.store_keys import ids_of
from maskwright.serve.store_saves import Draft, Saved
from maskwright.serve.store_tags import tag_of
from maskwright.serve.values import Caller
from maskwright.serve.wire_store import EventsIn, Filters, QueryIn, RecordIn, RecordsAsked, RecordsIn
from maskwright.serve.wire_values import read_value
from maskwright.store import History, Query, SeenFrame
from maskwright.store.pages import CountedFrame, Put
from maskwright.store.query import LISTED
from maskwright.store.together import LoggedEvent

_ACTIONS: dict[str, type[Any]] = {
    one.__name__: one
    for one in (
        *(core.Accept, core.Reject, core.Edit, core.Relabel, core.Retrack, core.Reparent, core.Merge, core.Split),
        core.Revert,
        core.Comment,
    )
}


def query_from(filters: Filters) -> Query:
    """Make a query of conditions.

    Raises:
        SettingError: they cannot hold together.
        RequestError: a box is malformed.
    """
    conditions = filters.model_dump(exclude={"bbox", "cursor", "limit"})
    if conditions["status"] is None:
        conditions["status"] = LISTED
    box: Sequence[float] | None = None
    match filters:
        case RecordsAsked(bbox=str(text)):
            box = _box(text)
        case QueryIn(bbox=found):
            box = found
    # Another number than four is refused by `Query`.
    return Query(bbox=None if box is None else tuple(box), **conditions)  # pyrefly: ignore[bad-argument-type]


def drafts_from(body: RecordsIn, caller: Caller, key: str | None) -> list[Draft]:
    """Make records of a request, with ids made of its key and what it leaves out.

    Raises:
        MaskError, PromptError, RecordError: one does not hold together.
    """
    now = datetime.now(UTC)
    ids = ids_of("record", caller.name, key, len(body.records))
    return [_draft(one, made, now) for one, made in zip(body.records, ids, strict=True)]


def actions_from(body: EventsIn) -> list[tuple[str, core.Action]]:
    """Read what is done to which record.

    Raises:
        MaskError, RecordError: one does not hold together.
    """
    return [(one.record_id, read_value(_ACTIONS[one.action.kind], one.action)) for one in body.events]


def record_json(mask: ResolvedRecord) -> dict[str, Any]:
    """Write a `RecordOut`."""
    written: Any = to_json(mask)
    return {**written, "etag": tag_of(mask)}


def records_json(masks: Iterable[ResolvedRecord], next_cursor: str | None) -> dict[str, Any]:
    """Write a `RecordsOut`."""
    return {"items": [record_json(mask) for mask in masks], "next_cursor": next_cursor}


def saved_json(saved: Saved) -> dict[str, Any]:
    """Write a `SavedOut`."""
    return {"moment": saved.moment, "items": [record_json(one) for one in saved.records]}


def history_json(history: History) -> dict[str, Any]:
    """Write a `HistoryOut`."""
    return {
        "record": to_json(history.record),
        "put_at": history.put_at.isoformat(),
        "put_moment": history.put_moment,
        "events": [to_json(event) for event in history.events],
        "resolved": record_json(history.resolved),
    }


def event_json(logged: LoggedEvent) -> dict[str, Any]:
    """Write a `LoggedEventOut`."""
    return {"position": logged.position, "moment": logged.moment, "event": to_json(logged.event)}


def put_json(put: Put) -> dict[str, Any]:
    """Write what the stream tells of new records."""
    places = {name: put.bounds.get(name) for name in ("dataset", "episode", "camera", "frame_index")}
    return {"moment": put.moment, "num_records": put.num_records, **places}


def edited_json(edited: Edited) -> dict[str, Any]:
    """Write an `EditedOut`."""
    return {"moment": edited.moment, "items": [event_json(one) for one in edited.events], "etags": edited.tags}


def frame_json(frame: SeenFrame, num_masks: dict[str, int]) -> dict[str, Any]:
    """Write a `FrameOut`."""
    return {
        "id": frame_id(frame.key),
        "name": frame.name,
        "size_hw": frame.size_hw,
        "ref": None if frame.ref is None else to_json(frame.ref),
        "image_digest": frame.image_digest,
        "num_masks": num_masks,
    }


def frames_json(frames: Iterable[CountedFrame], next_cursor: str | None) -> dict[str, Any]:
    """Write a `FramesOut`."""
    return {"items": [frame_json(one.frame, one.num_masks) for one in frames], "next_cursor": next_cursor}


def count_by_status(masks: Iterable[ResolvedRecord]) -> dict[str, int]:
    """Count masks by status."""
    counts: dict[str, int] = {}
    for mask in masks:
        counts[mask.status] = counts.get(mask.status, 0) + 1
    return counts


def _draft(given: RecordIn, made_id: str, now: datetime) -> Draft:
    written = given.model_dump(mode="json")
    rle = from_coco({"size": given.rle.size_hw, "counts": given.rle.counts})
    made_up = set()
    if written["provenance"]["created_at"] is None:
        written["provenance"]["created_at"] = now.isoformat()
        made_up.add("created_at")
    written["id"] = given.id or made_id
    if given.area is None:
        written["area"] = area(rle)
    if given.box_xyxy is None:
        written["box_xyxy"] = list(box_xyxy(rle))
    return Draft(record=from_json(MaskRecord, written, where="record"), made_up=frozenset(made_up))


def _box(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise RequestError(f"bbox is x1,y1,x2,y2 in pixels, got {text!r}") from error


__all__ = [
    "actions_from",
    "count_by_status",
    "drafts_from",
    "edited_json",
    "event_json",
    "frame_json",
    "frames_json",
    "history_json",
    "put_json",
    "query_from",
    "record_json",
    "records_json",
    "saved_json",
]
