"""Review events: decide about masks, read the log, follow it."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from maskwright.core.errors import RequestError
from maskwright.serve.access import Annotator, Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import body_of
from maskwright.serve.meter import Meter
from maskwright.serve.presence import Presence
from maskwright.serve.routes.presence import people_json
from maskwright.serve.server_events import ALIVE, EVENT_STREAM, message, stream_answer
from maskwright.serve.store_access import CONFLICTS, STORE_ERRORS, DeskOf, IfMatch, Key, body_of_request
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.store_edits import Edits, named_by
from maskwright.serve.store_tags import expected, quoted
from maskwright.serve.wire import ErrorOut
from maskwright.serve.wire_store import EditedOut, EventsIn, LogOut
from maskwright.serve.wire_store_values import actions_from, edited_json, event_json, put_json

router = APIRouter(prefix="/v1")
BODIES = (EventsIn,)

_LARGEST = 2**63 - 1
_EDITED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {"ETag": {"schema": {"type": "string"}, "description": "The new etag, where one record is edited"}}
    },
    412: {"model": ErrorOut, "description": "Somebody changed a record since it was read; the message says who"},
    428: {"model": ErrorOut, "description": "A record is edited without saying which state of it"},
}
After = Annotated[int | None, Query(ge=0, le=_LARGEST, description="A position in the log.")]


@router.post(
    "/events",
    status_code=201,
    summary="Accept, reject, edit, relabel, retrack, reparent, merge, split, revert and comment",
    response_model=EditedOut,
    responses={**STORE_ERRORS, **CONFLICTS, **_EDITED},
    openapi_extra=body_of(EventsIn),
)
async def add_events(
    request: Request, desk: DeskOf, who: Annotator, key: Key = None, if_match: IfMatch = None
) -> Response:
    """All or none; they are on the disk when the answer comes.

    Every record that is edited or absorbed needs the etag that it was read with, in If-Match or if_match, so that
    nobody's work is wiped out unseen; * edits it whatever it is. The comparison and the edit are one.
    """
    body = await body_of_request(request, EventsIn)
    actions = await to_thread.run_sync(actions_from, body)
    expects = expected(if_match, body.if_match, named_by(actions))
    edited = await desk.append(Edits(actions, expects, who, actor=body.actor, key=key))
    headers = {"ETag": quoted(next(iter(edited.tags.values())))} if len(edited.tags) == 1 else {}
    return json_answer(edited_json(edited), 201, headers)


@router.get("/events", summary="The log of review events", response_model=LogOut, responses=STORE_ERRORS)
async def list_events(
    desk: DeskOf, who: Reader, after: After = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """Oldest first, after a position. Ask again after `last` for what came since."""
    begin = after or 0
    events = await desk.events(after=begin, limit=limit)
    last = events[-1].position if events else begin
    cursor = str(last) if len(events) == limit else None
    content = {"items": [event_json(one) for one in events], "next_cursor": cursor, "last": last}
    return json_answer(content)


@router.get(
    "/events/stream",
    summary="Review events as they come",
    response_class=Response,
    responses={**STORE_ERRORS, **EVENT_STREAM},
)
async def stream_events(
    desk: DeskOf,
    service: ServiceOf,
    who: Reader,
    after: After = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=30)] = None,
) -> Response:
    """Server-sent events `review`, each once it is on the disk; its id is its position in the log.

    Events `record` tell that masks were put, how many, and where: least and greatest of dataset, episode, camera and
    frame_index, null where some have none. Events `presence` tell who is on a frame after somebody came or went. Both
    have no id, for they are not in the log. From now on, or after a position; a client that comes back with
    Last-Event-ID misses no review, and reads the masks of its frame anew.
    """
    moment = await desk.moment()
    begin = _position(last_event_id) if last_event_id else after
    if begin is None:
        begin = await desk.feed.last()
    following = desk.feed.follow(begin)
    await anext(following)  # refused now, if at all, and not in the middle of an answer
    return stream_answer(_messages(following, begin, moment, desk, service.meter))


async def _messages(following: Any, begin: int, moment: int, desk: StoreDesk, meter: Meter) -> AsyncIterator[bytes]:
    sessions = meter.sessions.labels("stream")
    sessions.inc()
    presence = desk.presence
    num_heard = presence.number
    try:
        async with aclosing(following):
            yield f"id: {begin}\n\n".encode()  # what to come back with, if the connection breaks before any event
            async for events in following:
                told = [message("review", event_json(one), number=one.position) for one in events]
                moment, puts = await desk.put_after(moment)
                told += [message("record", put_json(one)) for one in puts]
                told += [message("presence", one) for one in _presences(presence, num_heard)]
                num_heard = presence.number
                yield b"".join(told) or ALIVE
    finally:
        sessions.dec()


def _presences(presence: Presence, num_heard: int) -> list[dict[str, Any]]:
    changed = presence.changed_after(num_heard)
    return [{"frame": frame, "people": people_json(people)} for frame, people in changed.items()]


def _position(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _LARGEST:
        raise RequestError(f"Last-Event-ID is a position in the log, got {text!r}")
    return int(text)


__all__ = ["BODIES", "router"]
