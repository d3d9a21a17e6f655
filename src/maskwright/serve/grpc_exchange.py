"""`Exchange`: what is around every call of gRPC, as `front.py` and `sign_in.py` are around every request of REST.

It gives the call an id, asks the guard who calls, turns errors into gRPC's statuses, and tells log and metrics.
"""

import asyncio
import json
import logging
import math
import re
import time
import uuid
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from maskwright.core.errors import MaskwrightError, NotAllowed, NotSignedIn, TooManyRequests
from maskwright.serve.problems import problem_of
from maskwright.serve.request_context import RequestContext, set_request
from maskwright.serve.service import Service
from maskwright.serve.tracing import trace_id_of
from maskwright.serve.values import Caller, Scope

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("maskwright.access")
_OURS = ("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED")  # statuses that are no fault of the caller's
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Exchange:
    """One call, as an asynchronous context; entered, it gives the caller.

    Raises:
        NotSignedIn, TooManyRequests: the guard does not let the call in.
        NotAllowed: the caller's token does not reach so far.
    """

    def __init__(self, service: Service, context: Any, method: str, scope: Scope | None = "read") -> None:
        self._service, self._context = service, context
        self._scope: Scope | None = scope
        self._route = f"grpc/{method}"
        self._began = time.perf_counter()
        told = {str(key): value for key, value in context.invocation_metadata() or ()}
        self._authorization = told.get("authorization")
        given = told.get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(str(given)) else uuid.uuid4().hex
        tracing = service.meter.tracing
        self._span = None if tracing is None else tracing.begin(self._route, told)
        self._caller: Caller | None = None

    async def __aenter__(self) -> Caller:
        """Let the caller in, or end the call."""
        set_request(RequestContext(request_id=self.request_id, span=self._span))
        try:
            caller = Caller(name="anyone", scope="read", request_id=self.request_id)
            if self._scope is not None:
                caller = self.admit()
                if not caller.may(self._scope):
                    raise NotAllowed(f"this needs a token with the scope {self._scope}, got one with {caller.scope}")
        except MaskwrightError as error:
            await self._fail(error)
            raise
        self._caller = caller
        return caller

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the call with the status that fits."""
        if error is None:
            self._context.set_trailing_metadata((("x-request-id", self.request_id),))
            self._tell("OK")
        elif isinstance(error, asyncio.CancelledError):
            self._tell("CANCELLED")
        elif isinstance(error, Exception):
            await self._fail(error)

    def admit(self) -> Caller:
        """Ask the guard; in a stream of requests, for each."""
        try:
            return self._service.guard.admit(self._authorization, self.request_id)
        except (NotSignedIn, TooManyRequests) as error:
            self._service.meter.refused.labels("rate" if isinstance(error, TooManyRequests) else "token").inc()
            raise

    def deadline(self) -> float:
        """The moment until which the call's work has to begin: the client's deadline or, if sooner, the server's."""
        left_s = self._context.time_remaining()
        most_s = self._service.settings.deadline_s
        return time.monotonic() + (most_s if left_s is None else min(left_s, most_s))

    async def _fail(self, error: Exception) -> None:
        problem = problem_of(error)
        if not isinstance(error, MaskwrightError):
            _log.error("call %s of %s failed", self.request_id, self._route, exc_info=error)
        self._tell(problem.grpc_status)
        metadata = [("x-request-id", self.request_id), ("maskwright-code", problem.code)]
        if problem.retry_after_s is not None:
            metadata.append(("retry-after", str(max(1, math.ceil(problem.retry_after_s)))))
        await self._context.abort(grpc.StatusCode[problem.grpc_status], problem.message, tuple(metadata))

    def _tell(self, status: str) -> None:
        seconds = time.perf_counter() - self._began
        self._service.meter.requests.labels(self._route, status).inc()
        self._service.meter.latency.labels(self._route).observe(seconds)
        if self._service.meter.tracing is not None:
            facts = {"rpc.system": "grpc", "rpc.method": self._route, "rpc.grpc.status": status}
            facts["maskwright.request_id"] = self.request_id
            self._service.meter.tracing.end(self._span, self._route, facts, failed=status in _OURS)
        if _access_log.isEnabledFor(logging.INFO):
            facts = {
                "method": "GRPC",
                "route": self._route,
                "status": status,
                "ms": round(1000 * seconds, 2),
                "client": None if self._caller is None else self._caller.name,
                "request_id": self.request_id,
                **({} if self._span is None else {"trace_id": trace_id_of(self._span)}),
            }
            _access_log.info(json.dumps(facts))


__all__ = ["Exchange"]
