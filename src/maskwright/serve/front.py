"""`Front`: every request gets an id, an answer, a line in the access log and its place in the metrics.

What nobody foresaw is answered here too: the traceback goes into the log, the client gets the request's id.
The access log has JSON lines under the name "maskwright.access"; neither pictures nor tokens nor queries are in it.
"""

import json
import logging
import re
import uuid
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskwright.core.errors import MaskwrightError
from maskwright.serve.answers import error_answer
from maskwright.serve.meter import Meter
from maskwright.serve.problems import problem_of
from maskwright.serve.request_context import RequestContext, as_request
from maskwright.serve.sign_in import OPEN_PATHS
from maskwright.serve.tracing import trace_id_of

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("maskwright.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOBODY_LEFT = 499  # as nginx writes it: the client went before there was an answer


class Front:
    """ASGI middleware around all others that may raise."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app, self._meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and see to it that there is an answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        with as_request(self._begin(exchange)) as request:
            try:
                await self._app(scope, receive, exchange.send)
            except Exception as error:
                await exchange.fail(error, receive)
            finally:
                self._tell(exchange, request)

    def _begin(self, exchange: "_Exchange") -> RequestContext:
        tracing = self._meter.tracing
        span = None if tracing is None else tracing.begin(exchange.method, Headers(scope=exchange.scope))
        return RequestContext(request_id=exchange.request_id, span=span)

    def _tell(self, exchange: "_Exchange", request: RequestContext) -> None:
        seconds = perf_counter() - exchange.began
        route, status = exchange.route, exchange.status or _NOBODY_LEFT
        if self._meter.tracing is not None:
            facts = {"http.request.method": exchange.method, "http.route": route, "http.response.status_code": status}
            facts["maskwright.request_id"] = exchange.request_id
            self._meter.tracing.end(request.span, f"{exchange.method} {route}", facts, failed=status >= 500)
        self._meter.requests.labels(route, str(status)).inc()
        if not exchange.is_socket:
            self._meter.latency.labels(route).observe(seconds)
        if _access_log.isEnabledFor(logging.INFO):
            _access_log.info(exchange.line(status, seconds, trace_id_of(request.span)))


class _Exchange:
    """One request and what is sent in answer to it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send = scope, send
        self.is_socket = scope["type"] == "websocket"
        self.began = perf_counter()
        self.status, self.num_bytes = 0, 0
        self.request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = self.request_id

    @property
    def method(self) -> str:
        """The method of HTTP, or that it is a web socket."""
        return "WEBSOCKET" if self.is_socket else self.scope["method"]

    @property
    def route(self) -> str:
        """The template of the path, so that metrics and logs have few names and no ids."""
        path = self.scope["path"]
        return getattr(self.scope.get("route"), "path", path if path in OPEN_PATHS else "unmatched")

    async def send(self, message: Message) -> None:
        """Pass a message on, having looked at it."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
            case "websocket.accept":
                self.status = 101
            case "http.response.body":
                self.num_bytes += len(message.get("body", b""))
        await self._send(message)

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Answer with an error, if there is still somebody to answer to."""
        if not isinstance(error, MaskwrightError):
            _log.error("request %s failed", self.request_id, exc_info=error)
        if self.is_socket:
            await self._fail_socket(error, receive)
        elif not self.status:
            await error_answer(error, self.request_id)(self.scope, receive, self.send)
        else:
            raise error  # half an answer is out: the server closes the connection, so that it is not taken for a whole

    async def _fail_socket(self, error: Exception, receive: Receive) -> None:
        problem = problem_of(error)
        if not self.status and "websocket.http.response" in self.scope.get("extensions", {}):
            await error_answer(error, self.request_id)(self.scope, receive, self.send)
            return
        code = 1011 if problem.status >= 500 else 1008
        await self._send({"type": "websocket.close", "code": code, "reason": problem.code})
        self.status = self.status or problem.status

    def line(self, status: int, seconds: float, trace_id: str | None) -> str:
        """The request's line in the access log."""
        caller = self.scope["state"].get("caller")
        facts: MutableMapping[str, Any] = {
            "method": self.method,
            "route": self.route,
            "status": status,
            "ms": round(1000 * seconds, 2),
            "bytes": self.num_bytes,
            "client": None if caller is None else caller.name,
            "request_id": self.request_id,
            **({} if trace_id is None else {"trace_id": trace_id}),
        }
        return json.dumps(facts)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return given
    return uuid.uuid4().hex


__all__ = ["Front"]
