"""Records of masks: read one with its tag, read its life, find many, save new ones."""

from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from maskwright.core import ResolvedRecord
from maskwright.serve.access import Annotator, Reader
from maskwright.serve.answers import json_answer
from maskwright.serve.description import body_of
from maskwright.serve.store_access import (
    CONFLICTS,
    NOT_THERE,
    STORE_ERRORS,
    DeskOf,
    IfNoneMatch,
    Key,
    asked_in,
    asked_of,
    body_of_request,
)
from maskwright.serve.store_tags import quoted, read_tags, tag_of
from maskwright.serve.wire_store import HistoryOut, RecordOut, RecordsAsked, RecordsIn, RecordsOut, SavedOut
from maskwright.serve.wire_store_values import (
    drafts_from,
    history_json,
    query_from,
    record_json,
    records_json,
    saved_json,
)

router = APIRouter(prefix="/v1")
BODIES = (RecordsIn,)

RecordInPath = Annotated[str, Path(min_length=1, max_length=500)]
_WRITTEN_AT_ONCE = 50  # records; more are written beside the event loop
_ETAG: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {"ETag": {"schema": {"type": "string"}, "description": "Changes with everything that touches it"}}
    },
    304: {"description": "It is as the etag of If-None-Match says"},
}


@router.get(
    "/records",
    summary="Masks that meet conditions",
    response_model=RecordsOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(RecordsAsked),
)
async def list_records(request: Request, desk: DeskOf, who: Reader) -> Response:
    """In frame order, of the newest state, a page at a time.

    A cursor stays good while others write: no mask is given twice, and none is left out that was there all the time.
    Questions about one frame (dataset, episode, camera, first_frame = last_frame) are the quickest.
    """
    asked = asked_of(request, RecordsAsked)
    page = await desk.query(query_from(asked), cursor=asked.cursor, limit=asked.limit)
    write = partial(records_json, page.masks, page.next_cursor)
    return json_answer(write() if len(page.masks) <= _WRITTEN_AT_ONCE else await to_thread.run_sync(write))


@router.post(
    "/records",
    status_code=201,
    summary="Save masks",
    response_model=SavedOut,
    responses={**STORE_ERRORS, **CONFLICTS},
    openapi_extra=body_of(RecordsIn),
)
async def add_records(request: Request, desk: DeskOf, who: Annotator, key: Key = None) -> Response:
    """All or none; they are on the disk when the answer comes. Records of POST /v1/segment can be sent as they are.

    Their provenance says who saved them: the token's name. Only an admin saves masks that were imported or simulated,
    names another than himself, or brings frames that the store has not seen.
    """
    body = await body_of_request(request, RecordsIn)
    drafts = await to_thread.run_sync(drafts_from, body, who, key)
    saved = await desk.put(drafts, who, key=key)
    return json_answer(await to_thread.run_sync(saved_json, saved), 201)


@router.get(
    "/records/{record_id}",
    summary="One mask as it is now",
    response_model=RecordOut,
    responses={**STORE_ERRORS, **NOT_THERE, **_ETAG},
)
async def get_record(record_id: RecordInPath, desk: DeskOf, who: Reader, if_none_match: IfNoneMatch = None) -> Response:
    """Its ETag is what an edit sends back as If-Match."""
    mask = await desk.record(record_id)
    headers = {"ETag": quoted(tag_of(mask)), "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _is_known(mask, if_none_match):
        return Response(status_code=304, headers=headers)
    return json_answer(record_json(mask), headers=headers)


@router.get(
    "/records/{record_id}/history",
    summary="One mask's life",
    response_model=HistoryOut,
    responses={**STORE_ERRORS, **NOT_THERE},
)
async def get_record_history(record_id: RecordInPath, desk: DeskOf, who: Reader) -> Response:
    """As it was put, every event that touched it, and what they came to."""
    history = await desk.history(record_id)
    return json_answer(history_json(history), headers={"ETag": quoted(tag_of(history.resolved))})


def _is_known(mask: ResolvedRecord, header: str) -> bool:
    return bool(read_tags(header, weak=True) & {"*", tag_of(mask)})


__all__ = ["BODIES", "RecordInPath", "router"]
