"""Files and folders that appear whole or not at all: written beside their place, synced, then renamed into it."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwright.core.errors import SettingError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, the file is at `path`, in place of any earlier one.

    Raises:
        SettingError: there is a folder in the way, or it cannot be written there.
    """
    if path.is_dir():
        raise SettingError(f"expected the name of a file to write, got a folder. Name a file in it: {path}")
    with _beside(path) as part:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write in; when the block ends well, it is at `path`, where nothing may be.

    Raises:
        SettingError: there is something already, or it cannot be written there.
    """
    if path.exists():
        raise SettingError(f"there is something already. Remove it, or name another folder: {path}")
    with _beside(path) as part:
        part.mkdir()
        yield part
        for file in part.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        os.rename(part, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        raise SettingError(f"cannot write the exported model ({error.strerror or error}): {path}") from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


__all__ = ["new_file", "new_folder"]
