"""Frames of a track session as REST's requests and messages of a web socket bring them."""

from time import monotonic

from starlette.datastructures import UploadFile
from starlette.requests import Request

from maskwright.core import Image
from maskwright.core.errors import RequestError
from maskwright.serve.service import Service
from maskwright.serve.track_pictures import raw_image
from maskwright.serve.track_values import ShownFrame
from maskwright.serve.wire import parse
from maskwright.serve.wire_tracks import TrackFrameIn, prompts_of

_LONGEST_FIELD = 8 << 20


async def read_frame(request: Request, service: Service) -> tuple[ShownFrame, TrackFrameIn]:
    """Read a frame that is a picture alone, a form of a picture and JSON, or JSON that names a picture.

    Raises:
        RequestError: it is none of these.
        PromptError, MaskError, ImageError, UnknownImage: what it says does not hold together.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, service)
    if kind == "application/json":
        asked = parse(TrackFrameIn, await request.body())
        return await shown_of(asked, None, service), asked
    if not kind.startswith("image/") and kind not in ("application/octet-stream", ""):
        raise RequestError(f"expected a picture as image/png, image/jpeg, ..., a form, or JSON; got {kind[:100]!r}")
    return await shown_of(TrackFrameIn(), await request.body(), service), TrackFrameIn()


async def shown_of(asked: TrackFrameIn, picture: bytes | None, service: Service) -> ShownFrame:
    """Make the value of a frame; a file is decoded when its turn comes.

    Raises:
        RequestError: it brings no picture, or names one and brings another.
        PromptError, MaskError, ImageError, TooLarge, UnknownImage: what it says does not hold together.
    """
    if (asked.image is None) == (not picture):
        raise RequestError("a frame brings its picture or names one by its digest in image: one of the two")
    return ShownFrame(
        picture=await _picture(asked, picture or b"", service),
        prompts=prompts_of(asked),
        forget=tuple(asked.forget),
        deadline=None if asked.deadline_ms is None else monotonic() + asked.deadline_ms / 1000,
    )


async def _picture(asked: TrackFrameIn, picture: bytes, service: Service) -> bytes | Image:
    if asked.image is not None:
        return await service.images.get(asked.image)
    if asked.raw_hw is not None:
        return raw_image(picture, *asked.raw_hw, service.settings.max_pixels)
    return picture


async def _read_form(request: Request, service: Service) -> tuple[ShownFrame, TrackFrameIn]:
    async with request.form(max_files=1, max_fields=2, max_part_size=_LONGEST_FIELD) as form:
        written, file = form.get("request"), form.get("picture")
        if isinstance(written, UploadFile):
            written = await written.read()
        if not isinstance(file, UploadFile):
            raise RequestError('expected a file named "picture" in the form, as curl -F picture=@frame.jpg sends it')
        asked = parse(TrackFrameIn, written or b"{}")
        return await shown_of(asked, await file.read(), service), asked


__all__ = ["read_frame", "shown_of"]
