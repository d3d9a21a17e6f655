"""A folder that appears whole or not at all, and names in it that no two frames share.

What is written goes into a hidden folder beside the one asked for, is synced to disk, and is renamed at the end; an
error or Ctrl+C leaves nothing behind, and what a kill leaves goes the next time. A zip file is made the same way.
"""

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from maskwright.core.errors import SettingError
from maskwright.datasets.images import SUFFIXES
from maskwright.datasets.part_path import part_path

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_MANY_FILES = 500
_MOST_BYTES = 180  # of one part of a name; file systems take 255, and endings such as "_mask_12.png.part" follow


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `out` when the block ends without an error.

    Raises:
        SettingError: `out` exists and is not an empty folder, or it cannot be written.
    """
    _check_is_free(out)
    target = out.absolute()
    with _hidden_part(out) as part:
        with _said_in_a_line(out):
            part.mkdir()
        with _said_in_a_line(out, (OSError,)):  # sources say what is theirs, so this is a full disk
            yield part
        with _said_in_a_line(out):
            _sync_all(part)
            if target.is_dir():
                target.rmdir()
            os.replace(part, target)
            _sync(target.parent)


@contextlib.contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """Give a path to write a file to, which becomes `out` when the block ends without an error.

    Raises:
        SettingError: `out` exists, or it cannot be written.
    """
    if out.exists():
        raise SettingError(f"the file to write exists already. Choose another name or remove it: {out}")
    with _hidden_part(out) as part:
        with _said_in_a_line(out, (OSError,)):
            yield part
        with _said_in_a_line(out):
            _sync(part)
            os.replace(part, out)
            _sync(out.parent)


@contextlib.contextmanager
def _hidden_part(out: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        with _said_in_a_line(out):
            part = stack.enter_context(part_path(out.absolute()))
        yield part


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file below a new folder, with the folders on the way to it.

    Raises:
        SettingError: it cannot be written.
    """
    with _said_in_a_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@dataclass(slots=True)
class OutputNames:
    """Turns names of frames into paths below a folder: inside it, writable anywhere, and no two with one stem."""

    _taken: set[str] = field(default_factory=set)

    def claim(self, name: str) -> PurePosixPath:
        """Give a path for a frame, suffix and all; its stem is the frame's own where that is possible and free."""
        parts = [_safe_part(part) for part in name.split("/") if part not in ("", ".", "..")]
        path = PurePosixPath(*(parts or ["frame"]))
        stem = without_suffix(path).name
        suffix = path.name.removeprefix(stem)
        free, number = stem, 2
        while (key := _key(path.with_name(free))) in self._taken:
            free, number = f"{stem}_{number}", number + 1
        self._taken.add(key)
        return path.with_name(free + suffix)


def without_suffix(path: PurePosixPath) -> PurePosixPath:
    """Drop the suffix of a picture; what else stands after a dot belongs to the name."""
    return path.with_name(path.stem) if path.suffix.lower() in SUFFIXES else path


def _safe_part(part: str) -> str:
    clean = _UNSAFE.sub("_", part)
    clean = f"_{clean}" if clean.startswith(".") else clean
    while len(clean.encode()) > _MOST_BYTES:
        clean = clean[1:]
    return clean


def _key(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()  # some file systems do not tell "A" from "a"


def _check_is_free(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        kind = "is not empty" if out.is_dir() else "is a file"
        raise SettingError(f"the folder to write into must be new or empty, but it {kind}. Choose another: {out}")


@contextlib.contextmanager
def _said_in_a_line(path: Path, kinds: tuple[type[Exception], ...] = (OSError, ValueError)) -> Iterator[None]:
    try:
        yield
    except kinds as error:  # a name with a NUL is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(f"the results cannot be written ({reason}). Choose another folder: {path}") from error


def _sync_all(folder: Path) -> None:
    if hasattr(os, "sync") and sum(len(names) for _, _, names in os.walk(folder)) > _MANY_FILES:
        os.sync()  # of everything, once, which takes less than thousands of files one by one
        return
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(Path(place, name))
        _sync(Path(place))


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = ["OutputNames", "new_file", "new_folder", "without_suffix", "write_file"]
