"""`AsyncClient`: a server of maskwright from Python, on an event loop (asyncio or trio).

Every method is written as steps in another module, which say what it does and raises; here are their names.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

import anyio

from maskwright.client import (
    edit_steps,
    frame_steps,
    job_steps,
    log_steps,
    picture_steps,
    record_steps,
    review_steps,
    server_steps,
    track_steps,
)
from maskwright.client.async_shell import AsyncShell, does, gives
from maskwright.client.link import make_link
from maskwright.client.track_values import TrackedFrame

T = TypeVar("T")


class AsyncClient:
    """`Client` on an event loop: the same methods, to be awaited or gone through with `async for`.

    >>> async with AsyncClient("http://127.0.0.1:8080", token="mw_...") as client:              # doctest: +SKIP
    ...     masks = await client.segment("photo.jpg", [PointPrompt([(500, 375)])])

    Files are read, and large answers taken apart, beside the loop.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._link = make_link(url, timeout_s, retries)
        self._shell = AsyncShell(self._link, token)

    # pictures
    upload = does(picture_steps.upload)
    picture = does(picture_steps.picture)
    embed = does(picture_steps.embed)
    segment = does(picture_steps.segment)
    everything = does(picture_steps.everything)

    # masks of the store
    records = gives(record_steps.records)
    query = does(record_steps.query)
    count = does(record_steps.count)
    sql = does(record_steps.sql)
    record = does(record_steps.record)
    history = does(record_steps.history)
    save = does(record_steps.save)

    # decisions about them
    append = does(edit_steps.append)
    accept = does(edit_steps.accept)
    reject = does(edit_steps.reject)
    edit = does(edit_steps.edit)
    relabel = does(edit_steps.relabel)
    retrack = does(edit_steps.retrack)
    reparent = does(edit_steps.reparent)
    merge = does(edit_steps.merge)
    split = does(edit_steps.split)
    revert = does(edit_steps.revert)
    comment = does(edit_steps.comment)
    events = gives(log_steps.events)
    follow = gives(log_steps.follow)

    # frames of the store
    frames = gives(frame_steps.frames)
    frame = does(frame_steps.frame)
    frame_records = does(frame_steps.frame_records)
    frame_picture = does(frame_steps.frame_picture)
    open_frame = does(frame_steps.open_frame)

    # the work of reviewing
    progress = does(review_steps.progress)
    labels = does(review_steps.labels)
    queues = does(review_steps.queues)
    queue = gives(review_steps.queue)
    agreement = gives(review_steps.agreement)

    # long work
    start_annotate = does(job_steps.start_annotate)
    start_track = does(job_steps.start_track)
    start_export = does(job_steps.start_export)
    jobs = gives(job_steps.jobs)
    job = does(job_steps.job)
    job_sources = does(job_steps.job_sources)
    wait_for = does(job_steps.wait_for)
    cancel_job = does(job_steps.cancel_job)
    download = does(job_steps.download)

    # the server itself
    models = does(server_steps.models)
    version = does(server_steps.version)
    caller = does(server_steps.caller)
    health = does(server_steps.health)
    ready = does(server_steps.ready)
    wait_until_ready = does(server_steps.wait_until_ready)

    async def track(
        self,
        frames: Iterable[track_steps.TrackFrame] | AsyncIterable[track_steps.TrackFrame],
        prompts: track_steps.Prompts,
        *,
        budget: str = "default",
        find_new: int = 0,
        model: str | None = None,
    ) -> AsyncIterator[TrackedFrame]:
        """Follow objects through frames, as `Client.track` does."""
        by_frame = track_steps.prompts_by_frame(prompts, find_new)
        async with self.open_track(budget=budget, find_new=find_new, model=model) as session:
            num_frames = 0
            async for frame in _each(frames):
                yield await session.step(frame, by_frame.pop(num_frames, None))
                num_frames += 1
        track_steps.check_all_were_shown(by_frame, num_frames)

    @asynccontextmanager
    async def open_track(
        self, *, budget: str = "default", find_new: int = 0, model: str | None = None
    ) -> AsyncIterator["AsyncTrackSession"]:
        """Open a track session, as `Client.open_track` does."""
        opened = await self._shell.run(
            track_steps.open_session(self._link, budget=budget, find_new=find_new, model=model)
        )
        try:
            yield AsyncTrackSession(self._shell, opened)
        finally:
            with anyio.CancelScope(shield=True):  # the server's room is freed also where the task was cancelled
                await self._shell.run(track_steps.close_session(opened))

    async def close(self) -> None:
        """Close its connections."""
        await self._shell.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._link.url!r})"


class AsyncTrackSession:
    """A stream of frames on the server, shown one by one; `AsyncClient.open_track` makes it. For one task at a time."""

    def __init__(self, shell: AsyncShell, link: track_steps.TrackLink) -> None:
        self._shell, self._link = shell, link

    step = does(track_steps.step)
    forget = does(track_steps.forget)
    info = does(track_steps.info)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, as of the last frame."""
        return self._link.tracks


async def _each(frames: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        for frame in frames:
            yield frame


__all__ = ["AsyncClient", "AsyncTrackSession"]
