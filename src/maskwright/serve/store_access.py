"""What the routes of the store ask for in their signatures: the desk, and the headers of writes."""

from functools import cache
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import Depends, Header, Request
from pydantic import BaseModel, ValidationError

from maskwright.core.errors import RequestError, StoreMissing
from maskwright.serve.access import ServiceOf
from maskwright.serve.answers import request_error
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.wire import ErrorOut, parse

M = TypeVar("M", bound=BaseModel)
_PARSED_AT_ONCE = 64 << 10  # bytes; longer bodies are parsed beside the event loop


async def desk_of(service: ServiceOf) -> StoreDesk:
    """The desk of the service.

    Raises:
        StoreMissing: the server has no store.
    """
    if service.desk is None:
        raise StoreMissing("this server has no store: it was started without one. maskwright serve STORE has one")
    return service.desk


async def body_of_request(request: Request, kind: type[M]) -> M:
    """Read a body.

    Raises:
        RequestError, TooLarge: it is malformed, or too long.
    """
    content = await request.body()
    if len(content) < _PARSED_AT_ONCE:
        return parse(kind, content)
    return await to_thread.run_sync(parse, kind, content)


def asked_of(request: Request, kind: type[M]) -> M:
    """Read conditions from the query string: what the framework would do, in a fifth of the time.

    Raises:
        RequestError: one is unknown, malformed or of another type.
    """
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in _lists_of(kind):
            found.setdefault(name, []).append(value)
        elif found.setdefault(name, value) is not value:
            raise RequestError(f"query.{name}: takes one value, got several")
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        told: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
        raise request_error([{**one, "loc": ("query", *one["loc"])} for one in told]) from error


def asked_in(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe what `asked_of` reads. For `openapi_extra` of a route."""
    parameters, described = [], kind.model_json_schema()
    for name, schema in described["properties"].items():
        about = {key: value for key, value in schema.items() if key != "title"}
        is_required = name in described.get("required", ())
        parameters.append({"name": name, "in": "query", "required": is_required, "schema": about})
    return {"parameters": parameters}


@cache
def _lists_of(kind: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, one in kind.model_fields.items() if "list[" in str(one.annotation))


DeskOf = Annotated[StoreDesk, Depends(desk_of)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Send the same request again with the same key, and it is done once; the answer is the first's.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=10_000,
        description="The etag that the edited record is expected to have, or * for any. Of several: if_match.",
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=10_000, description="An etag, or several.")
]

STORE_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "The server has no store"},
    500: {"model": ErrorOut, "description": "A file of the store is missing or damaged"},
}
NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "It is not in the store, or the server has none"}
}
CONFLICTS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "A record or event that is named is not there, or the server has no store"},
    409: {"model": ErrorOut, "description": "An id or an idempotency key is taken"},
    413: {"model": ErrorOut, "description": "The body is too long, or there is too much in it"},
    507: {"model": ErrorOut, "description": "The disk is full; nothing of the request is in the store"},
}

__all__ = [
    "CONFLICTS",
    "NOT_THERE",
    "STORE_ERRORS",
    "DeskOf",
    "IfMatch",
    "IfNoneMatch",
    "Key",
    "asked_in",
    "asked_of",
    "body_of_request",
    "desk_of",
]
