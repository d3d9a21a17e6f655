"""`ReviewDesk`: what a server's people who review ask of the store, off the event loop.

Figures of everything wait for each other, on a connection of their own, so that no dashboard slows down a click.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from maskwright.core.errors import StoreError, TooManyRequests
from maskwright.review import (
    Agreement,
    Labels,
    Progress,
    QueuePage,
    Ranked,
    is_rule,
    named_page,
    queue_names,
    queue_page,
    read_queue,
)
from maskwright.serve.review_figures import ReviewFigures, ranked_cursor, read_ranked
from maskwright.store import Query
from maskwright.store.pages import Pages

T = TypeVar("T")
_log = logging.getLogger(__name__)
_MOST_WAITING = 32
_QUEUES_AT_ONCE = 2


class ReviewDesk:
    """Figures and queues of one store. Methods are for the event loop.

    Raises:
        TooManyRequests: too many wait for figures already.
    """

    def __init__(self, pages: Pages, store: Path) -> None:
        self._store = store
        self._pages, self._figures = pages, ReviewFigures(pages)
        # Labels are asked for as a page opens: they wait for no figures that take long.
        self._labels, self._labellers = ReviewFigures(pages), anyio.CapacityLimiter(1)
        self._thinkers, self._queues = anyio.CapacityLimiter(1), anyio.CapacityLimiter(_QUEUES_AT_ONCE)

    async def progress(self, query: Query) -> Progress:
        """Compute how far the review of the masks that a query finds is."""
        return await self._think(self._figures.progress, query)

    async def agreement(self, query: Query) -> Agreement:
        """Compare what people said about the masks that a query finds."""
        return await self._think(self._figures.agreement, query)

    async def labels(self, query: Query) -> Labels:
        """Count the masks that a query finds by their labels."""
        return await to_thread.run_sync(self._labels.labels, query, limiter=self._labellers)

    async def queue(
        self, name: str, query: Query, *, actor: str, seed: int, cursor: str | None, limit: int
    ) -> tuple[QueuePage, str | None]:
        """Give a page of a queue, which a rule makes or somebody picked, and the cursor to go on with.

        Raises:
            RequestError: the cursor is none.
            UnknownRecord: there is no such queue.
        """
        after = None if cursor is None else read_ranked(cursor)
        ask = partial(self._named_page, name, query, after=after, limit=limit)
        if is_rule(name):
            agreement = await self.agreement(query) if name == "disagreed" else None
            told = {"actor": actor, "seed": seed, "agreement": agreement}
            ask = partial(queue_page, self._pages, name, query, after=after, limit=limit, **told)
        page = await to_thread.run_sync(ask, limiter=self._queues)
        return page, None if page.next is None else ranked_cursor(page.next)

    async def picked(self) -> list[tuple[str, str]]:
        """List the queues that somebody picked, each with what it is about; one that cannot be read is left out."""
        return await to_thread.run_sync(self._picked, limiter=self._queues)

    def _named_page(self, name: str, query: Query, *, after: Ranked | None, limit: int) -> QueuePage:
        return named_page(self._pages, read_queue(self._store, name), query, after=after, limit=limit)

    def _picked(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for name in queue_names(self._store):
            try:
                found.append((name, read_queue(self._store, name).about))
            except StoreError as error:
                _log.warning("%s", error)
        return found

    async def _think(self, function: Callable[[Query], T], query: Query) -> T:
        if self._thinkers.statistics().tasks_waiting >= _MOST_WAITING:
            raise TooManyRequests("many ask for figures of the whole store already. Come back in a few seconds", 5.0)
        return await to_thread.run_sync(function, query, limiter=self._thinkers)


__all__ = ["ReviewDesk"]
