"""`JobFolder`: the jobs of a server on the disk, a small file each, whole or not at all, and the files that they made.

It lies in the store, so that a server that starts again knows what its predecessor was at. A lock says which server is
alive: jobs of one that is not, and that were not over, were interrupted. Where nothing can be written, or nothing is to
be kept, the folder is a temporary one.
"""

import contextlib
import json
import logging
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from maskwright.core.errors import MaskwrightError
from maskwright.serve.job_values import Job, job_json, read_job
from maskwright.store.folder import told_plainly, write_whole

NAME = "jobs"
_FORMAT, _VERSION = "maskwright-job", 1
_log = logging.getLogger(__name__)


class JobFolder:
    """Where the jobs of one server are written; `store` None keeps them as long as the server runs."""

    def __init__(self, store: Path | None) -> None:
        self._owner = uuid.uuid4().hex[:12]
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock: FileLock | None = None
        try:
            if store is None:
                raise OSError("there is no store")
            self.path = store / NAME
            self.path.mkdir(exist_ok=True)
            self._lock = _lock(self.path, self._owner)
            self._lock.acquire(timeout=0)
        except OSError:  # filelock.Timeout is one: another server has the folder
            self._temporary = tempfile.TemporaryDirectory(prefix="maskwright-jobs-")
            self.path = Path(self._temporary.name)

    def write(self, job: Job) -> None:
        """Write a job down; on the disk when this returns.

        Raises:
            StoreError: the disk refused.
        """
        content = {"format": _FORMAT, "version": _VERSION, "owner": self._owner, "job": job_json(job)}
        with told_plainly(self.path):
            write_whole(self.path / f"{job.id}.json", (json.dumps(content, ensure_ascii=False) + "\n").encode())

    def read(self) -> list[tuple[Job, bool]]:
        """List the jobs of servers that are no longer, each with whether it was left in the middle; oldest first."""
        alive: dict[str, bool] = {}
        found: list[tuple[Job, bool]] = []
        for path in self.path.glob("*.json"):
            content = _content(path)
            if content is None:
                continue
            owner = str(content.get("owner"))
            if owner not in alive:
                alive[owner] = self._is_alive(owner)
            if alive[owner]:
                continue
            try:
                job = read_job(content["job"])
            except (MaskwrightError, KeyError, TypeError) as error:
                _log.warning("a job's file cannot be read (%s): %s", error, path)
                continue
            if path.stem == job.id:
                found.append((job, not job.is_over))
        return sorted(found, key=lambda one: one[0].created_at)

    def out(self, job_id: str) -> Path:
        """Where a job writes what can be fetched."""
        return self.path / f"{job_id}.out"

    def drop_out(self, job_id: str) -> None:
        """Delete what a job wrote, its hidden beginnings too."""
        for path in (self.out(job_id), *self.path.glob(f".{job_id}.out*")):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def drop(self, job_id: str) -> None:
        """Forget a job and what it wrote."""
        self.drop_out(job_id)
        with contextlib.suppress(OSError):
            (self.path / f"{job_id}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Be gone."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()
            self._lock = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def _is_alive(self, owner: str) -> bool:
        if owner == self._owner:
            return True
        if not owner.isalnum():
            return False
        lock = _lock(self.path, owner)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
        return False


def _lock(folder: Path, owner: str) -> FileLock:
    return FileLock(folder / f"{owner}.lock", thread_local=False)


def _content(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        _log.warning("a job's file cannot be read (%s): %s", error, path)
        return None
    is_ours = isinstance(content, dict) and content.get("format") == _FORMAT and content.get("version") == _VERSION
    return content if is_ours else None


__all__ = ["NAME", "JobFolder"]
