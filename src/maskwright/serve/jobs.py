"""`Jobs`: long work by name. It waits its turn, tells how far it is, can be cancelled, and is known after a restart.

Each job runs in a thread; one at a time that needs the model, which goes to the engine a turn at a time, and one that
does not. What a job is at is in a small file, so a server that was killed says of its jobs that they were interrupted;
sending the same request again goes on where they were, since the store knows which frames are done.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread

from maskwright.core.errors import (
    Cancelled,
    MaskwrightError,
    NotAllowed,
    RequestError,
    ServerStopping,
    StoreError,
    StoreMissing,
    TooManyRequests,
    UnknownJob,
)
from maskwright.serve.engine_protocol import Engine
from maskwright.serve.job_folder import JobFolder
from maskwright.serve.job_kinds import Doing, check_request, do, sources_of
from maskwright.serve.job_turns import Turns
from maskwright.serve.job_values import Job, JobProblem, JobProgress, JobState, job_json
from maskwright.serve.meter import Meter
from maskwright.serve.problems import problem_of
from maskwright.serve.settings import ServeSettings
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.store_keys import ids_of, reused
from maskwright.serve.values import Caller, Work
from maskwright.serve.wire_store import JobRequest

MOST_WAITING = 100
MOST_KEPT = 200  # jobs that are over
MOST_FILES = 20  # exports that can be fetched
_TELL_EVERY_S = 0.2
_log = logging.getLogger(__name__)


class Jobs:
    """The jobs of a server. Methods are for the event loop."""

    def __init__(
        self, settings: ServeSettings, engine: Engine, desk: StoreDesk | None, meter: Meter | None = None
    ) -> None:
        self._store = settings.store if desk is not None else None
        self._engine, self._meter = engine, meter
        self._folder = JobFolder(self._store)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._turns: dict[str, Turns] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Two at one run would be in each other's way, and two at one engine gain nothing.
        self._rooms: dict[str, asyncio.Lock] = {"model": asyncio.Lock(), "files": asyncio.Lock()}
        self._threads = CapacityLimiter(len(self._rooms))
        self._changed = asyncio.Event()
        self._is_stopping = False
        self._recall()

    async def submit(self, request: JobRequest, caller: Caller, *, key: str | None = None) -> Job:
        """Queue a job; it is known after a crash once this returns. With a key it is queued once.

        Raises:
            StoreMissing: the server has no store.
            InputError: it cannot be done.
            NotAllowed: the caller may not.
            KeyReused: the key was for another job.
            TooManyRequests, ServerStopping: not now.
        """
        if request.kind == "audit" and not caller.may("review"):
            raise NotAllowed(f"an audit needs a token with the scope review, got one with {caller.scope}")
        (job_id,) = ids_of("job", caller.name, key, 1)
        written = request.model_dump(mode="json")
        if (known := self._jobs.get(job_id)) is not None:
            if known.request != written:
                raise reused()
            return known
        if self._is_stopping:
            raise ServerStopping("the server is stopping and begins no more jobs. Send it to the next one")
        if len(self._tasks) >= MOST_WAITING:
            raise TooManyRequests(f"{MOST_WAITING} jobs wait already. Come back when some are done", 60.0)
        await to_thread.run_sync(check_request, self._at(), request)
        if job_id in self._jobs:  # its twin came meanwhile
            return self._jobs[job_id]
        job = Job(id=job_id, kind=request.kind, caller=caller.name, request=written, created_at=datetime.now(UTC))
        self._jobs[job_id] = job
        try:
            await to_thread.run_sync(self._folder.write, job)
        except StoreError:
            del self._jobs[job_id]
            raise
        work = Work(client=caller.name, model=getattr(request, "model", None))
        self._turns[job_id] = Turns(self._engine, asyncio.get_running_loop(), work)
        self._tasks[job_id] = asyncio.create_task(self._attend(job_id, request), name=f"job {job_id}")
        self._tell()
        return job

    def job(self, job_id: str) -> Job:
        """Look a job up.

        Raises:
            UnknownJob: there is none, or it was long ago.
        """
        if job_id not in self._jobs:
            raise UnknownJob("there is no such job, or it was long ago. GET /v1/jobs lists those that are known")
        return self._jobs[job_id]

    def jobs(self, *, cursor: str | None = None, limit: int = 100) -> tuple[list[Job], str | None]:
        """List jobs, the newest first, after the one that a cursor names.

        Raises:
            RequestError: the cursor is none.
        """
        newest = list(reversed(self._jobs.values()))
        begin = 0
        if cursor is not None:
            ids = [job.id for job in newest]
            if cursor not in ids:
                raise RequestError("this is not a cursor that the server gave, or that job is forgotten. Begin again")
            begin = ids.index(cursor) + 1
        page = newest[begin : begin + limit]
        return page, page[-1].id if begin + limit < len(newest) else None

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """Stop a job; one that runs ends before its next frame. One that is over stays as it is.

        Raises:
            UnknownJob: there is none.
            NotAllowed: it is another's.
        """
        job = self.job(job_id)
        if job.caller != caller.name and not caller.may("admin"):
            raise NotAllowed(f"the job is {job.caller}'s; only who began it or an admin cancels it")
        await self._stop(job_id)
        return self.job(job_id)

    def result(self, job_id: str) -> Path:
        """Where the files are that a job wrote.

        Raises:
            UnknownJob: there is no such job, or it has written nothing that is still there.
        """
        job = self.job(job_id)
        path = self._folder.out(job_id)
        if not job.has_file or not path.exists():
            raise UnknownJob(
                f"the job is {job.state} and has nothing to fetch; exports that are done have, for a while"
            )
        return path

    def sources(self) -> dict[str, Path]:
        """Where the sources are that jobs may name."""
        return {} if self._store is None else sources_of(self._store)

    async def follow(self, job_id: str, *, heartbeat_s: float = 15.0) -> AsyncIterator[Job | None]:
        """Give a job whenever it changed, until it is over; None says that all is well.

        Raises:
            UnknownJob: there is none.
        """
        told: Job | None = None
        while True:
            changed, job = self._changed, self.job(job_id)
            if job != told:
                yield job
                told = job
                if job.is_over:
                    return
                await asyncio.sleep(_TELL_EVERY_S)
                continue
            if self._is_stopping:
                return
            try:
                await asyncio.wait_for(changed.wait(), heartbeat_s)
            except TimeoutError:
                yield None

    async def drain(self, timeout_s: float) -> None:
        """Begin nothing new and stop what runs; it is written down as interrupted."""
        self._is_stopping = True
        await asyncio.gather(*(self._stop(job_id) for job_id in list(self._tasks)))
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=timeout_s)
        self._tell()
        if not self._tasks:
            await to_thread.run_sync(self._folder.close)

    async def _stop(self, job_id: str) -> None:
        """Have a job end; one that waits has ended when this returns."""
        if job_id in self._turns:
            self._turns[job_id].stop()
        await asyncio.sleep(0)  # a task that is cancelled before its first step would leave without a word
        task = self._tasks.get(job_id)
        if task is not None and self._jobs[job_id].state == "queued":
            task.cancel()
            await asyncio.wait({task})

    def _at(self) -> Path:
        if self._store is None:
            raise StoreMissing("this server has no store, so there is nothing for jobs to work on")
        return self._store

    def _recall(self) -> None:
        """Read what servers before this one were at."""
        for job, is_halfway in self._folder.read():
            if is_halfway:
                job = replace(job, state="interrupted", ended_at=datetime.now(UTC))
                self._folder.drop_out(job.id)
            self._jobs[job.id] = job
            try:
                self._folder.write(job)  # it is ours now
            except StoreError as error:
                _log.warning("a job is not written down: %s", error)
        self._forget()

    async def _attend(self, job_id: str, request: JobRequest) -> None:
        """See a job through, from the queue to its end."""
        sessions = None if self._meter is None else self._meter.sessions.labels("job")
        try:
            async with self._rooms["files" if request.kind in ("export", "audit") else "model"]:
                if sessions is not None:
                    sessions.inc()
                try:
                    await self._note(job_id, state="running", started_at=datetime.now(UTC))
                    ended = await to_thread.run_sync(self._do, job_id, request, limiter=self._threads)
                finally:
                    if sessions is not None:
                        sessions.dec()
        except asyncio.CancelledError:  # before it began
            ended = {"state": self._stopped}
        finally:
            turns, _ = self._turns.pop(job_id), self._tasks.pop(job_id)
            turns.stop()
        await self._note(job_id, ended_at=datetime.now(UTC), **ended)
        await to_thread.run_sync(self._forget)

    def _do(self, job_id: str, request: JobRequest) -> dict[str, Any]:
        """Do the work in this thread; give what it came to."""
        job, loop = self._jobs[job_id], self._turns[job_id]._loop

        def tell(progress: JobProgress) -> None:
            loop.call_soon_threadsafe(self._progress, job_id, progress)

        doing = Doing(
            store=self._at(),
            out=self._folder.out(job_id),
            caller=job.caller,
            turns=self._turns[job_id],
            tell=tell,
        )
        try:
            result, has_file = do(request, doing)
            return {"state": "done", "result": result, "has_file": has_file}
        except Cancelled:
            return {"state": self._stopped}
        except ServerStopping:
            return {"state": "interrupted"}
        except Exception as error:
            if not isinstance(error, MaskwrightError):
                _log.exception("job %s failed", job_id)
            problem = problem_of(error)
            return {"state": "failed", "error": JobProblem(code=problem.code, message=problem.message)}

    @property
    def _stopped(self) -> JobState:
        return "interrupted" if self._is_stopping else "cancelled"

    def _progress(self, job_id: str, progress: JobProgress) -> None:
        if not self._jobs[job_id].is_over:
            self._jobs[job_id] = replace(self._jobs[job_id], progress=progress)
            self._tell()

    async def _note(self, job_id: str, **changes: Any) -> None:
        """Write a job's state down, then tell it. A disk that refuses keeps no job from its end."""
        job = replace(self._jobs[job_id], **changes)
        try:
            await to_thread.run_sync(self._folder.write, job)
        except StoreError as error:
            _log.warning("job %s is not written down: %s", job_id, error)
        self._jobs[job_id] = replace(job, progress=self._jobs[job_id].progress)
        self._tell()

    def _forget(self) -> None:
        """Forget jobs that were over long ago, and the files of all exports but the last."""
        over = [job for job in list(self._jobs.values()) if job.is_over]
        for job in over[: max(0, len(over) - MOST_KEPT)]:
            self._jobs.pop(job.id, None)
            self._folder.drop(job.id)
        with_files = [job for job in over if job.has_file and job.id in self._jobs]
        for job in with_files[: max(0, len(with_files) - MOST_FILES)]:
            self._jobs[job.id] = replace(job, has_file=False)
            self._folder.drop_out(job.id)

    def _tell(self) -> None:
        before, self._changed = self._changed, asyncio.Event()
        before.set()


__all__ = ["MOST_FILES", "MOST_KEPT", "MOST_WAITING", "Job", "Jobs", "job_json"]
