"""The labels of a store and how many masks have each: for what people type, and for number keys."""

from dataclasses import dataclass

from maskwright.store.pages import Pages
from maskwright.store.query import Query

MOST_LABELS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """A label, and how many masks that are listed have it."""

    name: str
    num_masks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels by name. `is_cut`: there are more, with fewer masks than these."""

    items: tuple[LabelCount, ...]
    is_cut: bool = False


def labels_of(pages: Pages, query: Query | None = None) -> Labels:
    """Count the listed masks that a query finds by their labels; reads one column."""
    rows = list(pages.rows(query or Query(), _SELECT, (MOST_LABELS + 1,)))
    items = sorted((LabelCount(name=name, num_masks=number) for name, number in rows[:MOST_LABELS]), key=_name)
    return Labels(items=tuple(items), is_cut=len(rows) > MOST_LABELS)


def _name(one: LabelCount) -> str:
    return one.name


_SELECT = "SELECT label, count(*) AS number FROM masks WHERE label IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"

__all__ = ["MOST_LABELS", "LabelCount", "Labels", "labels_of"]
