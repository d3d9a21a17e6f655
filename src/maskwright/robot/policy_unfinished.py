"""`Unfinished`: a folder that is written an episode at a time, goes on after Ctrl+C or a kill, and appears when whole.

It lies hidden beside the folder that it becomes, with the settings that it is made by and the facts of each episode
that is done. Facts are written last, when the files of the episode are on the disk.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from maskwright.core.errors import SettingError
from maskwright.datasets.new_folder import _check_is_free, _said_in_a_line, _sync, _sync_all

_NOTES = ".unfinished"  # what is ours in the folder, and goes at the end
_SETTINGS = "settings.json"


class Unfinished:
    """The folder while it is written; `unfinished` opens it."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self._out = folder, out
        self._notes = folder / _NOTES

    def facts(self, index: int) -> dict[str, Any] | None:
        """Give the facts of an episode that is done."""
        try:
            return json.loads(self._path(index).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, index: int, facts: Mapping[str, Any], files: Sequence[Path]) -> None:
        """Note that an episode is done, once its files are on the disk."""
        with _said_in_a_line(self._out):
            for path in files:
                _sync(path)
            _write(self._path(index), facts)

    @property
    def is_begun(self) -> bool:
        """Whether an episode is done."""
        return any(self._notes.glob("[0-9]*.json"))

    def finish(self) -> None:
        """Make it the folder that was asked for."""
        with _said_in_a_line(self._out):
            shutil.rmtree(self._notes)
            _sync_all(self.folder)
            target = self._out.absolute()
            if target.is_dir():
                target.rmdir()
            os.replace(self.folder, target)
            _sync(target.parent)

    def _path(self, index: int) -> Path:
        return self._notes / f"{index:06d}.json"


@contextmanager
def unfinished(out: Path, settings: Mapping[str, Any]) -> Iterator[Unfinished]:
    """Begin a folder, or go on with the one that the same settings began; it stays when the block is left early.

    Settings under "moment" are those of the first time, so that what is done and what follows show one state.

    Raises:
        SettingError: `out` is not free, cannot be written, is being written, or was begun with other settings.
    """
    _check_is_free(out)
    folder = hidden_path(out)
    with _said_in_a_line(out):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingError(f"another command is writing there. Wait for it, or choose another folder: {out}") from None
    try:
        with _said_in_a_line(out):
            _begin(folder, settings, out)
        yield Unfinished(folder, out)
    finally:
        if folder.is_dir() and not Unfinished(folder, out).is_begun:
            shutil.rmtree(folder, ignore_errors=True)  # nothing of it is done
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def hidden_path(out: Path) -> Path:
    """Where a folder is while it is not whole."""
    target = out.absolute()
    return target.with_name(f".{target.name}.unfinished")


def begun_settings(out: Path) -> dict[str, Any] | None:
    """The settings of what was begun, if something was."""
    try:
        return json.loads((hidden_path(out) / _NOTES / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _begin(folder: Path, settings: Mapping[str, Any], out: Path) -> None:
    begun = begun_settings(out)
    if begun is not None and begun != json.loads(json.dumps(settings)):
        others = ", ".join(name for name in settings if begun.get(name) != json.loads(json.dumps(settings[name])))
        raise SettingError(
            f"it was begun with other settings ({others or 'fewer'}). Give those to go on, choose another folder, "
            f"or remove what was begun: {folder}"
        )
    if begun is None:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / _NOTES).mkdir(parents=True)
        _write(folder / _NOTES / _SETTINGS, settings)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(content), encoding="utf-8")
    _sync(part)
    os.replace(part, path)


__all__ = ["Unfinished", "begun_settings", "hidden_path", "unfinished"]
