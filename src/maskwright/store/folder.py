"""The folder of a store: what lies where, its version, and how a file gets its name.

store.json        format, version, when it was created, its name
live.sqlite       the catalogue of segments, review events, frames, tags (SQLite, WAL)
segments/         immutable Parquet files, each with the sorted keys of its ids beside it (.ids)
folds/            what the events of edited masks came to at a compaction (Parquet)
locks/            one file a living writer
"""

import contextlib
import errno
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwright.core.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreReadOnly,
    StoreVersionError,
)

FORMAT = "maskwright-store"
# 1: without the columns of tracks and without Retrack; 2: without Reparent and Comment; 3: without agreement. A write
# makes it the newest.
VERSION = 4
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """The paths of one store."""

    path: Path

    @property
    def about(self) -> Path:
        """The file that says what this folder is; it is written last, so a folder with it is a whole store."""
        return self.path / "store.json"

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.path / "live.sqlite"

    @property
    def segments(self) -> Path:
        """Where Parquet segments lie."""
        return self.path / "segments"

    @property
    def folds(self) -> Path:
        """Where folded events lie."""
        return self.path / "folds"

    @property
    def locks(self) -> Path:
        """Where writers say that they live."""
        return self.path / "locks"


def lay_out(folder: StoreFolder) -> None:
    """Make the folders of a new store.

    Raises:
        StoreError: there is something else at that path already.
    """
    if folder.path.exists() and (not folder.path.is_dir() or folder.about.exists()):
        raise StoreError(f"a new store needs a path where none is yet. Open it, or choose another: {folder.path}")
    if folder.path.is_dir() and not all(_is_of_creation(entry.name) for entry in folder.path.iterdir()):
        raise StoreError(f"a new store needs an empty folder, and this one has files in it: {folder.path}")
    for part in (folder.path, folder.segments, folder.folds, folder.locks):
        part.mkdir(parents=True, exist_ok=True)


# What a creation that was killed may leave; the next one goes on from there.
_PARTS = ("segments", "folds", "locks", "live.sqlite", "live.sqlite-wal", "live.sqlite-shm", "live.sqlite-journal")


def _is_of_creation(name: str) -> bool:
    return name in _PARTS or (name.startswith(".store.json.") and name.endswith(".part"))


def declare(folder: StoreFolder, name: str) -> None:
    """Write store.json, whole or not at all."""
    about = {"format": FORMAT, "version": VERSION, "name": name, "created_at": datetime.now(UTC).isoformat()}
    write_whole(folder.about, (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())


def read_about(folder: StoreFolder) -> dict[str, Any]:
    """Read store.json and check that this version can read the store.

    Raises:
        StoreMissing, StoreVersionError, StoreDamaged: there is none, or it cannot be read.
    """
    try:
        about = json.loads(folder.about.read_text(encoding="utf-8"))
        version = about["version"] if about["format"] == FORMAT else None
    except (FileNotFoundError, NotADirectoryError):
        raise StoreMissing(f"there is no mask store here (no store.json). Make one first: {folder.path}") from None
    except OSError as error:
        raise StoreDamaged(f"the store cannot be read ({error.strerror or error}): {folder.about}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(f"this is not the store.json of a mask store, or it is damaged: {folder.about}") from error
    if not isinstance(version, int) or version < 1:
        raise StoreDamaged(f"the store's version must be a whole number from 1, got {version!r}: {folder.about}")
    if version > VERSION:
        raise StoreVersionError(
            f"the store has version {version}, this program reads up to {VERSION}. Install a newer maskwright: "
            f"{folder.path}"
        )
    return about


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a small file so that it appears whole or not at all, and is on the disk when this returns."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_bytes(content)
        publish_file(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def publish_file(part: Path, path: Path) -> None:
    """Give a finished file its name, on the disk when this returns."""
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn what the disk and SQLite say into one line of ours.

    Raises:
        StoreFull, StoreReadOnly, StoreBusy, StoreDamaged, StoreError: whichever it was.
    """
    try:
        yield
    except OSError as error:
        raise _of_disk(error, path) from error
    except sqlite3.Error as error:
        raise _of_sqlite(error, path) from error


def _of_disk(error: OSError, path: Path) -> StoreError:
    if error.errno in _NO_SPACE:
        return StoreFull(f"no space is left to write to the store; nothing of this write is in it. Free some: {path}")
    if error.errno in _NO_WRITING:
        return StoreReadOnly(f"the store lies where nothing can be written. Open it with read_only=True: {path}")
    if isinstance(error, FileNotFoundError):
        return StoreDamaged(f"a file of the store is missing: {error.filename or path}")
    return StoreError(f"the store's disk refused ({error.strerror or error}): {path}")


def _of_sqlite(error: sqlite3.Error, path: Path) -> StoreError:
    text = str(error)
    if "full" in text or "disk I/O error" in text:
        return StoreFull(f"no space is left to write to the store; nothing of this write is in it. Free some: {path}")
    if "readonly" in text or "unable to open" in text:
        return StoreReadOnly(f"the store lies where nothing can be written. Open it with read_only=True: {path}")
    if "locked" in text or "busy" in text:
        return StoreBusy(f"another process held the store for too long. Try again when it is done: {path}")
    if "malformed" in text or "not a database" in text or "no such table" in text:
        return StoreDamaged(f"the store's log is damaged ({text}). Restore it from a copy: {path}")
    return StoreError(f"the store's log refused ({text}): {path}")


__all__ = [
    "FORMAT",
    "VERSION",
    "StoreFolder",
    "declare",
    "lay_out",
    "publish_file",
    "read_about",
    "sync",
    "told_plainly",
    "write_whole",
]
