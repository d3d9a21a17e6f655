"""Which writers live, and what dead ones left: files of segments that never came to count.

A writer holds a lock file as long as it lives, and its files carry its name. A file that the ledger does not list is
rubbish only if its writer's lock can be taken, and only if the ledger still does not list it then.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from maskwright.store.folder import StoreFolder, told_plainly
from maskwright.store.ledger import Ledger


class Life:
    """A writer's name and its sign of life."""

    def __init__(self, folder: StoreFolder) -> None:
        self.writer = uuid.uuid4().hex[:12]
        self._folder = folder
        self._lock: FileLock | None = None
        self._guard = threading.Lock()

    def name(self, number: int) -> str:
        """Name a file of this writer's."""
        return f"{number:010x}-{self.writer}"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be alive from the first write on, until `end`."""
        with self._guard, told_plainly(self._folder.path):
            if self._lock is None:
                lock = FileLock(self._folder.locks / f"{self.writer}.lock", thread_local=False)
                lock.acquire(timeout=0)
                self._lock = lock
        yield

    def end(self) -> None:
        """Be gone."""
        with self._guard:
            if self._lock is not None:
                with contextlib.suppress(OSError):
                    Path(self._lock.lock_file).unlink()
                self._lock.release()
                self._lock = None


def sweep(folder: StoreFolder, ledger: Ledger) -> list[Path]:
    """Delete what dead writers left, and what has been out of use past its grace. Give what was deleted."""
    with told_plainly(folder.path):
        swept = _forget_retired(folder, ledger)
        leftovers = _unlisted(folder, ledger)
        for writer in sorted({_writer_of(path) for path in leftovers} | _lock_names(folder)):
            swept += _bury(folder, ledger, writer, leftovers)
        return swept


def _forget_retired(folder: StoreFolder, ledger: Ledger) -> list[Path]:
    """Take what is past its grace out of the ledger, and then off the disk. Readers are told neither way."""
    condition, now = "retired_at IS NOT NULL AND retired_at <= ?", (time.time(),)
    swept: list[Path] = []
    for table, place in (("segments", folder.segments), ("folds", folder.folds)):
        names = {row[0] for row in ledger.rows(f"SELECT name FROM {table} WHERE {condition}", now)}
        if names:
            with ledger.writing("sweep"):
                ledger.write(f"DELETE FROM {table} WHERE name = ?", [(name,) for name in sorted(names)])
            swept += [path for path in place.iterdir() if _name_of(path) in names]
    for path in swept:
        path.unlink(missing_ok=True)
    return swept


def _bury(folder: StoreFolder, ledger: Ledger, writer: str, leftovers: list[Path]) -> list[Path]:
    lock = FileLock(folder.locks / f"{writer}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return []  # it lives
    try:
        still = set(_unlisted(folder, ledger))  # it may have published before it died
        dead = [path for path in leftovers if _writer_of(path) == writer and path in still]
        for path in dead:
            path.unlink(missing_ok=True)
        Path(lock.lock_file).unlink(missing_ok=True)
    finally:
        lock.release()
    return dead


def _unlisted(folder: StoreFolder, ledger: Ledger) -> list[Path]:
    """List the files first: one that comes to count meanwhile is then found in the ledger."""
    files = [path for place in (folder.segments, folder.folds) for path in place.iterdir()]
    rows = ledger.rows("SELECT name FROM segments WHERE name IS NOT NULL UNION SELECT name FROM folds")
    names = {row[0] for row in rows}
    return [path for path in files if _name_of(path) not in names]


def _name_of(path: Path) -> str:
    return path.name.lstrip(".").split(".")[0]


def _writer_of(path: Path) -> str:
    return _name_of(path).partition("-")[2] or "unknown"


def _lock_names(folder: StoreFolder) -> set[str]:
    return {path.stem for path in folder.locks.glob("*.lock") if path.stem != "compaction"}


__all__ = ["Life", "sweep"]
