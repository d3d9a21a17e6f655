"""`Job`: a piece of long work on the server, as it stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from maskwright.core import from_json

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is; `total` None where nobody knows."""

    done: int
    total: int | None
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProblem:
    """Why a job failed, by the code and message of an error."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked, by whom, and how far it is; `result` says what came of it.

    `has_file`: it wrote something to download. "interrupted": the server ended while it ran; the same begun again goes
    on where it was.
    """

    id: str
    kind: Literal["annotate", "track", "export", "audit"]
    caller: str
    request: dict[str, Any]
    created_at: datetime
    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress
    result: dict[str, Any] | None
    has_file: bool
    error: JobProblem | None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """A source of frames that jobs can be about. `is_here`: its frames are still on the server's machine."""

    name: str
    is_here: bool


def read_job(data: Any) -> Job:
    """Read a job from the server's JSON.

    Raises:
        RecordError: it is something else.
    """
    free = {name: data[name] for name in ("kind", "request", "result")}
    plain = from_json(_Plain, {name: value for name, value in data.items() if name not in free})
    return Job(**free, **{name: getattr(plain, name) for name in _Plain.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """A job without what has any shape, and without the kind, which the codec has a use of its own for."""

    id: str
    caller: str
    created_at: datetime
    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress
    has_file: bool
    error: JobProblem | None


__all__ = ["Job", "JobProblem", "JobProgress", "JobSource", "JobState", "read_job"]
