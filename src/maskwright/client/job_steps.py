"""Long work on the server: begin it, wait for it, stop it, download what it wrote."""

import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Literal, NoReturn, Unpack

from maskwright.client.answers import unreadable
from maskwright.client.asking import ask
from maskwright.client.filters import Filters, written
from maskwright.client.job_values import Job, JobSource, read_job
from maskwright.client.link import Link
from maskwright.client.listening import Message, listen
from maskwright.client.reading import as_a
from maskwright.client.requests import new_key, request
from maskwright.client.saving import save_answer
from maskwright.client.steps import Emit, Items, Step, Steps
from maskwright.core.error_codes import error_of
from maskwright.core.errors import Cancelled, DeadlinePassed

_PATIENCE_S = 60.0


def start_annotate(
    link: Link,
    source: str,
    *,
    preset: Literal["fast", "balanced", "thorough"] = "balanced",
    phrases: Sequence[str] | None = None,
    label: str | None = None,
    model: str | None = None,
    episodes: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> Steps[Job]:
    """Begin to find masks on the frames of a source: everything, or what `phrases` name.

    Sources are named as `job_sources` lists them. Frames that were done before are not done again.

    Raises:
        InputError: there is no such source, or a value cannot be.
        NotAllowed: the token may not.
    """
    selection = _selection(episodes, cameras, start, stop, stride)
    asked = {"source": source, "preset": preset, "phrases": phrases, "label": label, "model": model}
    return (yield from _start(link, {"kind": "annotate", **asked, "selection": selection}))


def start_track(
    link: Link,
    source: str,
    *,
    tracks: Sequence[str] | None = None,
    budget: Literal["fast", "default", "accurate"] = "default",
    model: str | None = None,
    episodes: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> Steps[Job]:
    """Begin to bring the tracks of a source up to date with their keyframes.

    Raises:
        InputError, NotAllowed: as `start_annotate` does.
    """
    selection = _selection(episodes, cameras, start, stop, stride)
    asked = {"source": source, "tracks": tracks, "budget": budget, "model": model}
    return (yield from _start(link, {"kind": "track", **asked, "selection": selection}))


def start_export(link: Link, format: str, *, with_images: bool = False, **filters: Unpack[Filters]) -> Steps[Job]:
    """Begin to write the masks that meet conditions in a format of `maskwright export`, to be downloaded.

    Raises:
        InputError: there is no such format, or conditions cannot hold together.
        NotAllowed: the token may not.
    """
    asked = {"format": format, "with_images": with_images, "query": written(filters)}
    return (yield from _start(link, {"kind": "export", **asked}))


def jobs(link: Link) -> Items[Job]:
    """Go through the jobs that the server knows, the newest first."""
    cursor: str | None = None
    while True:
        query = () if cursor is None else (("cursor", cursor),)
        items, cursor = yield from ask(link, request(link, "GET", "jobs", query=query), _page)
        for one in items:
            yield Emit(one)
        if cursor is None:
            return


def job(link: Link, job_id: Job | str) -> Steps[Job]:
    """Ask how far a job is.

    Raises:
        UnknownJob: there is none.
    """
    return (yield from ask(link, request(link, "GET", "jobs", _id(job_id)), read_job))


def job_sources(link: Link) -> Steps[list[JobSource]]:
    """List the sources that jobs can be about: those that runs of the store found their frames in."""
    asked = request(link, "GET", "jobs", "sources")
    return (yield from ask(link, asked, lambda data: [as_a(JobSource)(one) for one in data["items"]]))


def wait_for(
    link: Link, job: Job | str, *, progress: Callable[[Job], object] | None = None, timeout_s: float | None = None
) -> Steps[Job]:
    """Wait until a job is done; `progress` is called with it whenever it is further, a few times a second at most.

    A connection that breaks meanwhile is made again.

    Raises:
        MaskwrightError: it failed, and this is why.
        Cancelled: somebody stopped it, or the server ended while it ran.
        DeadlinePassed: it was not done after `timeout_s`; it goes on.
        UnknownJob: there is none.
    """
    until = None if timeout_s is None else monotonic() + timeout_s
    latest: Job | None = None

    def take(message: Message) -> Generator[Step, Any, bool]:
        nonlocal latest
        yield from ()
        if message.kind == "job":
            try:
                latest = read_job(json.loads(message.text))
            except (ValueError, KeyError) as error:
                raise unreadable(link, f"a job cannot be read ({error!s:.200})") from error
            if progress is not None:
                progress(latest)
        return latest is not None and latest.is_over

    is_over = yield from listen(link, ("jobs", _id(job), "stream"), take, patience_s=_PATIENCE_S, until=until)
    if not is_over or latest is None:
        raise DeadlinePassed(f"the job was not done within {timeout_s} seconds and goes on: {_id(job)}")
    if latest.state != "done":
        _complain(latest)
    return latest


def cancel_job(link: Link, job: Job | str) -> Steps[Job]:
    """Stop a job before its next frame; what it has done stays.

    Raises:
        UnknownJob: there is none.
        NotAllowed: it is another's.
    """
    return (yield from ask(link, request(link, "POST", "jobs", _id(job), "cancel"), read_job))


def download(link: Link, job: Job | str, path: Path | str) -> Steps[Path]:
    """Write what an export made to a zip file. It appears whole or not at all.

    Raises:
        UnknownJob: there is no such job, or it has nothing to download.
        InputError: the file cannot be written.
    """
    return (yield from save_answer(link, request(link, "GET", "jobs", _id(job), "result"), Path(path)))


def _start(link: Link, body: dict[str, Any]) -> Steps[Job]:
    return (yield from ask(link, request(link, "POST", "jobs", body=body, key=new_key()), read_job))


def _selection(
    episodes: Sequence[str] | None, cameras: Sequence[str] | None, start: int, stop: int | None, stride: int
) -> dict[str, Any]:
    return {"episodes": episodes, "cameras": cameras, "start": start, "stop": stop, "stride": stride}


def _page(data: Any) -> tuple[list[Job], str | None]:
    return [read_job(one) for one in data["items"]], data["next_cursor"]


def _complain(job: Job) -> NoReturn:
    if job.error is not None:
        raise error_of(job.error.code, job.error.message)
    if job.state == "interrupted":
        raise Cancelled(f"the server ended while the job ran. Begin the same again, and it goes on: {job.id}")
    raise Cancelled(f"the job was cancelled: {job.id}")


def _id(job: Job | str) -> str:
    return job.id if isinstance(job, Job) else job


__all__ = [
    "cancel_job",
    "download",
    "job",
    "job_sources",
    "jobs",
    "start_annotate",
    "start_export",
    "start_track",
    "wait_for",
]
