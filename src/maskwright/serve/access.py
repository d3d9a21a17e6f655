"""What a route asks for in its signature: the service, and a caller who may do it.

@router.get("/records/{record_id}")
async def read(record_id: str, service: ServiceOf, caller: Reader) -> RecordOut: ...

All are coroutines although none waits: FastAPI sends plain functions to a thread each, which costs more than a click.
"""

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from maskwright.core.errors import NotAllowed
from maskwright.serve.service import Service
from maskwright.serve.values import Caller, Scope


async def service_of(connection: HTTPConnection) -> Service:
    """The service behind the application of a request or web socket."""
    return cast(Service, connection.app.state.service)


async def caller_of(connection: HTTPConnection) -> Caller:
    """Who asks; the guard has looked at the token before any route runs."""
    return cast(Caller, connection.state.caller)


class _May:
    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope

    async def __call__(self, connection: HTTPConnection) -> Caller:
        caller = await caller_of(connection)
        if not caller.may(self.scope):
            raise NotAllowed(f"this needs a token with the scope {self.scope}, got one with {caller.scope}")
        return caller


ServiceOf = Annotated[Service, Depends(service_of)]
Reader = Annotated[Caller, Depends(_May("read"))]
Annotator = Annotated[Caller, Depends(_May("annotate"))]
Reviewer = Annotated[Caller, Depends(_May("review"))]
Admin = Annotated[Caller, Depends(_May("admin"))]

__all__ = ["Admin", "Annotator", "Reader", "Reviewer", "ServiceOf", "caller_of", "service_of"]
