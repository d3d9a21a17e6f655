"""`Client`: a server of maskwright from Python, in the thread that asks.

Every method is written as steps in another module, which say what it does and raises; here are their names.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

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
from maskwright.client.link import make_link
from maskwright.client.sync_shell import SyncShell, does, gives
from maskwright.client.track_values import TrackedFrame


class Client:
    """A server of maskwright.

    >>> with Client("http://127.0.0.1:8080", token="mw_...") as client:                         # doctest: +SKIP
    ...     masks = client.segment("photo.jpg", [PointPrompt([(500, 375)])])

    One client is for all threads of a program; it keeps connections open, so close it, or use `with`. What the server
    refuses is raised as the same class of `maskwright.core.errors` that it had there. `timeout_s` is how long it may be
    silent; `retries` is how often a request is sent again that got no answer, or "not now".

    Raises:
        SettingError: the address is none, or a number cannot be.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._link = make_link(url, timeout_s, retries)
        self._shell = SyncShell(self._link, token)

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

    def track(
        self,
        frames: Iterable[track_steps.TrackFrame],
        prompts: track_steps.Prompts,
        *,
        budget: str = "default",
        find_new: int = 0,
        model: str | None = None,
    ) -> Iterator[TrackedFrame]:
        """Follow objects through frames as they come, as `maskwright.propagate` does: a session that is closed after.

        `prompts` are by track, for the first frame, or by frame number, from 0, and track.

        Raises:
            PromptError: there are no prompts, or some are for a frame that never came (told when frames have ended).
            MaskwrightError: what `TrackSession.step` raises.
        """
        by_frame = track_steps.prompts_by_frame(prompts, find_new)
        with self.open_track(budget=budget, find_new=find_new, model=model) as session:
            num_frames = 0
            for frame in frames:
                yield session.step(frame, by_frame.pop(num_frames, None))
                num_frames += 1
        track_steps.check_all_were_shown(by_frame, num_frames)

    @contextmanager
    def open_track(
        self, *, budget: str = "default", find_new: int = 0, model: str | None = None
    ) -> Iterator["TrackSession"]:
        """Open a track session, for frames one by one, and close it in the end.

        `budget` is default, fast, accurate or milliseconds a frame; `find_new` looks for objects that have no track
        every so many frames.

        Raises:
            TooManyRequests: there are as many sessions as the server takes.
            SettingError, UnknownModel: there is no such budget or model.
        """
        opened = self._shell.run(track_steps.open_session(self._link, budget=budget, find_new=find_new, model=model))
        try:
            yield TrackSession(self._shell, opened)
        finally:
            self._shell.run(track_steps.close_session(opened))

    def close(self) -> None:
        """Close its connections."""
        self._shell.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._link.url!r})"


class TrackSession:
    """A stream of frames on the server, shown one by one; `Client.open_track` makes it. For one thread at a time."""

    def __init__(self, shell: SyncShell, link: track_steps.TrackLink) -> None:
        self._shell, self._link = shell, link

    step = does(track_steps.step)
    forget = does(track_steps.forget)
    info = does(track_steps.info)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, as of the last frame."""
        return self._link.tracks


__all__ = ["Client", "TrackSession"]
