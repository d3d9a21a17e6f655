"""Whether the server lives, whether it is ready, what version it is, who one is to it, and what it has counted."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright import __version__
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.service import Service
from maskwright.serve.wire import CallerOut, HealthOut, VersionOut

router = APIRouter()


@router.get("/v1/health/live", summary="Whether the process answers", response_model=HealthOut)
async def health_live(request: Request, service: ServiceOf) -> Response:
    """Always 200: an answer is the answer. Needs no token."""
    return json_answer(_health(request, service))


@router.get(
    "/v1/health/ready",
    summary="Whether work can be sent",
    response_model=HealthOut,
    responses={503: {"model": HealthOut, "description": "Models are loading, or the server is stopping"}},
)
async def health_ready(request: Request, service: ServiceOf) -> Response:
    """200 once models are loaded, 503 before and while the server drains. Needs no token."""
    health = _health(request, service)
    is_ready = health["state"] == "ready"
    return json_answer(health, 200 if is_ready else 503, None if is_ready else {"Retry-After": "1"})


@router.get("/v1/version", summary="What runs here", response_model=VersionOut)
async def version() -> Response:
    """Needs no token."""
    return json_answer({"name": "maskwright", "version": __version__, "api": "v1"})


@router.get("/v1/caller", summary="Who the server takes you for", response_model=CallerOut)
async def caller(service: ServiceOf, who: Reader) -> Response:
    """The name and scope of the token that came with the request, and the id of the store that it is for."""
    store = None if service.desk is None else service.desk.id
    return json_answer({"name": who.name, "scope": who.scope, "store": store})


@router.get(
    "/metrics",
    summary="What was counted, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text format 0.0.4"}},
)
async def metrics(service: ServiceOf, who: Reader) -> Response:
    """Numbers only, no names: any token will do, so that what collects them may do nothing else."""
    return Response(service.meter.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _health(request: Request, service: Service) -> dict[str, object]:
    status = service.engine.status()
    is_draining = status.is_draining or request.app.state.is_draining
    state = "draining" if is_draining else "ready" if status.is_ready else "starting"
    return {"state": state, "models": status.models, "devices": status.devices}


__all__ = ["router"]
