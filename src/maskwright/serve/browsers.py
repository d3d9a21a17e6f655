"""What browsers may do with a server: the names it answers to, the pages that may call it, the uses of an answer.

A server without tokens listens on this machine only, and every page that its user opens runs on this machine too. So it
answers to the machine's own names alone (a page whose name is made to point here, "DNS rebinding", has another), and
refuses pages of other origins outright: without that a form could post to it. With tokens a page without one gets
nothing, and proxies may change names; there, only CORS tells origins apart.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskwright.core.errors import NotAllowed
from maskwright.serve.guard import is_loopback
from maskwright.serve.meter import Meter

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id"
_ANSWER_HEADERS = "ETag, Location, Retry-After, X-Request-Id"
# Unless a route knows better.
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("Cache-Control", "no-store"),
)


class BrowserHeaders:
    """ASGI middleware, outermost: headers that tell browsers what not to do with an answer, and CORS."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app, self._origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add headers to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS:
                    headers.setdefault(name, value)
                self._allow(headers, origin)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _allow(self, headers: MutableHeaders, origin: str | None) -> None:
        if not self._origins:
            return
        headers.add_vary_header("Origin")
        if origin in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS


class BrowserRules:
    """ASGI middleware: refuses what browsers should not ask, and answers their question beforehand (preflight)."""

    def __init__(self, app: ASGIApp, origins: Iterable[str], meter: Meter, *, is_open: bool) -> None:
        self._app, self._origins, self._meter, self._is_open = app, frozenset(origins), meter, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host", "")
        if self._is_open:
            self._check_host(host)
            self._check_origin(origin, host)
        is_preflight = scope.get("method") == "OPTIONS" and "access-control-request-method" in headers
        if origin is not None and is_preflight:
            if origin not in self._origins:
                self._refuse(f"pages of {origin[:100]!r} may not call this server. Start it with --origin ORIGIN")
            await _PREFLIGHT(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, host: str) -> None:
        if not is_loopback(_name_of(host)):
            self._refuse(f"this server answers to localhost and 127.0.0.1 only, got the host {host[:100]!r}")

    def _check_origin(self, origin: str | None, host: str) -> None:
        own = (f"http://{host}", f"https://{host}")
        if origin is not None and origin not in self._origins and origin not in own:
            self._refuse(f"pages of {origin[:100]!r} may not call this server. Start it with --origin ORIGIN")

    def _refuse(self, why: str) -> None:
        self._meter.refused.labels("browser").inc()
        raise NotAllowed(why)


_PREFLIGHT = Response(
    status_code=204,
    headers={
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _REQUEST_HEADERS,
        "Access-Control-Max-Age": "600",
    },
)


def _name_of(host: str) -> str:
    """Take the port off a Host header."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


__all__ = ["BrowserHeaders", "BrowserRules"]
