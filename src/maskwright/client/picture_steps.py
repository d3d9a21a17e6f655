"""Pictures and the masks on them: upload, embed, segment, everything.

A picture is named by its digest. What the server does not have (any more) is sent, and the question asked again; what
it has is never sent twice.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from maskwright.client.answers import unreadable
from maskwright.client.asking import answered, ask
from maskwright.client.link import Link
from maskwright.client.picture_files import content_of, file_of, image_of, is_digest
from maskwright.client.reading import as_a, masks
from maskwright.client.requests import request
from maskwright.client.steps import Request, Steps, work
from maskwright.client.values import Picture, ServerFrame, ServerImage
from maskwright.core import FrameRef, Image, MaskRecord, Prompt, to_json
from maskwright.core.errors import SettingError, UnknownImage
from maskwright.masks import CleanupStep

T = TypeVar("T")
# Finding everything takes minutes on a CPU, and the server says nothing meanwhile.
_EVERYTHING_TIMEOUT_S = 600.0


def upload(link: Link, picture: Picture) -> Steps[ServerImage]:
    """Have a picture on the server, sending it only if it is not there.

    A file is sent as it is, and the server turns it upright; prompts and masks are in its upright pixels. Pixels keep
    the digest that they have here.

    Raises:
        ImageError: the file is missing, or it is no picture.
        UnknownImage: a digest that the server does not have.
    """
    match picture:
        case ServerImage(digest=digest):
            return (yield from _known(link, digest))
        case str() if is_digest(picture):
            return (yield from _known(link, picture))
        case Image():
            digest = yield from work(lambda: picture.digest)
            try:
                return (yield from _known(link, digest))
            except UnknownImage:
                return (yield from _send(link, picture))
    content, sha256 = yield from content_of(picture)
    known = link.sent.find(sha256)
    if known is not None:
        try:
            return (yield from _known(link, known))
        except UnknownImage:
            pass
    return (yield from _send_file(link, content, sha256))


def picture(link: Link, image: ServerImage | str) -> Steps[Image]:
    """Fetch the pixels of a picture that the server has, upright.

    Raises:
        UnknownImage: it does not have it.
    """
    digest = image.digest if isinstance(image, ServerImage) else image
    answer = yield from answered(link, request(link, "GET", "images", digest, "picture"))
    return (yield from work(lambda: checked_image(link, answer.content, digest)))


def embed(link: Link, image: Picture, *, model: str | None = None) -> Steps[ServerImage]:
    """Have a picture encoded, so that the first click on it does not wait; sent first if it is not there.

    Raises:
        UnknownModel: the server does not serve that model.
        ImageError, UnknownImage: as `upload` does.
    """
    query = () if model is None else (("model", model),)
    return (
        yield from _on_picture(
            link,
            image,
            lambda place: request(link, "POST", "images", place["image"], "embedding", query=query),
            as_a(ServerImage),
        )
    )


def segment(
    link: Link,
    image: Picture | FrameRef | ServerFrame,
    prompts: Sequence[Prompt],
    *,
    num_masks: int = 1,
    multimask: bool | None = None,
    refine_steps: int = 0,
    closer: bool = False,
    labels: Sequence[str | None] | None = None,
    cleanup: Sequence[CleanupStep] = (),
    model: str | None = None,
) -> Steps[list[MaskRecord]]:
    """Get `num_masks` masks for each prompt, best first, one prompt after the other.

    The picture may be pixels, a file, bytes of a file, a digest, or a frame of the server's store; of the last the
    records say so. `multimask`, `refine_steps`, `closer`, `labels` and `cleanup` mean what they mean in
    `maskwright predict`. Nothing is saved: see `save`.

    Raises:
        PromptOutsideImage, UnsupportedPrompt: a prompt does not fit the picture or the model.
        ImageError, UnknownImage, UnknownModel: the picture or model cannot be had.
        DeadlinePassed: nobody got to it within the client's timeout.
    """
    asked = {
        "prompts": [to_json(prompt) for prompt in prompts],
        "num_masks": num_masks,
        "multimask": multimask,
        "refine_steps": refine_steps,
        "closer": closer,
        "labels": None if labels is None else list(labels),
        "cleanup": [to_json(step.as_processing()) for step in cleanup],
        "model": model,
        "deadline_ms": link.deadline_ms,
    }
    return (
        yield from _on_picture(
            link, image, lambda place: request(link, "POST", "segment", body={**asked, **place}), masks
        )
    )


def everything(
    link: Link,
    image: Picture | FrameRef | ServerFrame,
    *,
    preset: Literal["fast", "balanced", "thorough"] = "balanced",
    settings: Mapping[str, float | int] | None = None,
    model: str | None = None,
    timeout_s: float = _EVERYTHING_TIMEOUT_S,
) -> Steps[list[MaskRecord]]:
    """Get every mask in a picture, without prompts. Takes seconds to minutes; clicks of others go first.

    `settings` take the place of the preset's values, by the names that they have in SAM's automatic mask generator.

    Raises:
        SettingError: values do not go together.
        ImageError, UnknownImage, UnknownModel, DeadlinePassed: as `segment` does.
    """
    if not timeout_s > 0:
        raise SettingError(f"timeout_s must be above 0 seconds, got {timeout_s:g}")
    asked = {
        "preset": preset,
        "settings": dict(settings or {}),
        "model": model,
        "deadline_ms": max(1, min(600_000, round(timeout_s * 1000))),
    }
    return (
        yield from _on_picture(
            link,
            image,
            lambda place: request(link, "POST", "everything", body={**asked, **place}, timeout_s=timeout_s),
            masks,
        )
    )


def checked_image(link: Link, content: bytes, digest: str) -> Image:
    """Read a picture and see that it is the one.

    Raises:
        ServerUnreachable: it is another, or none.
    """
    try:
        image = image_of(content)
    except (OSError, ValueError) as error:
        raise unreadable(link, f"the picture cannot be read ({error})") from error
    if image.digest != digest:
        raise unreadable(link, f"the picture that came has another digest than {digest}")
    return image


def _on_picture(
    link: Link,
    picture: Picture | FrameRef | ServerFrame,
    make: Callable[[Mapping[str, Any]], Request],
    read: Callable[[Any], T],
) -> Steps[T]:
    """Ask about a picture by name, and once more when it has been sent."""
    place = yield from _place_of(link, picture)
    try:
        return (yield from ask(link, make(place), read))
    except UnknownImage:
        sent = yield from _send_again(link, picture)
        if sent is None:
            raise
    return (yield from ask(link, make({"image": sent.digest}), read))


def _place_of(link: Link, picture: Picture | FrameRef | ServerFrame) -> Steps[dict[str, Any]]:
    """Say which picture is meant; a file that was never sent from here is sent for that."""
    match picture:
        case FrameRef():
            return {"frame": to_json(picture)}
        case ServerFrame(ref=FrameRef() as ref):
            return {"frame": to_json(ref)}
        case ServerFrame(image_digest=str(digest)) | ServerImage(digest=digest):
            return {"image": digest}
        case Image():
            return {"image": (yield from work(lambda: picture.digest))}
        case str() if is_digest(picture):
            return {"image": picture}
        case Path() | str() | bytes():
            content, sha256 = yield from content_of(picture)
            digest = link.sent.find(sha256) or (yield from _send_file(link, content, sha256)).digest
            return {"image": digest}
    raise UnknownImage(f"the store knows neither place nor digest of the frame {picture.name}")


def _send_again(link: Link, picture: Picture | FrameRef | ServerFrame) -> Steps[ServerImage | None]:
    match picture:
        case Image():
            return (yield from _send(link, picture))
        case str() if is_digest(picture):
            return None
        case Path() | str() | bytes():
            content, sha256 = yield from content_of(picture)
            return (yield from _send_file(link, content, sha256))
    return None


def _known(link: Link, digest: str) -> Steps[ServerImage]:
    return (yield from ask(link, request(link, "GET", "images", digest), as_a(ServerImage)))


def _send(link: Link, image: Image) -> Steps[ServerImage]:
    content = yield from work(lambda: file_of(image, is_near=link.is_near))
    return (yield from ask(link, picture_request(link, content, "images"), as_a(ServerImage)))


def _send_file(link: Link, content: bytes, sha256: str) -> Steps[ServerImage]:
    sent = yield from ask(link, picture_request(link, content, "images"), as_a(ServerImage))
    link.sent.add(sha256, sent.digest)
    return sent


def picture_request(link: Link, content: bytes, *path: str) -> Request:
    """Make a request whose body is a picture's file."""
    return dataclasses.replace(
        request(link, "POST", *path), headers={"Content-Type": "application/octet-stream"}, body=content
    )


__all__ = ["checked_image", "embed", "everything", "picture", "picture_request", "segment", "upload"]
