"""The protocol of Label Studio's ML backends, so that its smart tools ask this server.

In Label Studio: Settings, Model, connect http://HOST:PORT/label-studio, with a token as the password of basic auth.
"""

from functools import partial

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright import __version__
from maskwright.core.errors import RequestError
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.description import PICTURE_ERRORS, body_of
from maskwright.serve.label_studio import label_of, prediction_of, read_interface, read_prompt
from maskwright.serve.picture_of import deadline_of, while_connected
from maskwright.serve.remote_pictures import RemotePictures
from maskwright.serve.service import Service
from maskwright.serve.tool_bodies import body_of_tool
from maskwright.serve.values import Segment, Work
from maskwright.serve.wire import ErrorOut
from maskwright.serve.wire_label_studio import (
    LabelStudioHealthOut,
    LabelStudioPredictIn,
    LabelStudioPredictOut,
    LabelStudioSetupIn,
    LabelStudioSetupOut,
    LabelStudioWebhookOut,
    RegionIn,
)

router = APIRouter(prefix="/label-studio", tags=["label-studio"])
BODIES = (LabelStudioPredictIn, LabelStudioSetupIn)

_UP = {"status": "UP", "model_class": "maskwright"}
_ERRORS = {
    **PICTURE_ERRORS,
    502: {"model": ErrorOut, "description": "The picture's host gives no answer"},
}


@router.get("", summary="Whether there is an ML backend", response_model=LabelStudioHealthOut)
async def label_studio(who: Reader) -> Response:
    """As /health."""
    return json_answer(_UP)


@router.get("/health", summary="Whether the ML backend answers", response_model=LabelStudioHealthOut)
async def label_studio_health(who: Reader) -> Response:
    """UP, for who has a token; Label Studio asks before it connects."""
    return json_answer(_UP)


@router.post(
    "/setup",
    summary="Connect a project of Label Studio",
    response_model=LabelStudioSetupOut,
    responses={413: PICTURE_ERRORS[413]},
    openapi_extra=body_of(LabelStudioSetupIn),
)
async def label_studio_setup(request: Request, service: ServiceOf, who: Reader) -> Response:
    """Says which model answers. Nothing is kept of the project, nor of the token that Label Studio sends along."""
    await body_of_tool(request, LabelStudioSetupIn)
    return json_answer({"model_version": _version(service)})


@router.post(
    "/predict",
    summary="Masks for Label Studio's smart tools",
    response_model=LabelStudioPredictOut,
    responses=_ERRORS,
    openapi_extra=body_of(LabelStudioPredictIn),
)
async def label_studio_predict(request: Request, service: ServiceOf, who: Reader) -> Response:
    """One prediction for the task that somebody draws on; none where nothing is drawn.

    Masks go to the first BrushLabels or Brush of the labelling interface, else to PolygonLabels or Polygon, which lose
    holes. The picture is a data URI, or is fetched from Label Studio or a host that the server was told of.
    """
    asked = await body_of_tool(request, LabelStudioPredictIn)
    context = None if asked.params is None else asked.params.context
    regions = () if context is None else context.result
    predictions = [await _predict(request, service, who.name, asked, regions)] if regions else []
    return json_answer({"results": predictions, "model_version": _version(service)})


@router.post("/webhook", summary="Events of Label Studio", response_model=LabelStudioWebhookOut)
async def label_studio_webhook(request: Request, who: Reader) -> Response:
    """Taken and left alone: the model does not train while it serves."""
    async for _ in request.stream():
        pass
    return json_answer({"status": "ok", "result": "not used. Export the project, and train with maskwright train"})


async def _predict(
    request: Request, service: Service, client: str, asked: LabelStudioPredictIn, regions: tuple[RegionIn, ...]
) -> dict[str, object]:
    if len(asked.tasks) != 1:
        raise RequestError(f"expected the one task that is drawn on, got {len(asked.tasks)} tasks")
    interface = read_interface(asked.label_config or "")
    address = asked.tasks[0].data.get(interface.field)
    if not isinstance(address, str):
        raise RequestError(f"the task has no picture in {interface.field!r}, which label_config names")
    image = await _pictures_of(request, service).get(address)
    segment = Segment(prompts=(read_prompt(regions, image.size_hw),))
    work = Work(client=client, priority="click", deadline=deadline_of(service))
    records = await while_connected(request, service.engine.segment(image, segment, work))
    write = partial(prediction_of, records[0], interface, label_of(regions), _version(service))
    return await anyio.to_thread.run_sync(write)


def _version(service: Service) -> str:
    return f"maskwright {__version__} {service.engine.status().models[0]}"


def _pictures_of(request: Request, service: Service) -> RemotePictures:
    state = request.app.state
    if not hasattr(state, "remote_pictures"):
        state.remote_pictures = RemotePictures(service.settings, service.images)
    return state.remote_pictures


__all__ = ["BODIES", "router"]
