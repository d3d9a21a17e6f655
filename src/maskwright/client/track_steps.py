"""Track sessions: frames go up one by one, and each comes back with the masks of its objects.

A frame counts on the server once it has arrived. So one whose answer got lost is not shown again: the session is asked
how many it has seen, and the result is fetched from those that it keeps.
"""

import contextlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskwright.client.answers import unreadable
from maskwright.client.asking import answered, ask
from maskwright.client.link import Link
from maskwright.client.listening import Message, listen
from maskwright.client.picture_files import content_of, file_of, is_digest
from maskwright.client.reading import as_a
from maskwright.client.requests import json_bytes, request
from maskwright.client.steps import Form, Request, Step, Steps, work
from maskwright.client.track_values import TrackedFrame, TrackInfo, read_frame
from maskwright.client.values import Picture, ServerImage
from maskwright.core import Frame, Image, Prompt, to_json
from maskwright.core.error_codes import error_of
from maskwright.core.errors import Cancelled, PromptError, ServerUnreachable, UnknownJob

TrackFrame = Picture | Frame
# By track for the first frame, or by frame number, from 0, and track.
Prompts = Mapping[str, Prompt] | Mapping[int, Mapping[str, Prompt]]

_MOST_RAW_BYTES = 32 << 20
_PATIENCE_S = 30.0


@dataclass(slots=True, kw_only=True)
class TrackLink:
    """A session on a server: which one, and how many frames it was shown, None where an error left that open."""

    link: Link
    id: str
    num_shown: int | None = 0
    tracks: tuple[str, ...] = field(default=())


def open_session(link: Link, *, budget: str, find_new: int, model: str | None) -> Steps[TrackLink]:
    """Open a session; it ends when it is closed, and after two minutes without a frame."""
    asked = request(link, "POST", "tracks", body={"budget": budget, "find_new": find_new, "model": model})
    info = yield from ask(link, asked, as_a(TrackInfo))
    return TrackLink(link=link, id=info.id)


def step(
    session: TrackLink, image: TrackFrame, prompts: Mapping[str, Prompt] | None = None, *, forget: Sequence[str] = ()
) -> Steps[TrackedFrame]:
    """Show the next frame. A prompt begins the track of its name, or corrects it; tracks in `forget` end before it.

    After an error the session goes on with the next frame, and this one counts as skipped.

    Raises:
        PromptError, PromptOutsideImage, UnsupportedPrompt: a prompt does not fit the frame or the model.
        ImageError: the frame is no picture, or has another size than those before it.
        DeadlinePassed: its turn did not come within the client's timeout.
        UnknownJob, Cancelled: the session is over.
    """
    link, number = session.link, session.num_shown
    session.num_shown = None
    if number is None:
        number = (yield from info(session)).num_shown
    said: dict[str, Any] = {"deadline_ms": link.deadline_ms}
    if prompts:
        said["prompts"] = {track: to_json(prompt) for track, prompt in prompts.items()}
    if forget:
        said["forget"] = list(forget)
    asked = yield from _frame_request(link, session.id, image, said)
    try:
        frame = yield from ask(link, asked, read_frame)
    except ServerUnreachable:
        if (yield from info(session)).num_shown > number:
            frame = yield from _kept_result(session, number)
        else:  # it never arrived
            frame = yield from ask(link, asked, read_frame)
    session.num_shown = frame.index + 1
    session.tracks = tuple(mask.track for mask in frame.masks)
    return frame


def forget(session: TrackLink, track: str) -> Steps[None]:
    """End one track at once. A prompt of the same name begins another.

    Raises:
        UnknownJob: there is no such track.
    """
    asked = request(session.link, "DELETE", "tracks", session.id, "objects", track)
    yield from answered(session.link, asked)


def info(session: TrackLink) -> Steps[TrackInfo]:
    """Ask what the session is at.

    Raises:
        UnknownJob: it is over.
    """
    asked = request(session.link, "GET", "tracks", session.id)
    return (yield from ask(session.link, asked, as_a(TrackInfo)))


