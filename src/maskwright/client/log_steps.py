"""The log of review events: read it, follow it."""

import json
from collections.abc import Generator
from typing import Any

from maskwright.client.answers import unreadable
from maskwright.client.asking import ask
from maskwright.client.link import Link
from maskwright.client.listening import Message, listen
from maskwright.client.reading import as_a, items_as
from maskwright.client.requests import request
from maskwright.client.steps import Emit, Items
from maskwright.client.values import LoggedEvent
from maskwright.core.errors import SettingError

_PAGE = 1000


def events(link: Link, *, after: int = 0) -> Items[LoggedEvent]:
    """Go through the log, oldest first, from behind a position to its end as it is now."""
    while True:
        query = [("after", str(after)), ("limit", str(_PAGE))]
        items, cursor = yield from ask(link, request(link, "GET", "events", query=query), items_as(LoggedEvent))
        for one in items:
            yield Emit(one)
        if cursor is None:
            return
        after = int(cursor)


def follow(link: Link, *, after: int | None = None, patience_s: float = 60.0) -> Items[LoggedEvent]:
    """Wait for events and give each once it is on the server's disk; from now on, or from behind a position.

    Ends only with its reader. When the connection breaks or the server begins anew it goes on where it was: none is
    left out, none comes twice. It gives up when for `patience_s` there was nothing to be heard.

    Raises:
        ServerUnreachable, ServerStopping: the server was away for too long.
        StoreMissing: it has no store.
    """
    if after is not None and after < 0:
        raise SettingError(f"a position in the log is 0 or more, got {after}")

    def take(message: Message) -> Generator[Emit[LoggedEvent], Any, bool]:
        if message.kind == "review":
            try:
                found = as_a(LoggedEvent)(json.loads(message.text))
            except ValueError as error:
                raise unreadable(link, f"an event cannot be read ({error!s:.200})") from error
            yield Emit(found)
        return False

    last_id = None if after is None else str(after)
    yield from listen(link, ("events", "stream"), take, last_id=last_id, patience_s=patience_s)


__all__ = ["events", "follow"]
