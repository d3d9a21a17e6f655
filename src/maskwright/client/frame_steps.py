"""Frames of the server's store: which there are, what is on them, their pictures."""

from typing import Literal, Unpack

from maskwright.client.answers import unreadable
from maskwright.client.asking import answered, ask
from maskwright.client.filters import FrameFilters, as_query
from maskwright.client.link import Link
from maskwright.client.picture_steps import checked_image
from maskwright.client.reading import as_a, items_as, tagged_items
from maskwright.client.requests import request
from maskwright.client.steps import Emit, Items, Steps, work
from maskwright.client.values import OpenedFrame, ServerFrame, TaggedRecord
from maskwright.core import Image

_PAGE = 500


def frames(link: Link, **filters: Unpack[FrameFilters]) -> Items[ServerFrame]:
    """Go through the frames of the store in order, those without masks too, fetching pages as they are needed."""
    query, cursor = as_query(filters), None
    while True:
        page = [*query, ("limit", str(_PAGE)), *([] if cursor is None else [("cursor", cursor)])]
        items, cursor = yield from ask(link, request(link, "GET", "frames", query=page), items_as(ServerFrame))
        for one in items:
            yield Emit(one)
        if cursor is None:
            return


def frame(link: Link, frame_id: str) -> Steps[ServerFrame]:
    """Read what is known of one frame, by its id.

    Raises:
        UnknownRecord, RequestError: there is no such frame, or it is no id.
    """
    return (yield from ask(link, request(link, "GET", "frames", frame_id), as_a(ServerFrame)))


def frame_records(
    link: Link, frame: ServerFrame | str, *, status: Literal["listed", "any"] = "listed"
) -> Steps[list[TaggedRecord]]:
    """Read every mask of a frame, in the order in which they were put; "any": rejected and merged ones too.

    Raises:
        UnknownRecord: there is no such frame.
    """
    asked = request(link, "GET", "frames", _id(frame), "records", query=[("status", status)])
    return (yield from ask(link, asked, lambda data: list(tagged_items(data))))


def frame_picture(link: Link, frame: ServerFrame | str) -> Steps[Image]:
    """Fetch the pixels that a frame's masks are on, upright. From then on the server knows them by their digest.

    Raises:
        UnknownRecord, UnknownImage: there is no such frame, or its picture is not on the server's machine.
    """
    answer = yield from answered(link, request(link, "GET", "frames", _id(frame), "picture"))
    digest = answer.headers.get("x-image-digest")
    if digest is None:
        raise unreadable(link, "the picture came without its digest")
    return (yield from work(lambda: checked_image(link, answer.content, digest)))


def open_frame(link: Link, frame: ServerFrame | str, *, ahead: int = 2) -> Steps[OpenedFrame]:
    """Say that a frame is about to be looked at: it and some after it are made ready, so that no first click waits.

    Raises:
        UnknownRecord: there is no such frame.
    """
    asked = request(link, "POST", "frames", _id(frame), "open", query=[("ahead", str(ahead))])
    return (yield from ask(link, asked, as_a(OpenedFrame)))


def _id(frame: ServerFrame | str) -> str:
    return frame.id if isinstance(frame, ServerFrame) else frame


__all__ = ["frame", "frame_picture", "frame_records", "frames", "open_frame"]
