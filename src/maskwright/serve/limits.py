"""Bounds on what is in the air: requests at a time, the bytes of one body, the bytes of all bodies together."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskwright.core.errors import RequestError, ServerStopping, TooLarge, TooManyRequests
from maskwright.serve.meter import Meter
from maskwright.serve.sign_in import OPEN_PATHS

# Bodies of this many full-size uploads may be in memory together.
_FULL_BODIES = 8
_CHUNK_WITHIN_S = 30.0


class Crowd:
    """ASGI middleware: no more than so many requests and sockets at a time. Health is answered always."""

    def __init__(self, app: ASGIApp, most: int, meter: Meter) -> None:
        self._app, self._most, self._meter = app, most, meter
        self._num_here = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in as long as there is room."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if self._num_here >= self._most:
            self._meter.refused.labels("crowd").inc()
            raise TooManyRequests(f"{self._most} requests are being answered already. Come back in a second")
        self._num_here += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._num_here -= 1


class BodyLimit:
    """ASGI middleware: refuses bodies that say they are too long, that turn out to be, and that stop arriving."""

    def __init__(self, app: ASGIApp, max_bytes: int, meter: Meter) -> None:
        self._app, self._max_bytes, self._meter = app, max_bytes, meter
        self._in_memory, self._most_in_memory = 0, _FULL_BODIES * max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count while the application reads."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "")
        if said.isdecimal() and int(said) > self._max_bytes:
            raise self._too_large()
        body = _Body(self, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if body.error is not None:
                raise body.error from None
            raise
        finally:
            self._in_memory -= body.num_bytes
        if body.error is not None:
            raise body.error

    def _too_large(self) -> TooLarge:
        self._meter.refused.labels("body").inc()
        return TooLarge(f"a request's body may have {self._max_bytes:,} bytes at most")

    def count(self, num_before: int, num_more: int) -> None:
        """Add the bytes of a chunk to a body of so many."""
        if num_before + num_more > self._max_bytes:
            raise self._too_large()
        if self._in_memory + num_more > self._most_in_memory:
            self._meter.refused.labels("bodies").inc()
            raise ServerStopping("too many uploads at a time. Send it again in a second")
        self._in_memory += num_more


class _Body:
    """One request's body as it arrives."""

    def __init__(self, limit: BodyLimit, receive: Receive, send: Send) -> None:
        self._limit, self._receive, self._send = limit, receive, send
        self.num_bytes = 0
        self._is_whole = False
        # What went wrong while reading, and is still to be told.
        self.error: Exception | None = None

    async def receive(self) -> Message:
        """Pass on a chunk."""
        if self._is_whole:  # what comes now is that the client goes
            return await self._receive()
        try:
            async with asyncio.timeout(_CHUNK_WITHIN_S):
                message = await self._receive()
            if message["type"] == "http.request":
                num_more = len(message.get("body", b""))
                self._limit.count(self.num_bytes, num_more)
                self.num_bytes += num_more
                self._is_whole = not message.get("more_body", False)
        except TimeoutError:
            self.error = RequestError(f"the body stopped arriving for {_CHUNK_WITHIN_S:g} seconds. Send it again")
            raise self.error from None
        except (TooLarge, ServerStopping) as error:
            self.error = error
            raise
        return message

    async def send(self, message: Message) -> None:
        """Pass on an answer, unless it was given in ignorance: frameworks turn errors of reading into their own."""
        if self.error is None:
            await self._send(message)


__all__ = ["BodyLimit", "Crowd"]
