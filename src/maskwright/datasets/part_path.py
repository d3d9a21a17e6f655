"""The hidden path that a result is written to before it gets its name, and what killed writers left of theirs.

A writer holds a lock beside its path as long as it lives. What lies at the path of one whose lock can be taken belongs
to nobody, and goes when the next result of that name is written.
"""

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

_MOST_BYTES = 100  # of the result's name; what is put around it must fit into a name too


@contextlib.contextmanager
def part_path(target: Path) -> Iterator[Path]:
    """Give a path beside `target` where nothing is yet; what is still there when the block ends is deleted.

    What else is written on the way may lie beside it, under its name with something added.

    Raises:
        OSError: the folder cannot be made or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    part = target.with_name(f".{_head(target)}.{uuid.uuid4().hex}.part")
    lock = _lock_of(part)
    with contextlib.suppress(NotImplementedError):  # such a disk cannot say who lives, and nothing is swept there
        lock.acquire(timeout=0)
    try:
        yield part
    finally:
        _delete(part)
        _let_go(lock)


def _sweep(target: Path) -> None:
    named = re.compile(rf"(\.{re.escape(_head(target))}\.[0-9a-f]{{32}}\.part).*", re.DOTALL)
    left: dict[str, list[Path]] = {}
    for path in target.parent.iterdir():
        if match := named.fullmatch(path.name):
            left.setdefault(match[1], []).append(path)
    for name, paths in left.items():
        lock = _lock_of(target.with_name(name))
        with contextlib.suppress(Timeout, NotImplementedError, OSError):  # it lives, or nobody can tell
            lock.acquire(timeout=0)
            for path in paths:
                _delete(path)
            _let_go(lock)


def _lock_of(part: Path) -> BaseFileLock:
    return FileLock(part.with_name(f"{part.name}.lock"), thread_local=False)


def _let_go(lock: BaseFileLock) -> None:
    if lock.is_locked:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _head(target: Path) -> str:
    return os.fsencode(target.name)[:_MOST_BYTES].decode(errors="ignore")


__all__ = ["part_path"]
