"""`CellSpool`: frames that arrive in any order wait on disk until their rows are written in order.

A scratch SQLite file: rows of several cameras come together, and memory stays flat. Deleted when closed.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_SCHEMA = """
CREATE TABLE cells (
    id INTEGER PRIMARY KEY, episode TEXT, camera TEXT, number INTEGER, copy INTEGER, place INTEGER, timestamp_s REAL,
    UNIQUE (episode, camera, number, copy)
);
CREATE TABLE contents (id INTEGER PRIMARY KEY, text TEXT, picture BLOB, ids BLOB);
"""
_PLACES = """
UPDATE cells SET place = ranked.place FROM (
    SELECT id, DENSE_RANK() OVER (PARTITION BY episode ORDER BY number, copy) - 1 AS place FROM cells
) AS ranked WHERE ranked.id = cells.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledCell:
    """What is written for one camera in one row: the masks as text, the picture and the id map as PNG."""

    camera: str
    place: int
    text: str
    picture: bytes | None
    ids: bytes | None


class CellSpool:
    """Holds cells by episode, camera and frame number; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _as_os_errors():
            self._db = sqlite3.connect(path)
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._db.close()
        self._path.unlink(missing_ok=True)

    def holds(self, episode: str, camera: str, number: int) -> bool:
        """Whether there is a cell for a frame."""
        return self._copies(episode, camera, number) > 0

    def add(
        self,
        episode: str,
        camera: str,
        number: int,
        text: str,
        *,
        picture: bytes | None = None,
        ids: bytes | None = None,
        timestamp_s: float | None = None,
    ) -> None:
        """Keep a cell; a second one for a frame becomes a row of its own."""
        copy = self._copies(episode, camera, number)
        fields = (episode, camera, number, copy, number, timestamp_s)
        with _as_os_errors():
            cursor = self._db.execute(
                "INSERT INTO cells (episode, camera, number, copy, place, timestamp_s) VALUES (?, ?, ?, ?, ?, ?)",
                fields,
            )
            self._db.execute("INSERT INTO contents VALUES (?, ?, ?, ?)", (cursor.lastrowid, text, picture, ids))

    def close_gaps(self) -> None:
        """Number the places of each episode 0, 1, 2, ... in the order of frames, as rows of their own need."""
        with _as_os_errors():
            self._db.execute(_PLACES)

    def episodes(self) -> list[tuple[str, int]]:
        """List episodes in the order in which they came, and how many places each has."""
        order = "SELECT episode, MAX(place) + 1 FROM cells GROUP BY episode ORDER BY MIN(id)"
        return [(str(key), int(num)) for key, num in self._db.execute(order)]

    def median_step_s(self) -> float | None:
        """Measure the time between frames that follow each other in one camera; None where times are not known."""
        query = """
            SELECT timestamp_s - LAG(timestamp_s) OVER (PARTITION BY episode, camera ORDER BY place) AS step_s
            FROM cells WHERE timestamp_s IS NOT NULL
        """
        steps = sorted(step for (step,) in self._db.execute(query) if step is not None and step > 0)
        return steps[len(steps) // 2] if steps else None

    def cells(self, episode: str, start: int, stop: int) -> Iterator[SpooledCell]:
        """Read the cells at places from `start` to below `stop`, in order."""
        query = """
            SELECT camera, place, text, picture, ids FROM cells JOIN contents USING (id)
            WHERE episode = ? AND place >= ? AND place < ? ORDER BY place, camera
        """
        for camera, place, text, picture, ids in self._db.execute(query, (episode, start, stop)):
            yield SpooledCell(camera=camera, place=place, text=text, picture=picture, ids=ids)

    def _copies(self, episode: str, camera: str, number: int) -> int:
        query = "SELECT COUNT(*) FROM cells WHERE episode = ? AND camera = ? AND number = ?"
        return int(self._db.execute(query, (episode, camera, number)).fetchone()[0])


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Say what the database says of the disk as Python would."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"{error}, in the scratch file") from error


__all__ = ["CellSpool", "SpooledCell"]
