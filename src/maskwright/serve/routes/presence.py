"""Presence: who is on a frame. Never in the store; the event stream tells of changes as they come."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from maskwright.serve.access import Reader
from maskwright.serve.answers import json_answer
from maskwright.serve.description import body_of
from maskwright.serve.presence import KEPT_S, Presence, Present
from maskwright.serve.store_access import NOT_THERE, DeskOf, body_of_request
from maskwright.serve.store_cursors import MOST_CHARACTERS
from maskwright.serve.wire_review import PresenceIn, PresenceOut

router = APIRouter(prefix="/v1")
BODIES = (PresenceIn,)

FrameAsked = Annotated[
    str, Query(min_length=1, max_length=MOST_CHARACTERS, description="The id of a frame, as GET /v1/frames gives it.")
]


@router.post(
    "/presence",
    summary="Say on which frame one is, and hear who else is there",
    response_model=PresenceOut,
    responses=NOT_THERE,
    openapi_extra=body_of(PresenceIn),
)
async def tell_presence(request: Request, desk: DeskOf, who: Reader) -> Response:
    """Every five seconds or so, and at once when the frame or the mask in hand changes; null for the frame is goodbye.

    After 15 seconds without it one is gone. Others see the token's name, and hear of it in the event stream, as events
    `presence` that are not in the log.
    """
    body = await body_of_request(request, PresenceIn)
    if body.frame is not None:
        await desk.frame(body.frame)
    desk.presence.tell(who.name, body.page, body.frame, body.record)
    return json_answer(_presence(desk.presence, body.frame))


@router.get("/presence", summary="Who is on a frame", response_model=PresenceOut, responses=NOT_THERE)
async def get_presence(desk: DeskOf, who: Reader, frame: FrameAsked) -> Response:
    """Everybody whose page said so within the last 15 seconds, oneself included."""
    await desk.frame(frame)
    return json_answer(_presence(desk.presence, frame))


def people_json(people: tuple[Present, ...]) -> list[dict[str, Any]]:
    """Write people on a frame."""
    return [{"name": one.name, "record": one.record} for one in people]


def _presence(presence: Presence, frame: str | None) -> dict[str, Any]:
    people = () if frame is None else presence.on(frame)
    return {"frame": frame, "people": people_json(people), "kept_s": KEPT_S}


__all__ = ["BODIES", "people_json", "router"]
