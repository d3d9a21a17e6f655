"""What both shells share: the settings of httpx, its requests and its errors, in one place."""

import inspect
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args, get_origin, overload

import httpx

from maskwright.client.link import Link
from maskwright.client.steps import Answer, Emit, Form, Request, Unanswered
from maskwright.core.errors import SettingError

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T", covariant=True)

# As many threads or tasks may ask at a time; more wait for each other.
_MOST_CONNECTIONS = 64
_CONNECT_S = 10.0
_TOKEN = re.compile(r"[\x21-\x7e]+")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Method(Protocol[P, T]):
    """A function that a class has: asked of an object, it wants no `self`."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> Callable[Concatenate[Any, P], T]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Callable[P, T]: ...


def http_settings(link: Link, token: str | None) -> dict[str, Any]:
    """Say how httpx is to be set up. A proxy of the environment has no business between two programs of a machine.

    Raises:
        SettingError: the token cannot be one.
    """
    if token is not None and not _TOKEN.fullmatch(token):
        raise SettingError("a token has no spaces, line ends or letters beyond ASCII; this one has. Copy it again")
    headers = {"User-Agent": f"maskwright/{version('maskwright')}", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return {
        "headers": headers,
        "limits": httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_CONNECTIONS),
        "follow_redirects": False,  # the token is for this address alone
        "trust_env": not link.is_near,
    }


def http_request(http: httpx.Client | httpx.AsyncClient, link: Link, request: Request) -> httpx.Request:
    """Make httpx's request; a new one for each try, since bodies are read once.

    Raises:
        SettingError: the client is closed.
    """
    if http.is_closed:
        raise SettingError("this client is closed. Make another one, or keep it open until its work is done")
    headers = dict(request.headers)
    if request.key is not None:
        headers["Idempotency-Key"] = request.key
    timeout = httpx.Timeout(request.timeout_s, connect=min(_CONNECT_S, request.timeout_s), pool=None)
    body: dict[str, Any] = {"content": request.body} if request.body else {}
    if isinstance(request.body, Form):
        files = {"picture": ("picture", request.body.picture), "request": (None, request.body.request)}
        body = {"files": files}
    return http.build_request(
        request.method, link.url + request.path, params=tuple(request.query) or None, headers=headers,
        timeout=timeout, **body,
    )  # fmt: skip


def answer_of(response: httpx.Response, *, content: bytes = b"") -> Answer:
    """Take what steps need of a response."""
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        content=content,
    )


def unanswered(error: httpx.HTTPError, timeout_s: float) -> Unanswered:
    """Say why nothing came back."""
    is_timeout = isinstance(error, httpx.TimeoutException)
    was_sent = not isinstance(error, _NOT_SENT)
    if is_timeout and was_sent:
        told = f"nothing in {timeout_s:g} seconds"
    else:
        told = str(error).strip().rstrip(".") or type(error).__name__
    return Unanswered(told, was_sent=was_sent, is_timeout=is_timeout)


def value_of(steps: Callable[..., Any]) -> Any:
    """The type of what steps come to, as their signature says."""
    return get_args(inspect.signature(steps).return_annotation)[2]


def item_of(steps: Callable[..., Any]) -> Any:
    """The type of what steps give."""
    parts = get_args(get_args(inspect.signature(steps).return_annotation)[0])
    return next(get_args(part)[0] for part in parts if get_origin(part) is Emit)


def looks_like(steps: Callable[..., Any], method: F, returns: Any) -> F:
    """Have `help` show a method's own signature instead of that of its steps."""
    signature = inspect.signature(steps)
    first, *others = signature.parameters.values()
    shown = signature.replace(parameters=[first.replace(name="self", annotation=first.empty), *others])
    method.__signature__ = shown.replace(return_annotation=returns)  # pyrefly: ignore[missing-attribute]
    return method


__all__ = ["Method", "answer_of", "http_request", "http_settings", "item_of", "looks_like", "unanswered", "value_of"]
