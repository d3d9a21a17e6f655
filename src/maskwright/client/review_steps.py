"""The work of reviewing: how far it is, which labels there are, which masks to look at next, how people agree."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from maskwright.client.asking import ask
from maskwright.client.filters import as_query
from maskwright.client.link import Link
from maskwright.client.reading import as_a, items_as, tagged
from maskwright.client.requests import request
from maskwright.client.review_values import Comparison, Queued, ReviewProgress, ReviewQueue
from maskwright.client.steps import Emit, Items, Steps

_PAGE = 500


class ReviewFilters(TypedDict, total=False):
    """Which masks the figures are about; of several names one will do."""

    label: str | Sequence[str]
    track: str | Sequence[str]
    dataset: str | Sequence[str]
    episode: str | Sequence[str]
    camera: str | Sequence[str]
    model: str | Sequence[str]


def progress(link: Link, **filters: Unpack[ReviewFilters]) -> Steps[ReviewProgress]:
    """Ask how far the review is, by episode, label, annotator and checkpoint, and how fast it goes.

    Raises:
        StoreMissing: the server has no store.
    """
    return (yield from ask(link, request(link, "GET", "progress", query=as_query(filters)), as_a(ReviewProgress)))


def labels(link: Link) -> Steps[dict[str, int]]:
    """List the labels of the store, each with the number of masks that have it."""
    found = yield from ask(link, request(link, "GET", "labels"), lambda data: data["items"])
    return {one["name"]: one["num_masks"] for one in found}


def queues(link: Link) -> Steps[list[ReviewQueue]]:
    """List the queues that there are."""

    def read(data: Any) -> list[ReviewQueue]:
        return [as_a(ReviewQueue)(item) for item in data["items"]]

    return (yield from ask(link, request(link, "GET", "queues"), read))


def queue(link: Link, name: str, *, seed: int = 0, **filters: Unpack[ReviewFilters]) -> Items[Queued]:
    """Go through the masks of a queue in its order; what is decided meanwhile leaves none out. `seed` is an audit's.

    Raises:
        UnknownRecord: no queue is called so.
        NotAllowed: the token's scope is not enough.
    """
    query, cursor = [*as_query(filters), ("seed", str(seed)), ("limit", str(_PAGE))], None
    while True:
        asked = request(link, "GET", "queues", name, query=[*query, *_from(cursor)])
        items, cursor = yield from ask(link, asked, _queued)
        for one in items:
            yield Emit(one)
        if cursor is None:
            return


def agreement(link: Link, *, is_open: bool = False, **filters: Unpack[ReviewFilters]) -> Items[Comparison]:
    """Go through pairs of people's versions of one mask, the least alike first. For reviewers.

    `is_open` leaves out what is seen alike, and what somebody has settled.

    Raises:
        NotAllowed: the token's scope is not review.
    """
    query, cursor = [*as_query(filters), ("is_open", str(is_open).lower()), ("limit", str(_PAGE))], None
    while True:
        asked = request(link, "GET", "agreement", query=[*query, *_from(cursor)])
        items, cursor = yield from ask(link, asked, items_as(Comparison))
        for one in items:
            yield Emit(one)
        if cursor is None:
            return


def _from(cursor: str | None) -> list[tuple[str, str]]:
    return [] if cursor is None else [("cursor", cursor)]


def _queued(data: Any) -> tuple[list[Queued], str | None]:
    items = [
        Queued(
            mask=tagged(one["record"]), frame=one["frame"], value=one["value"], reasons=tuple(one.get("reasons", ()))
        )
        for one in data["items"]
    ]
    return items, data["next_cursor"]


__all__ = ["ReviewFilters", "agreement", "labels", "progress", "queue", "queues"]
