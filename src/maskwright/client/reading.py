"""From JSON to values: core's codec does it, for a client's own values as for core's."""

from collections.abc import Callable
from typing import Any, TypeVar

from maskwright.client.values import Page, RecordHistory, Table, TaggedRecord
from maskwright.core import MaskRecord, from_json

V = TypeVar("V")


def as_a(kind: type[V]) -> Callable[[Any], V]:
    """Make the reader of a value."""
    return lambda data: from_json(kind, data)


def items_as(kind: type[V]) -> Callable[[Any], tuple[list[V], str | None]]:
    """Make the reader of a page: its items, and the cursor of the next one."""
    return lambda data: ([from_json(kind, item) for item in data["items"]], data["next_cursor"])


def tagged(data: Any) -> TaggedRecord:
    """Read a mask with its tag; its kind is that of the mask without."""
    return from_json(TaggedRecord, {**data, "kind": TaggedRecord.__name__})


def page(data: Any) -> Page:
    """Read a page of masks."""
    return Page(items=tagged_items(data), next_cursor=data["next_cursor"])


def tagged_items(data: Any) -> tuple[TaggedRecord, ...]:
    """Read masks with their tags."""
    return tuple(tagged(item) for item in data["items"])


def history(data: Any) -> RecordHistory:
    """Read a mask's life."""
    return from_json(RecordHistory, {**data, "resolved": {**data["resolved"], "kind": TaggedRecord.__name__}})


def table(data: Any) -> Table:
    """Read what a SELECT found."""
    return Table(columns=tuple(data["columns"]), rows=tuple(map(tuple, data["rows"])), is_cut=data["is_cut"])


def masks(data: Any) -> list[MaskRecord]:
    """Read the masks of a picture."""
    return [from_json(MaskRecord, mask["record"]) for mask in data["masks"]]


__all__ = ["as_a", "history", "items_as", "masks", "page", "table", "tagged", "tagged_items"]
