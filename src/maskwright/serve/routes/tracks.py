"""Objects through a stream of frames: a session, frames one by one, results as they come."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Request, WebSocket
from starlette.responses import Response, StreamingResponse

from maskwright.core.errors import Cancelled, RequestError
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import PICTURE_ERRORS
from maskwright.serve.problems import problem_of
from maskwright.serve.server_events import ALIVE, EVENT_STREAM, message, stream_answer
from maskwright.serve.track_frames import read_frame
from maskwright.serve.track_session import TrackSession
from maskwright.serve.track_socket import serve_socket
from maskwright.serve.track_values import LostResults, TrackResult
from maskwright.serve.wire import Format
from maskwright.serve.wire_tracks import (
    TrackFrameIn,
    TrackFrameOut,
    TrackOut,
    TrackSessionIn,
    TracksOut,
    TrackStreamIn,
    frame_json,
    track_json,
)

router = APIRouter(prefix="/v1")

BODIES = (TrackFrameIn, TrackStreamIn)  # read by hand; described all the same
_SIGN_OF_LIFE_S = 15.0
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: PICTURE_ERRORS[404]}
_BINARY = {"type": "string", "format": "binary"}
_FRAME = "#/components/schemas/TrackFrameIn"
_FRAME_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": _BINARY},
            "application/json": {"schema": {"$ref": _FRAME}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "properties": {
                        "picture": {**_BINARY, "description": "The frame's file, or its pixels if raw_hw says so."},
                        "request": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "TrackFrameIn as JSON, without image.",
                        },
                    },
                }
            },
        },
    }
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: EVENT_STREAM[200]
    | {"description": "Events: frame (a TrackFrameOut), lost (first and last frame whose results are gone), end (why)"},
    **_UNKNOWN,
}

SessionId = Annotated[str, Path(max_length=64, description="As POST /v1/tracks gave it.")]
MaskFormat = Annotated[Format, Query(description="rle: run lengths alone; png, polygons: that too.")]


@router.post(
    "/tracks", status_code=201, summary="Open a track session", response_model=TrackOut, responses=PICTURE_ERRORS
)
async def open_track(service: ServiceOf, who: Reader, asked: TrackSessionIn | None = None) -> Response:
    """A session follows objects through the frames that it is sent, in order. It keeps no frame.

    It ends when it is closed, and after `idle_s` seconds without a frame. There are only so many at a time (429).
    """
    session = await service.tracks.open((asked or TrackSessionIn()).options(), who)
    return json_answer(track_json(session.info()), 201, {"Location": f"/v1/tracks/{session.id}"})


@router.get("/tracks", summary="Open track sessions", response_model=TracksOut)
async def list_tracks(service: ServiceOf, who: Reader) -> Response:
    """One's own; an admin sees all."""
    return json_answer({"items": [track_json(one) for one in service.tracks.list_of(who)], "next_cursor": None})


@router.get("/tracks/{session_id}", summary="What a session is at", response_model=TrackOut, responses=_UNKNOWN)
async def get_track(session_id: SessionId, service: ServiceOf, who: Reader) -> Response:
    """Its tracks, how many frames it has followed, and when it ends if none comes."""
    return json_answer(track_json(service.tracks.get(session_id, who).info()))


@router.delete("/tracks/{session_id}", summary="Close a session", response_model=TrackOut, responses=_UNKNOWN)
async def close_track(session_id: SessionId, service: ServiceOf, who: Reader) -> Response:
    """Frames that wait are not followed any more. The answer says what it was at."""
    return json_answer(track_json(await service.tracks.close(session_id, who)))


@router.delete(
    "/tracks/{session_id}/objects/{track}", status_code=204, summary="End one track of a session", responses=_UNKNOWN
)
async def forget_track(
    session_id: SessionId, track: Annotated[str, Path(max_length=200)], service: ServiceOf, who: Reader
) -> Response:
    """At once: frames that wait are followed without it. A prompt of the same name begins another."""
    await service.tracks.get(session_id, who).forget(track)
    return Response(status_code=204)


@router.post(
    "/tracks/{session_id}/frames",
    summary="Show the next frame",
    response_model=TrackFrameOut,
    responses=PICTURE_ERRORS,
    openapi_extra=_FRAME_BODY,
)
async def show_frame(request: Request, session_id: SessionId, service: ServiceOf, who: Reader) -> Response:
    """Answers with the frame's masks. The body is a picture, a form of a picture and what is said of it, or JSON.

    A frame that cannot be used is an error and counts: its place is told as skipped, and tracks go on with the next.
    """
    session = service.tracks.get(session_id, who)
    shown, asked = await read_frame(request, service)
    result = await (await session.push(shown, wait=False))
    if result.error is not None:
        raise result.error
    return json_answer(await _json(result, asked.format))


@router.get(
    "/tracks/{session_id}/results",
    summary="Results as they come",
    response_class=StreamingResponse,
    responses=_EVENTS,
)
async def follow_track(
    session_id: SessionId,
    service: ServiceOf,
    who: Reader,
    format: MaskFormat = "rle",
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Server-sent events to the end of the session. Goes on behind Last-Event-ID, as browsers do by themselves.

    Results are kept for a while. Who comes back too late is told by an event `lost` which ones are gone.
    """
    session = service.tracks.get(session_id, who)
    after = _after(last_event_id)
    return stream_answer(_events(session, after, format))


@router.websocket("/tracks/{session_id}/stream")
async def stream_track(
    socket: WebSocket,
    session_id: SessionId,
    service: ServiceOf,
    who: Reader,
    format: MaskFormat = "rle",
    keep: Annotated[bool, Query()] = False,
) -> None:
    """Frames in, results out, in order. The session ends with the socket unless it is to be kept."""
    await serve_socket(socket, service.tracks.get(session_id, who), service, form=format, keep=keep)


async def _events(session: TrackSession, after: int, form: Format) -> AsyncIterator[bytes]:
    while True:
        item = None
        with anyio.move_on_after(_SIGN_OF_LIFE_S) as waiting:
            item = await session.result_behind(after)
        match item:
            case TrackResult(index=after):
                yield message("frame", await _json(item, form), number=after)
            case LostResults(first=first, last=after):
                yield message("lost", {"first": first, "last": after}, number=after)
            case None if waiting.cancelled_caught:
                yield ALIVE
            case None:
                break
    problem = problem_of(session.ended or Cancelled("the track session is over"))
    yield message("end", {"code": problem.code, "message": problem.message})


def _after(last_event_id: str | None) -> int:
    if last_event_id is None or last_event_id == "":
        return -1
    if not last_event_id.isascii() or not last_event_id.isdecimal():
        raise RequestError(f"Last-Event-ID must be the number of a frame, got {last_event_id!r}")
    return int(last_event_id)


async def _json(result: TrackResult, form: Format) -> dict[str, Any]:
    """Run lengths are there already; drawing and tracing take a while."""
    if form == "rle":
        return frame_json(result, form)
    return await anyio.to_thread.run_sync(partial(frame_json, result, form))


__all__ = ["BODIES", "router"]
