"""Masks from prompts."""

from functools import partial

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import PICTURE_ERRORS, body_of
from maskwright.serve.picture_of import read_asked, while_connected
from maskwright.serve.wire import MasksOut, SegmentIn
from maskwright.serve.wire_masks import at_frame, masks_json, segment_of

router = APIRouter(prefix="/v1")
BODIES = (SegmentIn,)


@router.post(
    "/segment",
    summary="Masks from clicks, boxes, masks or words on one picture",
    response_model=MasksOut,
    responses=PICTURE_ERRORS,
    openapi_extra=body_of(SegmentIn, picture="The picture. It is kept, so that the next request can name it."),
)
async def segment(request: Request, service: ServiceOf, who: Reader) -> Response:
    """Answer each prompt with `num_masks` masks, best first. Clicks go before everything else that the server does.

    Send the picture once (POST /v1/images, or as a form with the request) and name it by its digest from then on.
    """
    asked = await read_asked(request, SegmentIn, service)
    image, wanted = asked.image, asked.request
    segment = await asked.make(partial(segment_of, wanted, image.size_hw, service.settings.max_prompts))
    work = asked.work(service, who, "click")
    records = await while_connected(request, service.engine.segment(image, segment, work))
    write = partial(
        masks_json, at_frame(records, asked.frame), image.digest, image.size_hw, wanted.format, wanted.num_masks
    )
    # Run lengths are there already; drawing and tracing take a while.
    return json_answer(write() if wanted.format == "rle" else await anyio.to_thread.run_sync(write))


__all__ = ["BODIES", "router"]
