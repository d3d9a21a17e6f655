"""Frames of the store: which there are, what is on them, their pictures; and opening one, for the next to be ready."""

from functools import partial
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response

from maskwright.core import Image
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.picture_of import png_of
from maskwright.serve.prefetch import Prefetch
from maskwright.serve.service import Service
from maskwright.serve.store_access import NOT_THERE, STORE_ERRORS, DeskOf, IfNoneMatch, asked_in, asked_of
from maskwright.serve.store_cursors import MOST_CHARACTERS, frame_id
from maskwright.serve.store_tags import quoted, read_tags
from maskwright.serve.wire import ErrorOut
from maskwright.serve.wire_store import FrameOut, FramesAsked, FramesOut, OpenedOut, RecordsOut
from maskwright.serve.wire_store_values import count_by_status, frame_json, frames_json, records_json
from maskwright.store import Query as StoreQuery
from maskwright.store import SeenFrame

router = APIRouter(prefix="/v1")

FrameInPath = Annotated[
    str, Path(min_length=1, max_length=MOST_CHARACTERS, description="The id of a frame, as GET /v1/frames gives it.")
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": _BINARY, "image/jpeg": _BINARY}, "description": "The picture"},
    304: {"description": "It is the one of If-None-Match"},
    404: {"model": ErrorOut, "description": "No such frame, or its picture is not on the server's machine"},
}


@router.get(
    "/frames",
    summary="Frames of the store",
    response_model=FramesOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(FramesAsked),
)
async def list_frames(request: HttpRequest, desk: DeskOf, who: Reader) -> Response:
    """In order, with how many masks each has of each status; frames without masks too."""
    asked = asked_of(request, FramesAsked)
    query = StoreQuery(**asked.model_dump(exclude={"cursor", "limit"}))
    page = await desk.frames(query, cursor=asked.cursor, limit=asked.limit)
    return json_answer(frames_json(page.frames, page.next_cursor))


@router.get("/frames/{frame}", summary="One frame", response_model=FrameOut, responses={**STORE_ERRORS, **NOT_THERE})
async def get_frame(frame: FrameInPath, desk: DeskOf, who: Reader) -> Response:
    """Its name, size and place, and how many masks it has."""
    seen, masks = await desk.frame(frame), await desk.frame_masks(frame)
    return json_answer(frame_json(seen, count_by_status(masks)))


@router.get(
    "/frames/{frame}/records",
    summary="Every mask of a frame",
    response_model=RecordsOut,
    responses={**STORE_ERRORS, **NOT_THERE},
)
async def list_frame_records(
    frame: FrameInPath,
    desk: DeskOf,
    who: Reader,
    status: Annotated[
        Literal["listed", "any"], Query(description="any: rejected, merged and split ones too.")
    ] = "listed",
) -> Response:
    """All on one page, in the order in which they were put."""
    masks = [one for one in await desk.frame_masks(frame) if status == "any" or one.is_listed]
    return json_answer(await to_thread.run_sync(partial(records_json, masks, None)))


@router.get(
    "/frames/{frame}/picture",
    summary="The picture of a frame",
    response_class=Response,
    responses={**STORE_ERRORS, **_PICTURE},
)
async def get_frame_picture(
    frame: FrameInPath,
    desk: DeskOf,
    service: ServiceOf,
    who: Reader,
    format: Annotated[Literal["png", "jpeg"], Query(description="png has every pixel as it is.")] = "png",
    width: Annotated[
        int | None,
        Query(ge=16, le=16_384, description="At most so many pixels wide, to be looked at; default: as it is."),
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The pixels that masks are on, upright. From then on POST /v1/segment takes the picture by its digest."""
    seen = await desk.frame(frame)
    image = await _image(service, seen)
    tag = f"{image.digest}-{format}" + ("" if width is None else f"-{width}")
    headers = {"ETag": quoted(tag), "Cache-Control": "private, no-cache"}
    headers["X-Image-Digest"] = image.digest
    if if_none_match is not None and read_tags(if_none_match, weak=True) & {"*", tag}:
        return Response(status_code=304, headers=headers)
    content = await to_thread.run_sync(_encoded, image, format, width)
    return Response(content, media_type=f"image/{format}", headers=headers)


@router.post(
    "/frames/{frame}/open",
    status_code=202,
    summary="Say that a frame is about to be looked at",
    response_model=OpenedOut,
    responses={**STORE_ERRORS, **NOT_THERE},
)
async def open_frame(
    request: HttpRequest,
    frame: FrameInPath,
    desk: DeskOf,
    service: ServiceOf,
    who: Reader,
    ahead: Annotated[int, Query(ge=0, le=8, description="So many frames after it are made ready too.")] = 2,
) -> Response:
    """Its picture and the next ones are decoded and encoded when there is room, so that no first click waits."""
    seen, masks = await desk.frame(frame), await desk.frame_masks(frame)
    following = await desk.frames_after(seen, ahead)
    _prefetch_of(request).ask(service, who.name, [seen, *following])
    content = {
        "frame": frame_json(seen, count_by_status(masks)),
        "ahead": [frame_id(one.key) for one in following],
    }
    return json_answer(content, 202)


async def _image(service: Service, seen: SeenFrame) -> Image:
    image = service.images.at_hand(seen.image_digest) if seen.image_digest else None
    if image is None:
        assert service.desk is not None
        image = await service.desk.image(seen)
        service.images.add_image(image)
    return image


def _encoded(image: Image, format: Literal["png", "jpeg"], width: int | None) -> bytes:
    shown = image if width is None else _narrowed(image, width)
    return png_of(shown) if format == "png" else _jpeg_of(shown)


def _narrowed(image: Image, width: int) -> Image:
    import cv2

    high, wide = image.size_hw
    if wide <= width:
        return image
    size_wh = width, max(1, round(high * width / wide))
    return Image(cv2.resize(image.pixels, size_wh, interpolation=cv2.INTER_AREA))


def _jpeg_of(image: Image) -> bytes:
    import cv2

    return cv2.imencode(".jpg", image.pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _prefetch_of(request: HttpRequest) -> Prefetch:
    state = request.app.state
    if not hasattr(state, "prefetch"):
        state.prefetch = Prefetch()
    return state.prefetch


__all__ = ["FrameInPath", "router"]
