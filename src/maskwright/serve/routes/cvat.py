"""CVAT's serverless interactor: what its AI tools send to a function of Nuclio, which hands it on to this server.

deploy/cvat has the function; it knows the server's address and token, and no model.
"""

from functools import partial

import anyio
import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright.core import RLE
from maskwright.masks import decode, simplify, smooth, trace
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.description import PICTURE_ERRORS, body_of
from maskwright.serve.picture_of import deadline_of, while_connected
from maskwright.serve.tool_bodies import body_of_tool, picture_in
from maskwright.serve.values import Segment, Work
from maskwright.serve.wire_cvat import CvatInteractIn, CvatInteractOut

router = APIRouter(prefix="/cvat", tags=["cvat"])
BODIES = (CvatInteractIn,)

_EPSILON = 0.5  # pixels that the outline may be off; CVAT simplifies it further as its user likes


@router.post(
    "",
    summary="A mask for CVAT's AI tools",
    response_model=CvatInteractOut,
    responses=PICTURE_ERRORS,
    openapi_extra=body_of(CvatInteractIn),
)
async def cvat_interact(request: Request, service: ServiceOf, who: Reader) -> Response:
    """The mask of points and a box on the picture that comes along, as an interactor of version 2 answers."""
    asked = await body_of_tool(request, CvatInteractIn)
    prompt = asked.prompt()
    image = await service.images.add(await anyio.to_thread.run_sync(picture_in, asked.image))
    work = Work(client=who.name, priority="click", deadline=deadline_of(service))
    records = await while_connected(request, service.engine.segment(image, Segment(prompts=(prompt,)), work))
    content = await anyio.to_thread.run_sync(partial(_answer, records[0].rle))
    return Response(content, media_type="application/json")


def _answer(rle: RLE) -> bytes:
    islands = simplify(smooth(trace(rle), 1), _EPSILON).islands
    largest = max((island.exterior for island in islands), key=_area, default=np.zeros((0, 2)))
    points = ",".join(f"[{x:g},{y:g}]" for x, y in largest.round(2).tolist())
    return b'{"mask":[' + _rows(rle) + b'],"points":[' + points.encode() + b"]}"


def _rows(rle: RLE) -> bytes:
    """Write a mask as lists of 0 and 1: as bytes at once, since a picture has millions of them."""
    mask = decode(rle)
    height, width = mask.shape
    text = np.full((height, 2 * width), ord(","), np.uint8)
    text[:, ::2] = ord("0") + mask
    return b"[" + b"],[".join(row.tobytes() for row in text[:, :-1]) + b"]"


def _area(ring: np.ndarray) -> float:
    x, y = ring.astype(np.float64).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


__all__ = ["BODIES", "router"]
