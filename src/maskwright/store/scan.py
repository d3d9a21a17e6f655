"""Questions to a snapshot: count, stream in frame order, or open for SQL. Runs DuckDB, hands out resolved records.

A stream is of one snapshot, whatever is written meanwhile. A small answer is fetched at once; a large one by ranges of
frames, so that memory holds a few thousand masks and never the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pyarrow as pa

from maskwright.core.errors import SettingError, StoreDamaged, StoreError
from maskwright.core.record import MaskRecord
from maskwright.core.resolved import ResolvedRecord
from maskwright.store.catalogue import Snapshot
from maskwright.store.columns import RECORD_COLUMNS, record_of
from maskwright.store.folder import StoreFolder
from maskwright.store.frame_log import FrameKey, key_of
from maskwright.store.overlay import STATE_COLUMNS, read_comments
from maskwright.store.query import ANY_STATUS, Query, sql_of
from maskwright.store.views import files_for, masks_sql, records_sql

CHUNK = 4_000

_FETCHED = ", ".join((*RECORD_COLUMNS, *STATE_COLUMNS))
_STATE_AT = 1 + len(RECORD_COLUMNS)
_FRAME = ("dataset", "episode", "camera", "frame_index")
_LOOSE_DIGEST = "CASE WHEN dataset IS NULL THEN image_digest ELSE '' END"
_ORDER = f"dataset IS NULL, dataset, episode, camera, frame_index, {_LOOSE_DIGEST}, ordinal"


@dataclass(frozen=True, slots=True)
class Scan:
    """A snapshot with its overlay, ready to be asked. `connection` is a DuckDB; each question takes its own cursor."""

    folder: StoreFolder
    snapshot: Snapshot
    tail: pa.Table
    overlay: pa.Table
    connection: Any

    def records(self, query: Query, *, after: int = 0) -> str:
        """The SELECT of the records among which a query may find some, from files that may hold them."""
        files = files_for(query, self.snapshot.segments)
        return records_sql(self.folder, files, has_tail=len(self.tail) > 0, after=after, until=self.snapshot.seq)

    def count(self, query: Query) -> int:
        """Count the masks that a query finds."""
        with self._asking(query) as (cursor, masks, condition, values):
            return cursor.execute(f"SELECT count(*) FROM {masks} WHERE {condition}", values).fetchone()[0]

    def count_frames(self, query: Query) -> int:
        """Count the frames on which a query finds a mask."""
        with self._asking(query) as (cursor, masks, condition, values):
            # a hash of the recording, because text in a hash table costs twice as much; recordings are few enough
            columns = ["dataset", "episode", "camera"]
            if self._may_have_loose_pictures():
                columns.append("CASE WHEN dataset IS NULL THEN image_digest END")
            recording = f"hash({', '.join(columns)})"
            frames = f"SELECT DISTINCT {recording}, frame_index FROM {masks} WHERE {condition}"
            return cursor.execute(f"SELECT count(*) FROM ({frames})", values).fetchone()[0]

    def stream(self, query: Query, *, after: int = 0) -> Iterator[ResolvedRecord]:
        """Give the masks that a query finds in frame order, masks of a frame in the order in which they were put.

        `after` leaves out records put until that moment.
        """
        with self._asking(query, after=after) as (cursor, masks, condition, values):
            columns = f"ordinal, {_FETCHED}"
            limited = f"SELECT {columns} FROM {masks} WHERE {condition} LIMIT {CHUNK + 1}"
            first = cursor.execute(limited, values).fetchall()
            if len(first) <= CHUNK:
                yield from resolved_of(first)
                return
            del first
            for where, bounds in self._ranges(masks, condition, values):
                narrowed = f"SELECT {columns} FROM {masks} WHERE {condition} AND {where}"
                yield from resolved_of(cursor.execute(narrowed, [*values, *bounds]).fetchall())

    def first(
        self, query: Query, stretch: tuple[str, list[Any]], *, after: tuple[FrameKey, int] | None, limit: int
    ) -> list[tuple[int, ResolvedRecord]]:
        """Give the first masks that a query finds in a stretch of frames after a place, with their ordinals."""
        follows, place = _follows(after)
        with self._asking(query) as (cursor, masks, condition, values):
            rows = cursor.execute(
                f"SELECT ordinal, {_FETCHED} FROM {masks} WHERE ({condition}) AND {stretch[0]} AND {follows} "
                f"ORDER BY {_ORDER} LIMIT {limit}",
                [*values, *stretch[1], *place],
            ).fetchall()
        return list(zip((row[0] for row in rows), resolved_of(rows), strict=True))

    def as_put(self, query: Query) -> pa.Table:
        """Fetch records as they were put that meet a query's conditions on them, as a table in frame order.

        It never changes and is small to keep; `columns.records_of` reads it.
        """
        condition, values = sql_of(query, has_events=False)
        with self._cursor() as cursor:
            columns = ", ".join(RECORD_COLUMNS)
            asked = f"SELECT {columns} FROM ({self.records(query)}) WHERE {condition} ORDER BY {_ORDER}"
            return cursor.sql(asked, params=values).to_arrow_table()

    def count_by_status(self, stretch: tuple[str, list[Any]]) -> dict[FrameKey, dict[str, int]]:
        """Count the masks of each status on the frames of a stretch."""
        counts: dict[FrameKey, dict[str, int]] = {}
        with self._asking(Query(status=ANY_STATUS)) as (cursor, masks, _, _):
            columns = f"dataset, episode, camera, frame_index, {_LOOSE_DIGEST}, status"
            rows = cursor.execute(
                f"SELECT {columns}, count(*) FROM {masks} WHERE {stretch[0]} GROUP BY ALL", stretch[1]
            ).fetchall()
        for dataset, episode, camera, index, digest, status, count in rows:
            key = (True, "", "", "", -1, digest) if dataset is None else (False, dataset, episode, camera, index, "")
            counts.setdefault(key, {})[status] = count
        return counts

    def pick(self, ordinals: Sequence[int]) -> dict[str, ResolvedRecord]:
        """Read the masks of these ordinals that are there, by id."""
        with self._asking(Query(status=ANY_STATUS)) as (cursor, masks, _, _):
            wanted = ", ".join(map(str, ordinals))
            rows = cursor.execute(f"SELECT ordinal, {_FETCHED} FROM {masks} WHERE ordinal IN ({wanted})").fetchall()
            return {resolved.record.id: resolved for resolved in resolved_of(rows)}

    def put(self, ordinals: Sequence[int]) -> dict[int, MaskRecord]:
        """Read the records of these ordinals as they were put."""
        with self._cursor() as cursor:
            wanted, columns = ", ".join(map(str, ordinals)), ", ".join(RECORD_COLUMNS)
            asked = f"SELECT ordinal, {columns} FROM ({self.records(Query())}) WHERE ordinal IN ({wanted})"
            return {row[0]: record_of(row[1:]) for row in cursor.execute(asked).fetchall()}

    def rows(
        self, query: Query, select: str, values: Sequence[Any] = (), *, tables: Mapping[str, pa.Table]
    ) -> Iterator[tuple[Any, ...]]:
        """Run a SELECT over `masks`, which are those that a query finds, and over tables by their names."""
        with self._asking(query) as (cursor, masks, condition, given):
            for name, table in tables.items():
                cursor.register(name, table)
            chosen = f"WITH masks AS NOT MATERIALIZED (SELECT * FROM {masks} WHERE {condition})"
            found = cursor.execute(f"{chosen} {select}", [*given, *values])
            while page := found.fetchmany(1_000):
                yield from page

    def _ranges(self, masks: str, condition: str, values: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Cut the answer at frames: conditions that hold for a few thousand masks each, in frame order."""
        with self._cursor() as cursor:
            places = ", ".join(_FRAME)
            rows = cursor.execute(
                f"SELECT {places}, count(*) FROM {masks} WHERE ({condition}) AND dataset IS NOT NULL "
                f"GROUP BY {places} ORDER BY {places}",
                values,
            )
            for first, last in _chunks(rows):
                yield _between(first, last)
            rows = cursor.execute(
                f"SELECT image_digest, count(*) FROM {masks} WHERE ({condition}) AND dataset IS NULL "
                "GROUP BY image_digest ORDER BY image_digest",
                values,
            )
            for first, last in _chunks(rows):
                yield "dataset IS NULL AND image_digest BETWEEN ? AND ?", [first[0], last[0]]

    def _may_have_loose_pictures(self) -> bool:
        has_nulls = any(one.name is not None and one.bounds["dataset"] is None for one in self.snapshot.segments)
        return has_nulls or self.tail.column("dataset").null_count > 0

    def _asking(self, query: Query, *, after: int = 0) -> "_Asking":
        records = self.records(query, after=after)
        has_overlay = len(self.overlay) > 0
        if query.where is not None:
            _check_sql(query.where, self.folder)
        condition, values = sql_of(query, has_events=has_overlay)
        return _Asking(self, f"({masks_sql(records, has_overlay=has_overlay)}) masks", condition, values)

    def _cursor(self) -> "_Cursor":
        return _Cursor(self)


