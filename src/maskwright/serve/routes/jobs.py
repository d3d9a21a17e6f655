"""Long work over the store: begin it, see how far it is, stop it, fetch what it wrote."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from maskwright.datasets.formats import FEATURES, FORMATS
from maskwright.serve.access import Annotator, Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import body_of
from maskwright.serve.job_values import Job, job_json
from maskwright.serve.server_events import ALIVE, EVENT_STREAM, message, stream_answer
from maskwright.serve.store_access import Key, body_of_request
from maskwright.serve.wire import ErrorOut
from maskwright.serve.wire_store import Cursor, FormatsOut, JobIn, JobOut, JobsOut, Limit, SourcesOut
from maskwright.serve.zip_stream import zip_of

router = APIRouter(prefix="/v1")
BODIES = (JobIn,)

JobInPath = Annotated[str, Path(min_length=1, max_length=64)]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut, "description": "There is no such job"}}
_BEGUN: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "The server has no store"},
    409: {"model": ErrorOut, "description": "The idempotency key was for another job"},
    413: {"model": ErrorOut, "description": "The body is too long"},
    507: {"model": ErrorOut, "description": "The disk is full"},
}
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}, "description": "A zip"},
    404: {"model": ErrorOut, "description": "There is no such job, or it has nothing to fetch"},
}


@router.get("/jobs", summary="Jobs, the newest first", response_model=JobsOut)
async def list_jobs(
    service: ServiceOf, who: Reader, cursor: Annotated[Cursor, Query()] = None, limit: Limit = 100
) -> Response:
    """Those that wait, that run, and the last ones that are over."""
    jobs, next_cursor = service.jobs.jobs(cursor=cursor, limit=limit)
    return json_answer({"items": [job_json(job) for job in jobs], "next_cursor": next_cursor})


@router.post(
    "/jobs",
    status_code=202,
    summary="Begin a job",
    response_model=JobOut,
    responses=_BEGUN,
    openapi_extra=body_of(JobIn),
)
async def add_job(request: Request, service: ServiceOf, who: Annotator, key: Key = None) -> Response:
    """annotate finds masks on the frames of a source, track brings tracks up to date, export writes files to fetch.

    audit looks for what is wrong with the store, and is for reviewers. Sources are named, never given as paths. A job
    that was interrupted is gone on with by sending the same again.
    """
    asked = (await body_of_request(request, JobIn)).root
    job = await service.jobs.submit(asked, who, key=key)
    return json_answer(job_json(job), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("/jobs/sources", summary="Sources that jobs may name", response_model=SourcesOut)
async def list_job_sources(service: ServiceOf, who: Reader) -> Response:
    """The data sets that runs of the store found their frames in."""
    sources = await to_thread.run_sync(service.jobs.sources)
    found = [{"name": name, "is_here": path.exists()} for name, path in sorted(sources.items())]
    return json_answer({"items": found})


@router.get("/jobs/formats", summary="Formats that exports can be written in", response_model=FormatsOut)
async def list_job_formats(who: Reader) -> Response:
    """What each keeps beside the pixels; the rest an export tells as losses."""
    formats = [one for one in FORMATS.values() if one.writes]
    items = [{"name": one.name, "about": one.help, "holds": [f for f in FEATURES if f in one.holds]} for one in formats]
    return json_answer({"items": items})


@router.get("/jobs/{job_id}", summary="One job", response_model=JobOut, responses=_UNKNOWN)
async def get_job(job_id: JobInPath, service: ServiceOf, who: Reader) -> Response:
    """How far it is, and what came of it."""
    return json_answer(job_json(service.jobs.job(job_id)))


@router.post("/jobs/{job_id}/cancel", summary="Stop a job", response_model=JobOut, responses=_UNKNOWN)
async def cancel_job(job_id: JobInPath, service: ServiceOf, who: Annotator) -> Response:
    """It ends before its next frame; what it has done stays. For who began it, and admins."""
    return json_answer(job_json(await service.jobs.cancel(job_id, who)))


@router.get("/jobs/{job_id}/result", summary="What a job wrote", response_class=Response, responses=_ZIP)
async def get_job_result(job_id: JobInPath, service: ServiceOf, who: Reader) -> Response:
    """The files of an export that is done, as a zip that is made while it is sent."""
    path = service.jobs.result(job_id)
    name = f"export-{job_id[:8]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return StreamingResponse(zip_of(path, name), media_type="application/zip", headers=headers)


@router.get(
    "/jobs/{job_id}/stream",
    summary="How far a job is, as it goes",
    response_class=Response,
    responses={**_UNKNOWN, **EVENT_STREAM},
)
async def stream_job(job_id: JobInPath, service: ServiceOf, who: Reader) -> Response:
    """Server-sent events `job`, a few a second at most, until it is over."""
    service.jobs.job(job_id)
    return stream_answer(_messages(service.jobs.follow(job_id)))


async def _messages(following: Any) -> AsyncIterator[bytes]:
    async with aclosing(following):
        async for job in following:
            yield message("job", job_json(job)) if isinstance(job, Job) else ALIVE


__all__ = ["BODIES", "router"]
