"""The tracks of a recording over time: which there are, and what each is on every frame."""

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright.core.errors import RequestError
from maskwright.serve.access import Reader
from maskwright.serve.answers import json_answer
from maskwright.serve.store_access import STORE_ERRORS, DeskOf, asked_in, asked_of
from maskwright.serve.wire_timeline import (
    SpansAsked,
    SpansOut,
    TimelineAsked,
    TimelineOut,
    read_point_place,
    spans_json,
    timeline_json,
)

router = APIRouter(prefix="/v1")


@router.get(
    "/timeline",
    summary="The tracks of a recording",
    response_model=TimelineOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(TimelineAsked),
)
async def get_timeline(request: Request, desk: DeskOf, who: Reader) -> Response:
    """By name. A recording that the store does not know has none."""
    asked = asked_of(request, TimelineAsked)
    return json_answer(timeline_json(await desk.timeline.timeline(asked.recording())))


@router.get(
    "/timeline/spans",
    summary="What tracks of a recording are on its frames",
    response_model=SpansOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(SpansAsked),
)
async def list_timeline_spans(request: Request, desk: DeskOf, who: Reader) -> Response:
    """Keyframes, propagated, occluded, outside, rejected, corrected; and how sure the tracker was. No pixels.

    A page holds the points of the first frames; spans are within a page. Rejected masks are told where a track has no
    other on their frame.
    """
    asked = asked_of(request, SpansAsked)
    if asked.first_frame is not None and asked.last_frame is not None and asked.first_frame > asked.last_frame:
        raise RequestError(f"query.last_frame: comes after first_frame {asked.first_frame}, got {asked.last_frame}")
    spans, following = await desk.timeline.spans(
        asked.recording(),
        tracks=None if asked.track is None else tuple(asked.track),
        first_frame=asked.first_frame,
        last_frame=asked.last_frame,
        after=None if asked.cursor is None else read_point_place(asked.cursor),
        limit=asked.limit,
    )
    return json_answer(await to_thread.run_sync(partial(spans_json, spans, following)))


__all__ = ["router"]
