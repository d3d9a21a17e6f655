"""The request that is being worked on, for whatever happens on its behalf: log lines have its id, stages its span.

A context variable: tasks and threads that a request starts know it by themselves; lanes are told by `as_request`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """`span` is OpenTelemetry's, where requests are traced; who keeps the value does not look into it."""

    request_id: str
    span: object | None = None


R = TypeVar("R", RequestContext, RequestContext | None)

_CURRENT: ContextVar[RequestContext | None] = ContextVar("maskwright_request", default=None)


def current_request() -> RequestContext | None:
    """The request that is being worked on here, if any."""
    return _CURRENT.get()


def set_request(request: RequestContext | None) -> None:
    """Say which request the running task works on, to its end."""
    _CURRENT.set(request)


@contextmanager
def as_request(request: R) -> Iterator[R]:
    """Work on a request for a while."""
    token = _CURRENT.set(request)
    try:
        yield request
    finally:
        _CURRENT.reset(token)


__all__ = ["RequestContext", "as_request", "current_request", "set_request"]
