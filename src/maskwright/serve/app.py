"""`build_app`: a service as an ASGI application. Puts routes, errors and middleware together; decides nothing else.

From the outside in: headers for browsers, `Front` (ids, errors, log, metrics), rules for browsers, the crowd, sign-in,
the body's limit, the routes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from maskwright import __version__
from maskwright.core.errors import MaskwrightError, RequestError
from maskwright.serve.answers import error_answer, problem_answer, request_error
from maskwright.serve.browsers import BrowserHeaders, BrowserRules
from maskwright.serve.description import describe
from maskwright.serve.front import Front
from maskwright.serve.limits import BodyLimit, Crowd
from maskwright.serve.pages import Pages, packaged_pages
from maskwright.serve.problems import Problem
from maskwright.serve.routes import (
    cvat,
    events,
    everything,
    frames,
    health,
    images,
    jobs,
    label_studio,
    models,
    presence,
    queries,
    records,
    review,
    segment,
    timeline,
    tracks,
)
from maskwright.serve.service import Service
from maskwright.serve.sign_in import OPEN_PATHS, SignIn
from maskwright.serve.wire import ErrorOut

# Routes are looked through in this order: clicks first.
_ROUTES = (
    segment,
    images,
    everything,
    health,
    models,
    records,
    events,
    queries,
    frames,
    presence,
    review,
    timeline,
    jobs,
    tracks,
    label_studio,
    cvat,
)

_ANY_ERROR: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "No token, or one that is not known"},
    403: {"model": ErrorOut, "description": "The token does not reach so far"},
    422: {"model": ErrorOut, "description": "The request is malformed"},
    429: {"model": ErrorOut, "description": "Too many requests; Retry-After says when to come back"},
    503: {"model": ErrorOut, "description": "The server is starting or stopping; Retry-After says when to come back"},
}


def build_app(service: Service) -> FastAPI:
    """Make the application of a service. Its lifespan starts the engine and drains it.

    A server with a store has the review application at /.
    """
    pages = None if service.desk is None else packaged_pages()
    app = FastAPI(
        title="maskwright",
        version=__version__,
        summary="Masks from clicks, boxes, masks and words; tracks; and the store that they are reviewed in.",
        lifespan=_lifespan,
        docs_url=None,  # which would load scripts from elsewhere; /docs is our own page
        redoc_url=None,
        middleware=_middleware(service, pages),
        responses=_ANY_ERROR,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            MaskwrightError: _on_known,
            RequestValidationError: _on_invalid,
            HTTPException: _on_http,
        },
    )
    app.state.service = service
    app.state.is_draining = False
    for module in _ROUTES:
        app.include_router(module.router)
    if pages is not None:
        app.router.routes.extend(pages.routes())
    # What routes read themselves is to be in OpenAPI too.
    describe(app, [body for module in _ROUTES for body in getattr(module, "BODIES", ())])
    return app


def _middleware(service: Service, pages: Pages | None) -> list[Middleware]:
    settings, guard, meter = service.settings, service.guard, service.meter
    open_paths = OPEN_PATHS | (frozenset() if pages is None else pages.paths)
    return [
        Middleware(BrowserHeaders, settings.origins),
        Middleware(Front, meter),
        Middleware(BrowserRules, settings.origins, meter, is_open=not guard.needs_tokens),
        Middleware(Crowd, settings.max_connections, meter),
        Middleware(SignIn, guard, meter, open_paths),
        Middleware(BodyLimit, settings.max_body_bytes, meter),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the engine without making health wait for it; at the end, let what is queued finish."""
    service: Service = app.state.service
    starting: asyncio.Task[None] = asyncio.create_task(service.engine.start())
    app.state.starting = starting
    try:
        yield
    finally:
        app.state.is_draining = True
        starting.cancel()
        with suppress(asyncio.CancelledError, Exception):  # whoever waits for it tells why it failed
            await starting
        await drain_sessions(service)
        await service.engine.drain(service.settings.drain_s)
        await asyncio.to_thread(_close, service)


async def drain_sessions(service: Service) -> None:
    """Begin no more tracks and jobs, and finish those there are as long as there is time. Twice does no harm."""
    seconds = service.settings.drain_s
    if service.desk is not None:
        await service.desk.drain()
    await asyncio.gather(service.tracks.drain(seconds), service.jobs.drain(seconds))


def _close(service: Service) -> None:
    """Write what is still to be written, and let files go."""
    service.images.close()
    if service.desk is not None:
        service.desk.close()


async def _on_known(request: Request, error: Exception) -> Response:
    return error_answer(error, request.state.request_id)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_answer(request_error(error.errors()), request.state.request_id)


async def _on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework found: no such path, another method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # a body that its parser could make nothing of
        return error_answer(RequestError(f"the request cannot be read: {error.detail}"), request.state.request_id)
    status = HTTPStatus(error.status_code)
    told = {
        404: "there is nothing at this path. /docs lists what there is",
        405: f"this path does not take {request.method}. /docs lists what there is",
    }
    problem = Problem(
        status=status.value,
        grpc_status="INVALID_ARGUMENT",
        code=status.name.lower(),
        message=told.get(status.value, str(error.detail)),
    )
    return problem_answer(problem, request.state.request_id, error.headers)


__all__ = ["build_app", "drain_sessions"]
