"""Masks of the server's store: find, count, read, save."""

from collections.abc import Iterable
from typing import Any, Unpack

from maskwright.client.asking import ask
from maskwright.client.filters import Filters, written
from maskwright.client.link import Link
from maskwright.client.reading import history as read_history
from maskwright.client.reading import page, table, tagged, tagged_items
from maskwright.client.requests import new_key, request
from maskwright.client.steps import Emit, Items, Steps, work
from maskwright.client.values import Page, RecordHistory, Table, TaggedRecord
from maskwright.core import MaskRecord, to_json
from maskwright.core.errors import DuplicateRecord, KeyReused

_PAGE = 500


def records(link: Link, **filters: Unpack[Filters]) -> Items[TaggedRecord]:
    """Go through the masks that meet conditions, in frame order, fetching pages as they are needed.

    None comes twice and none is left out that was there all the time, whatever others write meanwhile.

    Raises:
        SettingError, RequestError: conditions cannot hold together.
    """
    cursor: str | None = None
    while True:
        found = yield from _page(link, filters, cursor, _PAGE)
        for one in found.items:
            yield Emit(one)
        cursor = found.next_cursor
        if cursor is None:
            return


def query(link: Link, *, cursor: str | None = None, limit: int = 100, **filters: Unpack[Filters]) -> Steps[Page]:
    """Fetch one page of the masks that meet conditions; its `next_cursor` asks for the next one.

    Raises:
        SettingError, RequestError: conditions cannot hold together, or the limit is beyond 1,000.
    """
    return (yield from _page(link, filters, cursor, limit))


def count(link: Link, **filters: Unpack[Filters]) -> Steps[int]:
    """Count the masks that meet conditions.

    Raises:
        SettingError, RequestError: conditions cannot hold together.
    """
    body = {"query": written(filters), "count_only": True}
    return (yield from ask(link, request(link, "POST", "queries", body=body), lambda data: int(data["count"])))


def sql(link: Link, text: str, *, limit: int = 1000) -> Steps[Table]:
    """Run one SELECT over the views masks, records, events, frames and tags. For admins.

    Raises:
        NotAllowed: the token's scope is not admin.
        SettingError: it is not one SELECT, or cannot be answered.
        DeadlinePassed: it took longer than ten seconds.
    """
    return (yield from ask(link, request(link, "POST", "queries", body={"sql": text, "limit": limit}), table))


def record(link: Link, record_id: str) -> Steps[TaggedRecord]:
    """Read one mask as it is now, with the tag that an edit of it sends back.

    Raises:
        UnknownRecord: there is none.
    """
    return (yield from ask(link, request(link, "GET", "records", record_id), tagged))


def history(link: Link, record_id: str) -> Steps[RecordHistory]:
    """Read one mask's life.

    Raises:
        UnknownRecord: there is none.
    """
    return (yield from ask(link, request(link, "GET", "records", record_id, "history"), read_history))


def save(link: Link, records: Iterable[MaskRecord]) -> Steps[list[TaggedRecord]]:
    """Save masks, at most 1,000, all or none; they are on the server's disk when this returns.

    Who saved them is the token's name. However often the connection breaks meanwhile, they are saved once.

    Raises:
        RecordError: a mask does not fit its frame, or the store does not know the frame.
        DuplicateRecord: another mask has its id.
        NotAllowed: the token may not, or the provenance says what only an admin may say.
        TooLarge: there are too many.
        StoreFull, StoreReadOnly: nothing can be written.
    """
    asked: list[MaskRecord] = list(records)
    if not asked:
        return []
    key = new_key()
    made = yield from work(
        lambda: request(link, "POST", "records", body={"records": [to_json(one) for one in asked]}, key=key)
    )
    try:
        return (yield from ask(link, made, lambda data: list(tagged_items(data))))
    except KeyReused as error:  # the key is new: so an id is not
        ids = ", ".join(one.id for one in asked[:3])
        raise DuplicateRecord(f"another mask in the store has the id of one of these: {ids}. Use new_id()") from error


def _page(link: Link, filters: Any, cursor: str | None, limit: int) -> Steps[Page]:
    body = {"query": written(filters), "cursor": cursor, "limit": limit}
    return (yield from ask(link, request(link, "POST", "queries", body=body), page))


__all__ = ["count", "history", "query", "record", "records", "save", "sql"]
