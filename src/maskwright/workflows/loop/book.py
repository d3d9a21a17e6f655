"""What a loop writes down beside its store: its settings, and a file for each round, each written whole.

STORE/loop/settings.json, STORE/loop/round-0001.json, ... A step writes its round when it is over, and every step may be
done again after a kill.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from filelock import FileLock, Timeout

from maskwright.core.errors import MaskwrightError, StoreBusy, StoreDamaged
from maskwright.store.folder import told_plainly, write_whole
from maskwright.workflows.loop.rounds import AuditOutcome, Figures, Learnt, Round
from maskwright.workflows.loop.settings import LoopSettings, settings_of

FOLDER = "loop"
FORMAT = "maskwright-loop-1"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Book:
    """The files of the loop of a store."""

    store: Path

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.store / FOLDER

    def settings(self) -> LoopSettings | None:
        """Read the settings; None where no loop was begun.

        Raises:
            StoreDamaged: they cannot be read.
        """
        path = self.folder / "settings.json"
        if not path.exists():
            return None
        with _readable(path):
            return settings_of(_content(path)["settings"])

    def write_settings(self, settings: LoopSettings) -> None:
        """Write the settings.

        Raises:
            StoreError: they cannot be written.
        """
        self._write("settings.json", {"settings": settings.as_json()})

    def rounds(self) -> list[Round]:
        """Read the rounds, oldest first.

        Raises:
            StoreDamaged: one cannot be read, or one is missing.
        """
        found = []
        for number, path in enumerate(sorted(self.folder.glob("round-*.json")), 1):
            with _readable(path):
                one = _value(Round, _content(path)["round"])
                if one.number != number:
                    raise ValueError(f"round {number} is missing")
            found.append(one)
        return found

    def write(self, one: Round) -> Round:
        """Write a round, and give it.

        Raises:
            StoreError: it cannot be written.
        """
        self._write(f"round-{one.number:04d}.json", {"round": one.as_json()})
        return one

    def write_file(self, name: str, content: bytes) -> Path:
        """Write a file for people or programs beside the rounds."""
        path = self.folder / name
        with told_plainly(path):
            self.folder.mkdir(exist_ok=True)
            write_whole(path, content)
        return path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the loop: two processes at one would do everything twice.

        Raises:
            StoreBusy: another process is at it.
            StoreError: nothing can be written there.
        """
        with told_plainly(self.folder):
            self.folder.mkdir(exist_ok=True)
            lock = FileLock(self.folder / "lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                told = "another process is at this loop. Wait for it, or stop it"
                raise StoreBusy(f"{told}: {self.folder}") from None
        try:
            for leftover in self.folder.glob(".*.part"):
                leftover.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        told = json.dumps({"format": FORMAT, **content}, indent=1, ensure_ascii=False)
        self.write_file(name, (told + "\n").encode())


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, MaskwrightError) as error:
        told = (
            f"a file of the loop cannot be read ({error}). Bring it back from a copy, or move the folder away to begin"
        )
        raise StoreDamaged(f"{told} anew; what people decided is not in it: {path}") from error


def _content(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_bytes())
    if content["format"] != FORMAT:
        raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
    return content


def _value(kind: type[T], told: Mapping[str, Any]) -> T:
    """Make a value of its fields as JSON; what this version does not know is left out."""
    hints = get_type_hints(kind)
    return kind(**{name: _read(hint, told[name]) for name, hint in hints.items() if name in told})


def _read(hint: Any, value: Any) -> Any:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for one in options:
        if value is not None and one in (Figures, AuditOutcome, Learnt):
            return _value(one, value)
        if value is not None and one is datetime:
            return datetime.fromisoformat(value)
    return tuple(value) if isinstance(value, list) else value


__all__ = ["FOLDER", "FORMAT", "Book"]
