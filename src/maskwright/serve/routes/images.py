"""Pictures that clients sent: put them up once, name them by their digest from then on."""

from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from maskwright.core import Image
from maskwright.core.errors import UnknownImage
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import PICTURE_ERRORS, picture_body
from maskwright.serve.picture_of import deadline_of, png_of, read_picture, while_connected
from maskwright.serve.service import Service
from maskwright.serve.values import Caller, Work
from maskwright.serve.wire import Digest, ImageOut

router = APIRouter(prefix="/v1")

DigestInPath = Annotated[Digest, Path()]
_NEVER_CHANGES = "private, max-age=31536000, immutable"  # the digest is of the pixels
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: PICTURE_ERRORS[404]}


@router.post(
    "/images",
    status_code=201,
    summary="Send a picture",
    response_model=ImageOut,
    responses=PICTURE_ERRORS,
    openapi_extra=picture_body(),
)
async def add_image(
    request: Request,
    service: ServiceOf,
    who: Reader,
    embed: Annotated[bool, Query(description="Encode it right away, so that the first click does not wait.")] = False,
) -> Response:
    """The body is the picture's file, or a form with the file `picture`. The same pixels have the same digest.

    What the camera says about its orientation is applied; pixels of prompts and masks are those of the upright picture.
    The server lets pictures go that nobody asks for; then the digest is unknown (404), and one sends the picture again.
    """
    image = await read_picture(request, service)
    if embed:
        await while_connected(request, service.engine.embed(image, _work(service, who)))
    headers = {"Location": f"/v1/images/{image.digest}"}
    return json_answer(_out(service, image), 201, headers)


@router.get("/images/{digest}", summary="What is known of a picture", response_model=ImageOut, responses=_UNKNOWN)
async def get_image(digest: DigestInPath, service: ServiceOf, who: Reader) -> Response:
    """Its size, and whether a click on it has to wait for the encoder."""
    return json_answer(_out(service, await service.images.get(digest)))


@router.head("/images/{digest}", summary="Whether a picture is known", responses=_UNKNOWN)
async def has_image(digest: DigestInPath, service: ServiceOf, who: Reader) -> Response:
    """200 or 404: whether the picture has to be sent."""
    if not service.images.has(digest):
        raise UnknownImage(f"the server does not have the picture {digest}, or no longer. Send it again")
    return Response(media_type="application/json")


@router.get(
    "/images/{digest}/picture",
    summary="The picture itself",
    response_class=Response,
    responses={
        **_UNKNOWN,
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "A PNG"},
    },
)
async def get_picture(digest: DigestInPath, service: ServiceOf, who: Reader) -> Response:
    """The pixels that the digest is of, upright, as a PNG, whatever was sent: nothing else of the file comes back."""
    image = await service.images.get(digest)
    content = await anyio.to_thread.run_sync(partial(png_of, image))
    return Response(content, media_type="image/png", headers={"Cache-Control": _NEVER_CHANGES, "ETag": f'"{digest}"'})


@router.post(
    "/images/{digest}/embedding",
    summary="Encode a picture ahead of the first click",
    response_model=ImageOut,
    responses=PICTURE_ERRORS,
)
async def embed_image(
    request: Request,
    digest: DigestInPath,
    service: ServiceOf,
    who: Reader,
    model: Annotated[str | None, Query(max_length=200, description="One that is served.")] = None,
) -> Response:
    """Costs nothing if it is encoded already; clients that ask at once share one run."""
    image = await service.images.get(digest)
    await while_connected(request, service.engine.embed(image, _work(service, who, model)))
    return json_answer(_out(service, image, model))


def _work(service: Service, who: Caller, model: str | None = None) -> Work:
    return Work(client=who.name, priority="click", deadline=deadline_of(service), model=model)


def _out(service: Service, image: Image, model: str | None = None) -> dict[str, object]:
    return {
        "digest": image.digest,
        "size_hw": image.size_hw,
        "is_embedded": service.engine.is_embedded(image, model),
    }


__all__ = ["router"]
