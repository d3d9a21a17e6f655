"""`runs/NAME.json` in a store: what a run was asked, what ran it, and how each of its sessions ended.

The store's own registry of frames says what is done; the manifest tells people why and how, and is never needed to go
on. It is written whole at the start of a session and at its end, so after a kill it says that the session is running.
"""

import glob
import json
import platform
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from maskwright import __version__
from maskwright.core.errors import StoreBusy
from maskwright.store import MaskStore
from maskwright.store.folder import told_plainly, write_whole

FOLDER = "runs"
_FORMAT, _VERSION = "maskwright-run", 1
_PACKAGES = ("torch", "numpy", "opencv-python-headless", "av", "pillow", "pyarrow")


@dataclass(frozen=True, slots=True)
class RunManifest:
    """The manifest of one run of a store."""

    path: Path

    @classmethod
    def of(cls, store: MaskStore, run: str) -> "RunManifest":
        """The manifest of a run, which may not be written yet."""
        return cls(store.path / FOLDER / f"{run}.json")

    def read(self) -> dict[str, Any]:
        """Read it; empty where there is none, or none that can be read."""
        try:
            content = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        is_ours = isinstance(content, dict) and content.get("format") == _FORMAT and content.get("sessions")
        return content if is_ours else {}

    def write(self, content: dict[str, Any]) -> None:
        """Write it, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        head = {"format": _FORMAT, "version": _VERSION, "run": self.path.stem}
        with told_plainly(self.path):
            self.path.parent.mkdir(exist_ok=True)
            write_whole(self.path, (json.dumps({**head, **content}, indent=1, ensure_ascii=False) + "\n").encode())

    def begin(self, facts: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
        """Add a session, and give the content; sessions that were running have been killed.

        The run is held, so what half-written manifests of it are there are those of the killed.
        """
        for leftover in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.part"):
            leftover.unlink(missing_ok=True)
        sessions = [
            {**one, "outcome": "killed"} if one.get("outcome") == "running" else one
            for one in self.read().get("sessions", ())
        ]
        content = {**facts, "sessions": [*sessions, {**session, "outcome": "running"}]}
        self.write(content)
        return content

    def end(self, content: dict[str, Any], outcome: str, at: datetime, **counts: Any) -> None:
        """Write how the last session ended, and what the run has come to."""
        *before, last = content["sessions"]
        ended = {**last, "outcome": outcome, "ended_at": at.isoformat(), **counts.pop("session", {})}
        self.write({**content, **counts, "sessions": [*before, ended]})

    def lock(self) -> FileLock:
        """Hold the run: two processes at one run would do every frame twice.

        Raises:
            StoreBusy: another process is at it.
        """
        with told_plainly(self.path):
            self.path.parent.mkdir(exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"), thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise StoreBusy(
                    f"another process is at this run, with the same command. Wait for it, or stop it: {self.path}"
                ) from None
        return lock


def read_manifests(store_path: Path) -> list[dict[str, Any]]:
    """Read the manifests of a store's runs, in the order of their names."""
    found = sorted((store_path / FOLDER).glob("*.json"))
    return [content for path in found if (content := RunManifest(path).read())]


def source_paths(store_path: Path, dataset: str) -> list[str]:
    """List the paths at which runs found a data set, the newest run's last."""
    manifests = sorted(read_manifests(store_path), key=lambda one: str(one["sessions"][-1].get("started_at")))
    sources = (one.get("source", {}) for one in manifests)
    return [source["path"] for source in sources if source.get("name") == dataset and "path" in source]


def versions() -> dict[str, str]:
    """What runs: this program, Python, and the libraries that pixels pass through."""
    found = {"maskwright": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


__all__ = ["FOLDER", "RunManifest", "read_manifests", "source_paths", "versions"]
