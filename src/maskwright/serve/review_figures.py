"""`ReviewFigures`: progress and agreement of one store, computed once for each state of it, and cursors over them."""

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from maskwright.review import Agreement, AgreementBook, Comparison, Labels, Progress, Ranked, labels_of, progress_of
from maskwright.serve.store_cursors import not_given, read_parts, written
from maskwright.store import Query
from maskwright.store.pages import Pages

T = TypeVar("T")
Figures = Progress | Agreement | Labels
_MOST_KEPT = 16
_LARGEST = 2**63 - 1


class ReviewFigures:
    """Figures that take a while, as of the newest state; asked for again before anything was written, they are kept."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._book = pages, AgreementBook(pages)
        self._kept: OrderedDict[tuple[str, Query], tuple[int, Figures]] = OrderedDict()

    def progress(self, query: Query) -> Progress:
        """How far the review is."""
        found = self._newest("progress", query, lambda: progress_of(self._pages, query))
        assert isinstance(found, Progress)
        return found

    def agreement(self, query: Query) -> Agreement:
        """How people agree."""
        found = self._newest("agreement", query, lambda: self._book.agreement(query))
        assert isinstance(found, Agreement)
        return found

    def labels(self, query: Query) -> Labels:
        """Which labels there are."""
        found = self._newest("labels", query, lambda: labels_of(self._pages, query))
        assert isinstance(found, Labels)
        return found

    def _newest(self, what: str, query: Query, compute: Callable[[], Figures]) -> Figures:
        head = self._pages.head()
        moment, found = self._kept.get((what, query), (-1, None))
        if found is None or moment != head:
            found = compute()
        self._kept[what, query] = head, found
        self._kept.move_to_end((what, query))
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found


def ranked_cursor(place: Ranked) -> str:
    """Write a place in a queue."""
    return written([place.value, place.ordinal])


def read_ranked(text: str) -> Ranked:
    """Read what `ranked_cursor` wrote.

    Raises:
        RequestError: it is something else.
    """
    match read_parts(text, "a cursor"):
        case [float() | int() as value, int(ordinal)] if (
            type(value) is not bool
            and type(ordinal) is int
            and 0 <= ordinal <= _LARGEST
            and abs(value) < _LARGEST
            and math.isfinite(value)
        ):
            return Ranked(float(value), ordinal)
    raise not_given("a cursor")


def compared_page(
    agreement: Agreement, cursor: str | None, limit: int, *, is_open: bool = False
) -> tuple[tuple[Comparison, ...], str | None]:
    """Cut a page out of comparisons, which are in order, and give the cursor to go on with; of open ones only if asked.

    Raises:
        RequestError: the cursor is none.
    """
    those = tuple(one for one in agreement.comparisons if one.is_open) if is_open else agreement.comparisons
    begin = 0 if cursor is None else bisect_right(those, _read_place(cursor), key=lambda one: one.place)
    page = those[begin : begin + limit]
    return page, written([*page[-1].place]) if begin + limit < len(those) else None


def _read_place(text: str) -> tuple[float, bool, str, str, str]:
    match read_parts(text, "a cursor"):
        case [float() | int() as share, bool(is_same), str(record), str(first), str(second)] if 0 <= share <= 1:
            return float(share), is_same, record, first, second
    raise not_given("a cursor")


__all__ = ["ReviewFigures", "compared_page", "ranked_cursor", "read_ranked"]