def close_session(session: TrackLink) -> Steps[None]:
    """End a session; one that is over, or whose server is gone, ends by itself."""
    once = replace(session.link, retries=0)
    with contextlib.suppress(UnknownJob, ServerUnreachable):
        yield from answered(once, request(once, "DELETE", "tracks", session.id))


def prompts_by_frame(prompts: Prompts, find_new: int) -> dict[int, Mapping[str, Prompt]]:
    """Put prompts by frame number; those without one are for the first frame.

    Raises:
        PromptError: there are none, and no new objects are looked for; or they are something else.
    """
    if not prompts and not find_new:
        raise PromptError("nothing to follow: give a prompt for each object, or find_new")
    by_frame: dict[int, Mapping[str, Prompt]] = {}
    for key, value in prompts.items():
        if isinstance(key, int) and isinstance(value, Mapping):
            by_frame[key] = value
        elif isinstance(key, str) and not isinstance(value, Mapping):
            by_frame[0] = {**by_frame.get(0, {}), key: value}
        else:
            raise PromptError(f"prompts are by track, or by frame number and track; got {key!r}: {value!r:.60}")
    return by_frame


def check_all_were_shown(left: Mapping[int, Mapping[str, Prompt]], num_frames: int) -> None:
    """Refuse prompts for frames that never came.

    Raises:
        PromptError: there are some.
    """
    if left:
        where = ", ".join(str(number) for number in sorted(left))
        raise PromptError(f"there is no frame for the prompts at {where}; there were {num_frames} frames, from 0")


def _frame_request(link: Link, session_id: str, frame: TrackFrame, said: dict[str, Any]) -> Steps[Request]:
    """Make the request of a frame: pixels and files go as they are, what the server has goes by its digest."""
    path = ("tracks", session_id, "frames")
    picture = frame.image if isinstance(frame, Frame) else frame
    if isinstance(picture, ServerImage) or (isinstance(picture, str) and is_digest(picture)):
        digest = picture.digest if isinstance(picture, ServerImage) else picture
        asked = request(link, "POST", *path, body={**said, "image": digest})
        return replace(asked, is_repeatable=False)
    if isinstance(picture, Image):
        if picture.pixels.nbytes <= _MOST_RAW_BYTES:
            said = {**said, "raw_hw": list(picture.size_hw)}
            content = yield from work(picture.pixels.tobytes)
        else:
            content = yield from work(lambda: file_of(picture, is_near=False))
    else:
        content, _ = yield from content_of(picture)
    form = Form(picture=content, request=json_bytes(said))
    return replace(request(link, "POST", *path), body=form, is_repeatable=False)


def _kept_result(session: TrackLink, number: int) -> Steps[TrackedFrame]:
    """Fetch the result of a frame that has been shown."""
    found: list[TrackedFrame] = []

    def take(message: Message) -> Generator[Step, Any, bool]:
        yield from ()
        data = _parsed(session.link, message)
        match message.kind:
            case "frame" if data["error"] is not None:
                raise error_of(data["error"]["code"], data["error"]["message"])
            case "frame":
                found.append(read_frame(data))
            case "end":
                raise error_of(data["code"], data["message"])
            case "lost":
                raise Cancelled(f"the result of frame {number} is no longer kept")
        return bool(found)

    last_id = None if number == 0 else str(number - 1)
    yield from listen(session.link, ("tracks", session.id, "results"), take, last_id=last_id, patience_s=_PATIENCE_S)
    return found[0]


def _parsed(link: Link, message: Message) -> Any:
    try:
        return json.loads(message.text)
    except ValueError as error:
        raise unreadable(link, f"a result cannot be read ({error})") from error


__all__ = [
    "Prompts",
    "TrackFrame",
    "TrackLink",
    "check_all_were_shown",
    "close_session",
    "forget",
    "info",
    "open_session",
    "prompts_by_frame",
    "step",
]
