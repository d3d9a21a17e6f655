"""`HttpProtocol`: uvicorn's HTTP connection with the bounds that it lacks.

Its parser takes headers without end, a connection that never says anything stays open, and the answer to one connection
too many is plain text. Here headers have a size and a time, and a full house says so in the shape of all errors.
"""

import asyncio
import json
import uuid
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskwright.core.errors import RequestError, TooManyRequests
from maskwright.serve.problems import Problem, problem_of

_MOST_HEADER_BYTES = 64 << 10
_HEADERS_WITHIN_S = 20.0
_REASONS = {422: "Unprocessable Entity", 429: "Too Many Requests"}


def http_protocol(most_connections: int) -> type[HttpToolsProtocol]:
    """Make the class of a server's connections."""

    class HttpProtocol(HttpToolsProtocol):
        _num_header_bytes = 0
        _hurry: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            """Turn one too many away at the door."""
            super().connection_made(transport)
            if len(self.connections) > most_connections:
                told = f"{most_connections} connections are open already. Come back in a second"
                self._refuse(problem_of(TooManyRequests(told)))
            else:
                self._expect_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            """Forget the clock."""
            self._headers_are_here()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """Count what comes before the end of the headers."""
            if self.transport.is_closing():
                return
            if self._hurry is None and self._is_between_requests():
                self._expect_headers()
            if self._hurry is not None:
                self._num_header_bytes += len(data)
            super().data_received(data)
            if self._hurry is not None and self._num_header_bytes > _MOST_HEADER_BYTES:
                told = f"the headers of a request may have {_MOST_HEADER_BYTES:,} bytes"
                self._refuse(problem_of(RequestError(told)))

        def send_400_response(self, msg: str) -> None:
            """Say in our own shape that it was not HTTP."""
            self._refuse(problem_of(RequestError("this is not a request of HTTP that can be read")))

        def on_headers_complete(self) -> None:
            """Leave the rest to the application's own limits."""
            self._headers_are_here()
            super().on_headers_complete()

        def _is_between_requests(self) -> bool:
            return self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body)

        def _expect_headers(self) -> None:
            self._num_header_bytes = 0
            self._hurry = self.loop.call_later(_HEADERS_WITHIN_S, self.transport.close)

        def _headers_are_here(self) -> None:
            if self._hurry is not None:
                self._hurry.cancel()
                self._hurry = None

        def _refuse(self, problem: Problem) -> None:
            body = json.dumps(problem.as_json(uuid.uuid4().hex)).encode()
            head = (
                f"HTTP/1.1 {problem.status} {_REASONS[problem.status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
            self.transport.close()

    return HttpProtocol


__all__ = ["http_protocol"]
