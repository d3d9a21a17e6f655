"""What a request about a picture brings with it: the picture itself, its digest, or a frame of the store."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

import anyio
from PIL import Image as PillowImage
from starlette.datastructures import UploadFile
from starlette.requests import Request

from maskwright.core import FrameRef, Image
from maskwright.core.errors import Cancelled, NotAllowed, RequestError
from maskwright.serve.service import Service
from maskwright.serve.store_cursors import frame_id
from maskwright.serve.values import Caller, Priority, Work
from maskwright.serve.wire import OnPicture, parse
from maskwright.serve.wire_values import read_value
from maskwright.store.frame_log import key_of

A = TypeVar("A", bound=OnPicture)
T = TypeVar("T")

_LONGEST_FORM_FIELD = 8 << 20
_LONG_BYTES = 64 << 10  # of a request; a click has a few hundred
_GONE = "http.disconnect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[A]):
    """A request and the picture that it is about; `frame` where it was named by its place in the store.

    What is made of one that `is_long` takes a while, and is made beside the event loop: `make`.
    """

    request: A
    image: Image
    frame: FrameRef | None
    is_long: bool

    async def make(self, function: Callable[[], T]) -> T:
        """Call a function here, or in a thread where the request is long."""
        return await anyio.to_thread.run_sync(function) if self.is_long else function()

    def work(self, service: Service, caller: Caller, priority: Priority) -> Work:
        """Say how the engine is to treat it."""
        deadline = deadline_of(service, self.request.deadline_ms)
        return Work(client=caller.name, priority=priority, deadline=deadline, model=self.request.model)


def deadline_of(service: Service, milliseconds: int | None = None) -> float:
    """The moment until which a request may wait: its own, or the server's."""
    return monotonic() + (service.settings.deadline_s if milliseconds is None else milliseconds / 1000)


async def read_asked(request: Request, kind: type[A], service: Service) -> Asked[A]:
    """Read a request of JSON, or a form of a picture and JSON.

    Raises:
        RequestError: it is neither, or does not say which picture is meant, or says it twice.
        UnknownImage, ImageError: the picture cannot be had.
    """
    if _kind_of(request) == "multipart/form-data":
        return await _read_form(request, kind, service)
    if _kind_of(request) != "application/json":
        raise RequestError(f"expected JSON or a form, with its Content-Type; got {_kind_of(request)[:100]!r}")
    content = await request.body()
    asked, is_long = await _parse(kind, content)
    if (asked.image is None) == (asked.frame is None):
        raise RequestError("expected either image (a digest) or frame (of the store), to say which picture is meant")
    if asked.image is not None:
        return Asked(request=asked, image=await service.images.get(asked.image), frame=None, is_long=is_long)
    image, frame = await _image_of_frame(service, asked)
    return Asked(request=asked, image=image, frame=frame, is_long=is_long)


async def _image_of_frame(service: Service, asked: OnPicture) -> tuple[Image, FrameRef | None]:
    """Read the frame of the store that a request names; where it stands, if it has a place.

    Raises:
        NotAllowed: this server has no store.
        UnknownImage: the frame is not in it, or its picture cannot be found any more.
    """
    desk = service.desk
    if desk is None:
        raise NotAllowed("this server has no store, so there are no frames. Send the picture: POST /v1/images")
    named: Any = asked.frame
    if not isinstance(named, str):
        named = frame_id(key_of(read_value(FrameRef, named), None))
    seen = await desk.frame(named)
    # Decoding a frame of a video takes longer than a click.
    image = None if seen.image_digest is None else service.images.at_hand(seen.image_digest)
    if image is None:
        image = await desk.image(seen)
        service.images.add_image(image)
    return image, seen.ref


async def read_picture(request: Request, service: Service) -> Image:
    """Read a picture that is the body, or the only file of a form.

    Raises:
        RequestError: the body says that it is something else.
        ImageError: it is not a picture that can be read, or it is too large.
    """
    kind = _kind_of(request)
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=1) as form:
            return await service.images.add(await _file_of(form.get("picture")))
    if not kind.startswith("image/") and kind not in ("application/octet-stream", ""):
        raise RequestError(f"expected a picture as image/png, image/jpeg, ... or a form; got {kind[:100]!r}")
    return await service.images.add(await request.body())


def png_of(image: Image) -> bytes:
    """Write a picture's pixels as a PNG; quickly rather than small."""
    file = io.BytesIO()
    PillowImage.fromarray(image.pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run work as long as its client is there to hear of it; the body has been read.

    Raises:
        Cancelled: it went; nobody sees this.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Cancelled("the client went before there was an answer")
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait({working, leaving})


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != _GONE:
        pass


async def _read_form(request: Request, kind: type[A], service: Service) -> Asked[A]:
    async with request.form(max_files=1, max_fields=2, max_part_size=_LONGEST_FORM_FIELD) as form:
        written = form.get("request")
        if isinstance(written, UploadFile):
            written = await written.read()
        if written is None:
            raise RequestError('expected a field "request" with JSON beside the file "picture", got none')
        asked, is_long = await _parse(kind, written)
        if asked.image is not None or asked.frame is not None:
            raise RequestError("the form brings its picture; leave image and frame out")
        content = await _file_of(form.get("picture"))
    return Asked(request=asked, image=await service.images.add(content), frame=None, is_long=is_long)


async def _parse(kind: type[A], content: bytes | str) -> tuple[A, bool]:
    is_long = len(content) > _LONG_BYTES
    return await anyio.to_thread.run_sync(parse, kind, content) if is_long else parse(kind, content), is_long


async def _file_of(part: UploadFile | str | None) -> bytes:
    if not isinstance(part, UploadFile):
        raise RequestError('expected a file named "picture" in the form, as curl -F picture=@photo.jpg sends it')
    return await part.read()


def _kind_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


__all__ = [
    "Asked",
    "deadline_of",
    "png_of",
    "read_asked",
    "read_picture",
    "while_connected",
]
