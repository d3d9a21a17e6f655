"""Every mask in a picture or in a box of it, without prompts."""

from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright.core import BoxPrompt
from maskwright.predict.everything_within import box_within, mostly_within, points_within
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import PICTURE_ERRORS, body_of
from maskwright.serve.picture_of import read_asked, while_connected
from maskwright.serve.wire import EverythingIn, MasksOut
from maskwright.serve.wire_masks import at_frame, everything_of, masks_json

router = APIRouter(prefix="/v1")
BODIES = (EverythingIn,)


@router.post(
    "/everything",
    summary="Every mask in a picture, or in a box of it",
    response_model=MasksOut,
    responses=PICTURE_ERRORS,
    openapi_extra=body_of(EverythingIn, picture="The picture. It is kept, so that the next request can name it."),
)
async def everything(request: Request, service: ServiceOf, who: Reader) -> Response:
    """Bulk work: it lets clicks by. Takes seconds; one that goes is not worked for any longer."""
    asked = await read_asked(request, EverythingIn, service)
    image, wanted = asked.image, asked.request
    settings = everything_of(wanted, wanted.model or service.engine.status().models[0])
    box = None if wanted.within is None else box_within(BoxPrompt(wanted.within), image.size_hw)
    if box is not None:
        settings = points_within(settings, box, image.size_hw)
    work = asked.work(service, who, "bulk")
    records = await while_connected(request, service.engine.everything(image, settings, work))

    def write() -> dict[str, Any]:
        found = records if box is None else list(mostly_within(records, box))
        return masks_json(at_frame(found, asked.frame), image.digest, image.size_hw, wanted.format, None)

    return json_answer(await anyio.to_thread.run_sync(write))


__all__ = ["BODIES", "router"]
