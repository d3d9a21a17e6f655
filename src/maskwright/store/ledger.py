"""The ledger of a store: one SQLite file that says which segments count, and keeps events, frames and tags.

Every write is one transaction with a `moment`, a number that only grows: what a moment holds is visible together or not
at all, and every later question can be asked as of it. Writes begin with the lock (BEGIN IMMEDIATE), so several
processes take turns; each is on the disk when it returns (synchronous FULL).
"""

import contextlib
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwright.core.errors import StoreDamaged, StoreReadOnly, StoreVersionError
from maskwright.store.folder import VERSION, StoreFolder, told_plainly

BUSY_S = 30.0

# In frames '' and -1 stand for what a loose picture does not have, so that the indices know equals.
_TABLES = """
CREATE TABLE moments(seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL) STRICT;
CREATE TABLE numbers(last INTEGER NOT NULL) STRICT;
INSERT INTO numbers VALUES (0);
CREATE TABLE segments(
    number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, num_rows INTEGER NOT NULL,
    name TEXT UNIQUE, content BLOB, bounds TEXT NOT NULL, retired_at REAL,
    CHECK ((name IS NULL) <> (content IS NULL))) STRICT;
CREATE TABLE folds(seq INTEGER NOT NULL, name TEXT PRIMARY KEY, num_rows INTEGER NOT NULL, retired_at REAL) STRICT;
CREATE TABLE events(
    position INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL, id TEXT NOT NULL UNIQUE,
    record_id TEXT NOT NULL, actor TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, action TEXT NOT NULL) STRICT;
CREATE TABLE touches(
    record_id TEXT NOT NULL, position INTEGER NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    PRIMARY KEY (record_id, position)) STRICT, WITHOUT ROWID;
CREATE INDEX touches_by_seq ON touches(seq);
CREATE INDEX touches_by_position ON touches(position);
CREATE TABLE frames(
    is_loose INTEGER NOT NULL, dataset TEXT NOT NULL, episode TEXT NOT NULL, camera TEXT NOT NULL,
    frame_index INTEGER NOT NULL, image_digest TEXT NOT NULL, name TEXT NOT NULL, run TEXT NOT NULL,
    timestamp_s REAL, height INTEGER NOT NULL, width INTEGER NOT NULL, num_masks INTEGER NOT NULL,
    seq INTEGER NOT NULL) STRICT;
CREATE INDEX frames_in_order ON frames(is_loose, dataset, episode, camera, frame_index, image_digest, name, run);
CREATE UNIQUE INDEX frames_of_runs ON frames(
    run, is_loose, dataset, episode, camera, frame_index, CASE WHEN is_loose THEN name ELSE '' END);
CREATE TABLE tags(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class Ledger:
    """One connection to live.sqlite. Thread-safe: threads take turns."""

    def __init__(self, folder: StoreFolder, *, read_only: bool = False, create: bool = False) -> None:
        self.path = folder.ledger
        self.is_read_only = read_only
        self._lock = threading.RLock()
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        with told_plainly(self.path):
            self._connection = self._connect(create)
        self._check_version(create)

    @contextlib.contextmanager
    def writing(self, kind: str) -> Iterator[int]:
        """Do what follows as one transaction and yield its moment. Nothing of it stays if it raises.

        Raises:
            StoreReadOnly, StoreBusy, StoreFull: it cannot be written.
        """
        if self.is_read_only:
            raise StoreReadOnly(f"the store was opened for reading. Open it with read_only=False: {self.path.parent}")
        with self._lock, told_plainly(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._raise_version()
                yield self._next_moment(kind)
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the ledger in all that follows."""
        with self._lock, told_plainly(self.path):
            if self._connection.in_transaction:  # within a write, which sees itself
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask, and fetch all."""
        with self._lock, told_plainly(self.path):
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Ask for one row."""
        with self._lock, told_plainly(self.path):
            return self._connection.execute(sql, values).fetchone()

    def number(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Ask for one whole number; 0 where there is none."""
        found = self.row(sql, values)
        return 0 if found is None or found[0] is None else int(found[0])

    def write(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement for each row, within `writing`; give the number of rows that it changed."""
        return self._connection.executemany(sql, rows).rowcount

    def next_number(self) -> int:
        """Draw the number of a new segment; drawn within a write, it is given back if that fails."""
        with self._lock, told_plainly(self.path):
            found = self._connection.execute("UPDATE numbers SET last = last + 1 RETURNING last").fetchall()
        return found[0][0]

    def head(self) -> int:
        """The newest moment; 0 before the first."""
        return self.number("SELECT max(seq) FROM moments")

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the file, as far as readers allow."""
        if not self.is_read_only:
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
            if self._copy is not None:
                self._copy.cleanup()

    def _connect(self, create: bool) -> sqlite3.Connection:
        if not create and not self.path.is_file():
            raise StoreDamaged(f"a file of the store is missing: {self.path}")
        if self.is_read_only:
            return self._connect_to_read()
        connection = _open(f"{_uri(self.path)}?mode={'rwc' if create else 'rw'}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if create:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_missing_tables(connection)} PRAGMA user_version={VERSION}; COMMIT"
            )
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """Read where it lies; where SQLite may not put its shared memory, read the file as it is, or a copy of it."""
        connection = _open(f"{_uri(self.path)}?mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" in str(error):
                raise
        log = self.path.with_name(self.path.name + "-wal")
        if not log.exists() or log.stat().st_size == 0:
            return _open(f"{_uri(self.path)}?mode=ro&immutable=1")
        self._copy = tempfile.TemporaryDirectory(prefix="maskwright-")
        for path in (self.path, log):
            shutil.copyfile(path, Path(self._copy.name) / path.name)
        return _open(_uri(Path(self._copy.name) / self.path.name))

    def _check_version(self, create: bool) -> None:
        version = self.number("PRAGMA user_version")
        if version > VERSION:
            self.close()
            raise StoreVersionError(
                f"the store's log has version {version}, this program reads up to {VERSION}. "
                f"Install a newer maskwright: {self.path}"
            )
        if version < 1 and not create:
            self.close()
            raise StoreDamaged(f"the store's log has no tables. Restore it from a copy: {self.path}")

    def _raise_version(self) -> None:
        """Have programs refuse the store that do not know what this one writes, from its first write on."""
        if self._connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            self._connection.execute(f"PRAGMA user_version={VERSION}")

    def _next_moment(self, kind: str) -> int:
        """Number this transaction. Its time never lies before the last one's, whatever the clock does."""
        last = self._connection.execute("SELECT at FROM moments ORDER BY seq DESC LIMIT 1").fetchone()
        now = stamp(datetime.now(UTC))
        at = max(now, last[0]) if last else now
        added = self._connection.execute("INSERT INTO moments(at, kind) VALUES (?, ?)", (at, kind)).lastrowid
        assert added is not None
        return added


def stamp(moment: datetime) -> str:
    """A moment as text whose order is that of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _open(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _uri(path: Path) -> str:
    return path.absolute().as_uri()


def _missing_tables(connection: sqlite3.Connection) -> str:
    """The tables to make: none where a creation that was killed had come so far."""
    return "" if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'moments'").fetchone() else _TABLES


__all__ = ["BUSY_S", "Ledger", "stamp"]
