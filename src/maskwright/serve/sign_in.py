"""`SignIn`: the guard knows who asks before anything but health, version, API description and pages is answered."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from maskwright.core.errors import NotSignedIn, TooManyRequests
from maskwright.serve.guard import Guard
from maskwright.serve.meter import Meter
from maskwright.serve.values import Caller

# Browsers cannot send headers with a web socket. They offer this protocol, and "bearer.TOKEN" beside it.
SUBPROTOCOL = "maskwright.v1"
_BEARER = "bearer."

OPEN_PATHS = frozenset(["/v1/health/live", "/v1/health/ready", "/v1/version", "/openapi.json", "/docs"])


class SignIn:
    """ASGI middleware: puts the caller into the scope's state, where `access.caller_of` finds it."""

    def __init__(self, app: ASGIApp, guard: Guard, meter: Meter, open_paths: frozenset[str] = OPEN_PATHS) -> None:
        self._app, self._guard, self._meter, self._open_paths = app, guard, meter, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the guard."""
        if scope["type"] in ("http", "websocket"):
            scope["state"]["caller"] = self._caller(scope)
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        request_id = scope["state"]["request_id"]
        if scope["path"] in self._open_paths:
            return Caller(name="anyone", scope="read", request_id=request_id)
        try:
            return self._guard.admit(_authorization(scope), request_id)
        except (NotSignedIn, TooManyRequests) as error:
            self._meter.refused.labels("rate" if isinstance(error, TooManyRequests) else "token").inc()
            raise


def _authorization(scope: Scope) -> str | None:
    told = Headers(scope=scope).get("authorization")
    if told is None and scope["type"] == "websocket":
        offered = [one for one in scope.get("subprotocols", ()) if one.startswith(_BEARER)]
        told = f"Bearer {offered[0].removeprefix(_BEARER)}" if offered else None
    return told


__all__ = ["OPEN_PATHS", "SUBPROTOCOL", "SignIn"]
