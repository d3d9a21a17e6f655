"""A SELECT of an admin over a snapshot of the store: read-only, bounded in time and rows, with no files beside it."""

import base64
import math
import threading
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from maskwright.core.errors import DeadlinePassed, SettingError
from maskwright.store import MaskStore
from maskwright.workflows.query_store import VIEWS

MOST_ROWS = 10_000
TIME_S = 10.0
_MEMORY = "1GB"
_MOST_CHARACTERS = 20_000
_SAFE = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The answer: names of columns, rows of JSON's values. `is_cut`: there are more rows than were asked for."""

    columns: tuple[str, ...]
    rows: list[list[Any]]
    is_cut: bool


def select(store: MaskStore, text: str, *, limit: int, time_s: float = TIME_S) -> Table:
    """Run one SELECT over the views of a store (docs/guides/store.md).

    Raises:
        SettingError: it is not one SELECT, or it cannot be answered.
        DeadlinePassed: it took too long.
    """
    import duckdb

    if len(text) > _MOST_CHARACTERS:
        raise SettingError(f"a SELECT has {_MOST_CHARACTERS} characters at most, got {len(text)}")
    with store.sql() as views:
        _lock_up(views, store)
        timer = threading.Timer(time_s, views.interrupt)
        timer.start()
        try:
            statements = duckdb.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise SettingError(f"sql takes one SELECT over {', '.join(VIEWS)}; got {text!r:.200}")
            views.execute(statements[0])
            columns = tuple(column[0] for column in views.description)
            rows = views.fetchmany(limit + 1)
        except duckdb.InterruptException as error:
            raise DeadlinePassed(f"the SELECT took longer than {time_s:g} seconds. Ask for less") from error
        except duckdb.Error as error:
            told = " ".join(str(error).split())
            raise SettingError(f"the SELECT cannot be answered: {told:.300}. Views are {', '.join(VIEWS)}") from error
        finally:
            timer.cancel()
    return Table(columns=columns, rows=[[plain(one) for one in row] for row in rows[:limit]], is_cut=len(rows) > limit)


def _lock_up(views: Any, store: MaskStore) -> None:
    """Leave the connection nothing of the file system but the store's own segments."""
    views.execute("SET allowed_directories = [?]", [str(store.path.absolute() / "segments")])
    views.execute(f"SET enable_external_access = false; SET memory_limit = '{_MEMORY}'")
    views.execute("SET lock_configuration = true")


def plain(value: Any) -> Any:
    """Turn a value of DuckDB into one of JSON. Whole numbers that JSON's readers would round are text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _SAFE else str(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return _text_of(bytes(value))
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case Decimal():
            return plain(int(value)) if value == value.to_integral_value() else float(value)
        case timedelta() | UUID():
            return str(value)
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def _text_of(content: bytes) -> str:
    """The counts of masks are ASCII; other bytes go as base64."""
    return content.decode("ascii") if content.isascii() else base64.b64encode(content).decode()


__all__ = ["MOST_ROWS", "TIME_S", "Table", "plain", "select"]
