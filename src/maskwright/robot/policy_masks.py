"""`StoredMasks`: the masks of a recipe's slots, read from a store an episode at a time, in a form that workers share.

A slot's masks are those whose track has its name, or else whose label has. Frames that nobody looked at are told from
frames on which the object is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Int

from maskwright.core.errors import InputError, SettingError
from maskwright.core.rle import RLE
from maskwright.masks import areas, union
from maskwright.store import LISTED, open_store
from maskwright.store.moments import Moment

_COLUMNS = "frame_index, label, track, height, width, rle"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodeMasks:
    """The masks of one camera of one episode: row by row in one text, which costs little memory and no objects."""

    names: tuple[str, ...]
    seen: Int[np.ndarray, " T"]
    frames: Int[np.ndarray, " R"]
    slots: Int[np.ndarray, " R"]
    sizes_hw: Int[np.ndarray, "R 2"]
    ends: Int[np.ndarray, " R+1"]
    counts: bytes

    def is_seen(self, frame_index: int) -> bool:
        """Whether somebody or something looked for masks on a frame."""
        at = int(np.searchsorted(self.seen, frame_index))
        return at < len(self.seen) and int(self.seen[at]) == frame_index

    def of(self, frame_index: int) -> dict[str, list[RLE]]:
        """Give the masks of a frame by slot; a slot that has none is not there."""
        first, last = np.searchsorted(self.frames, [frame_index, frame_index + 1])
        found: dict[str, list[RLE]] = {}
        for row in range(int(first), int(last)):
            size_hw = int(self.sizes_hw[row, 0]), int(self.sizes_hw[row, 1])
            rle = RLE(size_hw, self.counts[self.ends[row] : self.ends[row + 1]])
            found.setdefault(self.names[int(self.slots[row])], []).append(rle)
        return found


def one_each(found: dict[str, list[RLE]], several: Literal["all", "largest"]) -> dict[str, RLE]:
    """Make one mask of each slot's."""
    return {name: rles[0] if len(rles) == 1 else _one(rles, several) for name, rles in found.items()}


def _one(rles: list[RLE], several: Literal["all", "largest"]) -> RLE:
    return union(rles) if several == "all" else rles[int(np.argmax(areas(rles)))]