class _Cursor:
    """A DuckDB cursor that knows the snapshot's tables; DuckDB's complaints become ours."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    def __enter__(self) -> Any:
        self._cursor = self._scan.connection.cursor()
        for name in ("tail", "overlay"):
            table = getattr(self._scan, name)
            if len(table) or name == "tail":
                self._cursor.register(name, table)
        return self._cursor

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._cursor.close()
        if error is not None:
            told(error, self._scan.folder)


class _Asking(_Cursor):
    """A cursor with the masks and the condition to ask it for."""

    def __init__(self, scan: Scan, masks: str, condition: str, values: list[Any]) -> None:
        super().__init__(scan)
        self._question = masks, condition, values

    def __enter__(self) -> tuple[Any, str, str, list[Any]]:
        return super().__enter__(), *self._question


def resolved_of(rows: Sequence[tuple[Any, ...]]) -> Iterator[ResolvedRecord]:
    """Read resolved records from rows (ordinal, record, state), and give them in frame order."""
    found = []
    for row in rows:
        record = record_of(row[1:_STATE_AT])
        found.append((key_of(record.frame, record.image_digest), row[0], record, row[_STATE_AT:]))
    found.sort(key=lambda one: one[:2])
    for _, _, record, (status, verified_by, verified_at, edited_by, num_events, decided_at, comments) in found:
        yield ResolvedRecord(
            record=record,
            status=status,
            verified_by=verified_by,
            verified_at=verified_at and verified_at.astimezone(UTC),
            edited_by=edited_by,
            num_events=num_events,
            as_of=decided_at and decided_at.astimezone(UTC),
            comments=read_comments(comments),
        )


def between(first: FrameKey, last: FrameKey) -> tuple[str, list[Any]]:
    """Say that a frame lies from `first` to `last`, both of data sets or both loose."""
    if first[0]:
        return "dataset IS NULL AND image_digest BETWEEN ? AND ?", [first[5], last[5]]
    return _between(first[1:5], last[1:5])


def _follows(place: tuple[FrameKey, int] | None) -> tuple[str, list[Any]]:
    if place is None:
        return "true", []
    (is_loose, *ref, digest), ordinal = place
    if is_loose:
        return "dataset IS NULL AND row(image_digest, ordinal) > row(?, ?)", [digest, ordinal]
    columns = ", ".join(_FRAME)
    return f"(dataset IS NULL OR row({columns}, ordinal) > row(?, ?, ?, ?, ?))", [*ref, ordinal]


def _check_sql(condition: str, folder: StoreFolder) -> None:
    """Refuse text that is more or less than one condition, and so would change what the others mean."""
    import duckdb

    try:
        duckdb.SQLExpression(condition)
    except duckdb.Error as error:
        told(error, folder)


def told(error: BaseException, folder: StoreFolder) -> None:
    """Raise what DuckDB complains of as an error of ours; return where it is none of DuckDB's.

    Raises:
        SettingError: the SQL of the query is wrong.
        StoreDamaged, StoreError: a file cannot be read, or memory is short.
    """
    import duckdb

    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, duckdb.IOException | duckdb.HTTPException):
        raise StoreDamaged(f"a file of the store cannot be read ({text}): {folder.path}") from error
    if isinstance(error, duckdb.OutOfMemoryException):
        raise StoreError(f"memory is too short for this question ({text}). Ask for less: {folder.path}") from error
    if isinstance(error, duckdb.InvalidInputException) and "parquet" in text.lower():
        raise StoreDamaged(f"a file of the store cannot be read ({text}): {folder.path}") from error
    if isinstance(error, duckdb.Error):
        raise SettingError(f"the condition in SQL cannot be understood: {text}") from error


def _chunks(rows: Any) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Group rows (frame, count) until a chunk is full; give the first and last frame of each."""
    first: tuple[Any, ...] | None = None
    last: tuple[Any, ...] = ()
    num_masks = 0
    while page := rows.fetchmany(10_000):
        for row in page:
            if first is not None and num_masks + row[-1] > CHUNK:
                yield first, last
                first, num_masks = None, 0
            first = first or row[:-1]
            last = row[:-1]
            num_masks += row[-1]
    if first is not None:
        yield first, last


def _between(first: tuple[Any, ...], last: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Say that a frame lies from `first` to `last`: equal columns and one range, by which row groups are skipped."""
    conditions, values = [], []
    for column, low, high in zip(_FRAME, first, last, strict=True):
        if low == high:
            conditions.append(f"{column} = ?")
            values.append(low)
            continue
        conditions.append(f"{column} BETWEEN ? AND ?")
        values += [low, high]
        if column != _FRAME[-1]:
            marks = ", ".join("?" * len(_FRAME))
            conditions.append(f"row({', '.join(_FRAME)}) BETWEEN row({marks}) AND row({marks})")
            values += [*first, *last]
        break
    return " AND ".join(conditions), values


__all__ = ["Scan", "between", "resolved_of", "told"]
