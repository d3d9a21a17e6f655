"""`Job`: a piece of long work as it stands, and how it is written down."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from maskwright.core import from_json, to_json

JobKind = Literal["annotate", "track", "export", "audit"]
JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
OVER: tuple[JobState, ...] = ("done", "failed", "cancelled", "interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is; `total` None where nobody knows."""

    done: int = 0
    total: int | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProblem:
    """Why a job failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked, by whom, and how far it is. `request` is the request's JSON, `result` what came of it."""

    id: str
    kind: JobKind
    caller: str
    request: dict[str, Any]
    created_at: datetime
    state: JobState = "queued"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: JobProgress = field(default_factory=JobProgress)
    result: dict[str, Any] | None = None
    has_file: bool = False
    error: JobProblem | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in OVER


def job_json(job: Job) -> dict[str, Any]:
    """Write a job as REST and its file have it."""
    written: Any = to_json(replace(job, request={}, result=None))
    written.pop("kind")
    for name in ("progress", "error"):
        if written[name] is not None:
            written[name].pop("kind")
    return {**written, "kind": job.kind, "request": job.request, "result": job.result}


def read_job(written: dict[str, Any]) -> Job:
    """Read what `job_json` wrote.

    Raises:
        RecordError: it is something else.
    """
    free: dict[str, Any] = {name: written.get(name) for name in ("kind", "request", "result")}
    rest = {name: value for name, value in written.items() if name not in free}
    if isinstance(rest.get("error"), dict):
        rest["error"] = {"kind": JobProblem.__name__, **rest["error"]}
    return replace(from_json(_Plain, rest, where="job").job(), **free)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """A job without what has any shape."""

    id: str
    caller: str
    created_at: datetime
    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress
    has_file: bool
    error: JobProblem | None

    def job(self) -> Job:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Job(kind="export", request={}, **fields)


__all__ = ["OVER", "Job", "JobKind", "JobProblem", "JobProgress", "JobState", "job_json", "read_job"]