class StoredMasks:
    """Reads masks of a store, proposed and accepted ones, as it is or was.

    `dataset` is the name of the data set whose frames they are on; a store of one other data set is taken for a copy.

    Raises:
        StoreError: there is no store, or it cannot be read.
        SettingError: it has masks of several data sets, of which none is this one.
    """

    def __init__(self, store: Path, *, dataset: str, as_of: Moment = None) -> None:
        self._store = open_store(store, read_only=True)
        self.moment = self._store.moment(as_of)
        self.id, self.path = self._store.id, store
        self._sql: Any = self._store.sql(as_of=as_of)
        rows = self._sql.execute("SELECT DISTINCT dataset FROM frames WHERE dataset IS NOT NULL ORDER BY 1").fetchall()
        known = [name for (name,) in rows]
        if dataset not in known and len(known) != 1:
            told = ", ".join(known[:5]) or "none"
            raise SettingError(f"the store has no masks of a data set called {dataset!r}, only of {told}: {store}")
        self.dataset: str = dataset if dataset in known else known[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._sql.close()
        self._store.close()

    def labels(self) -> dict[str, int]:
        """Count the masks of each label, the most first."""
        where = f"dataset = ? AND status IN {_listed()} AND label IS NOT NULL"
        sql = f"SELECT label, count(*) FROM masks WHERE {where} GROUP BY label ORDER BY count(*) DESC, label"
        return dict(self._cursor().execute(sql, [self.dataset]).fetchall())

    def check(self, names: Sequence[str]) -> None:
        """Refuse names that no mask has.

        Raises:
            SettingError: there is one.
        """
        named, values = _named(names)
        sql = f"SELECT DISTINCT label, track FROM masks WHERE dataset = ? AND status IN {_listed()} AND {named}"
        rows = self._cursor().execute(sql, [self.dataset, *values]).fetchall()
        found = {name for row in rows for name in row}
        missing = [name for name in names if name not in found]
        if missing:
            known = ", ".join(list(self.labels())[:12]) or "none"
            told = ", ".join(map(repr, missing))
            raise SettingError(f"no mask has the label or track {told}; the store has the labels {known}: {self.path}")

    def cameras(self) -> set[tuple[str, str]]:
        """List the episodes and cameras on which somebody looked for masks."""
        sql = "SELECT DISTINCT episode, camera FROM frames WHERE dataset = ?"
        return {(episode, camera) for episode, camera in self._cursor().execute(sql, [self.dataset]).fetchall()}

    def episode(self, episode: str, camera: str, names: Sequence[str]) -> EpisodeMasks:
        """Read the masks of one camera of an episode that some names have.

        Raises:
            InputError: a mask cannot be read.
        """
        where = [self.dataset, episode, camera]
        cursor = self._cursor()
        here = "dataset = ? AND episode = ? AND camera = ?"
        seen = cursor.execute(f"SELECT DISTINCT frame_index FROM frames WHERE {here} ORDER BY 1", where).fetchall()
        named, values = _named(names)
        where_masks = f"{here} AND status IN {_listed()} AND area > 0 AND {named}"
        sql = f"SELECT {_COLUMNS} FROM masks WHERE {where_masks} ORDER BY frame_index, ordinal"
        rows = cursor.execute(sql, [*where, *values]).fetchall()
        return _packed(tuple(names), [number for (number,) in seen], rows)

    def digest(self, episode: str, camera: str, frame_index: int) -> str | None:
        """The digest of a frame's picture as it was annotated, where it is known."""
        here = "dataset = ? AND episode = ? AND camera = ? AND frame_index = ?"
        sql = f"SELECT image_digest FROM frames WHERE {here} LIMIT 1"
        row = self._cursor().execute(sql, [self.dataset, episode, camera, frame_index]).fetchone()
        return None if row is None else row[0]

    def _cursor(self) -> Any:
        return self._sql.cursor()  # one a question, so that threads may ask at once


def _packed(names: tuple[str, ...], seen: list[int], rows: list[tuple[Any, ...]]) -> EpisodeMasks:
    numbers = {name: at for at, name in enumerate(names)}
    slots = [numbers[track] if track in numbers else numbers[label] for _, label, track, *_ in rows]
    counts = [bytes(row[5]) for row in rows]
    return EpisodeMasks(
        names=names,
        seen=np.array(seen, np.int64),
        frames=np.array([row[0] for row in rows], np.int64),
        slots=np.array(slots, np.int16),
        sizes_hw=np.array([row[3:5] for row in rows], np.int32).reshape(-1, 2),
        ends=np.cumsum([0, *map(len, counts)], dtype=np.int64),
        counts=b"".join(counts),
    )


def _named(names: Sequence[str]) -> tuple[str, list[str]]:
    places = ", ".join("?" * len(names))
    return f"(label IN ({places}) OR track IN ({places}))", [*names, *names]


def _listed() -> str:
    return "(" + ", ".join(f"'{one}'" for one in LISTED) + ")"


def check_size(masks: EpisodeMasks, size_hw: tuple[int, int], where: str) -> None:
    """Refuse masks of another size than their frames, before any is drawn.

    Raises:
        InputError: they are of another size.
    """
    others = np.flatnonzero((masks.sizes_hw != np.array(size_hw)).any(axis=1))
    if len(others):
        row = int(others[0])
        got = tuple(masks.sizes_hw[row].tolist())
        raise InputError(
            f"the mask of {masks.names[int(masks.slots[row])]!r} on frame {int(masks.frames[row])} has the size {got} "
            f"(h, w), its frame {size_hw}. Name the data set that was annotated: {where}"
        )


__all__ = ["EpisodeMasks", "StoredMasks", "check_size", "one_each"]
