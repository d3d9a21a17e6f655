"""`exports.jsonl` in a store: what was exported when, a line each, so that a mask's life includes where it went.

A line holds the query and the moment, not the masks: which masks went out follows from these. A store that cannot be
written is exported all the same, and the log says nothing of it.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwright.store import MaskStore, Query
from maskwright.store.moments import Moment

NAME = "exports.jsonl"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportEntry:
    """One export: its format, where it was written, and the query and moment that say what went out."""

    at: datetime
    format: str
    out: str
    moment: int
    query: Query
    num_masks: int


def log_export(
    store: MaskStore, *, format_name: str, out: Path, query: Query, as_of: Moment = None, num_masks: int
) -> None:
    """Note an export that is done."""
    asked = {field.name: getattr(query, field.name) for field in fields(Query)}
    line = {
        "at": datetime.now(UTC).isoformat(),
        "format": format_name,
        "out": str(out.resolve()),
        "moment": store.moment(as_of),
        "query": {name: value for name, value in asked.items() if value is not None},
        "num_masks": num_masks,
    }
    try:
        # One write of one line to a file opened for appending is whole, whoever else appends.
        handle = os.open(store.path / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, (json.dumps(line) + "\n").encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        _log.warning("the export is not noted in the store (%s): %s", error.strerror, store.path / NAME)


def read_exports(store_path: Path) -> Iterator[ExportEntry]:
    """Give the exports of a store, oldest first; lines that cannot be read are left out."""
    try:
        lines = (store_path / NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        entry = _entry(line)
        if entry is not None:
            yield entry


def _entry(line: str) -> ExportEntry | None:
    try:
        content: dict[str, Any] = json.loads(line)
        asked: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content["query"].items()
        }
        return ExportEntry(
            at=datetime.fromisoformat(content["at"]), format=content["format"], out=content["out"],
            moment=content["moment"], query=Query(**asked), num_masks=content["num_masks"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


__all__ = ["NAME", "ExportEntry", "log_export", "read_exports"]
