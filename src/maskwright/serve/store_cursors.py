"""Cursors and ids of frames: places in frame order as opaque text that is checked when it comes back."""

import base64
import binascii
import json
from typing import Any

from maskwright.core.errors import RequestError
from maskwright.store.frame_log import FrameKey
from maskwright.store.pages import Place

MOST_CHARACTERS = 4000
_LARGEST = 2**63 - 1


def frame_id(key: FrameKey) -> str:
    """Name a frame by its place."""
    return written(list(key[1:5]) if not key[0] else [key[5]])


def read_frame_id(text: str) -> FrameKey:
    """Read what `frame_id` wrote.

    Raises:
        RequestError: it is something else.
    """
    return _key(read_parts(text, "a frame's id"), "a frame's id")


def cursor_of(place: Place) -> str:
    """Write where a page of masks ended."""
    return written([place.ordinal, *json.loads(_text(frame_id(place.frame)))])


def read_cursor(text: str) -> Place:
    """Read what `cursor_of` wrote.

    Raises:
        RequestError: it is something else.
    """
    ordinal, *key = read_parts(text, "a cursor")
    if type(ordinal) is not int or not 0 <= ordinal <= _LARGEST:
        raise not_given("a cursor")
    return Place(_key(key, "a cursor"), ordinal)


def _key(parts: list[Any], what: str) -> FrameKey:
    match parts:
        case [str(digest)]:
            return True, "", "", "", -1, digest
        case [str(dataset), str(episode), str(camera), int(index)] if type(index) is int and 0 <= index <= _LARGEST:
            return False, dataset, episode, camera, index, ""
    raise not_given(what)


def written(parts: list[Any]) -> str:
    """Write parts as opaque text."""
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _text(written: str) -> str:
    return base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True).decode()


def read_parts(given: str, what: str) -> list[Any]:
    """Read what `written` wrote, whatever it holds.

    Raises:
        RequestError: it is nothing that was written here.
    """
    try:
        if len(given) > MOST_CHARACTERS or not given.isascii():
            raise ValueError
        found = json.loads(_text(given))
        if not isinstance(found, list) or not found:
            raise ValueError
        _text(written(found))  # which lone surrogates do not survive
    except (binascii.Error, ValueError, RecursionError):
        raise not_given(what) from None
    return found


def not_given(what: str) -> RequestError:
    """Say that a text is not what it should be."""
    return RequestError(f"this is not {what} that the server gave. Take one from an answer, as it is")


__all__ = [
    "MOST_CHARACTERS",
    "cursor_of",
    "frame_id",
    "not_given",
    "read_cursor",
    "read_frame_id",
    "read_parts",
    "written",
]
