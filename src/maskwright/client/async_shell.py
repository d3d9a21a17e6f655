"""`AsyncShell`: carries out steps on an event loop, and computes beside it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio
import httpx
from anyio import to_thread

from maskwright.client.link import Link
from maskwright.client.shell import (
    Method,
    answer_of,
    http_request,
    http_settings,
    item_of,
    looks_like,
    unanswered,
    value_of,
)
from maskwright.client.steps import Answer, Emit, Items, Next, Open, Pause, Request, Send, Step, Steps, Work, go_on

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


class AsyncShell:
    """Connections to one server."""

    def __init__(self, link: Link, token: str | None) -> None:
        self._link = link
        self._http = httpx.AsyncClient(**http_settings(link, token))

    async def run(self, steps: Steps[T]) -> T:
        """Carry out steps that come to one value."""
        with contextlib.closing(steps):
            async with contextlib.AsyncExitStack() as streams:
                try:
                    step = next(steps)
                    while True:
                        step = go_on(steps, *await self._outcome(step, streams))
                except StopIteration as end:
                    return end.value

    async def give(self, steps: Items[T]) -> AsyncIterator[T]:
        """Carry out steps that give many."""
        with contextlib.closing(steps):
            async with contextlib.AsyncExitStack() as streams:
                try:
                    step = next(steps)
                    while True:
                        if isinstance(step, Emit):
                            yield step.item
                            step = next(steps)
                        else:
                            step = go_on(steps, *await self._outcome(step, streams))
                except StopIteration:
                    return

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _outcome(self, step: Step, streams: contextlib.AsyncExitStack) -> tuple[Any, Exception | None]:
        try:
            return await self._do(step, streams), None
        except Exception as error:
            return None, error

    async def _do(self, step: Step, streams: contextlib.AsyncExitStack) -> Any:
        match step:
            case Send(request=request):
                return await self._send(request)
            case Open(request=request):
                stream = await _Stream.of(self._http, self._link, request)
                streams.push_async_callback(stream.close)
                return stream, stream.answer
            case Next(stream=stream):
                return await stream.more()
            case Pause(seconds=seconds):
                await anyio.sleep(seconds)
            case Work(do=do):
                return await to_thread.run_sync(do)

    async def _send(self, request: Request) -> Answer:
        try:
            response = await self._http.send(http_request(self._http, self._link, request))
            return answer_of(response, content=response.content)
        except httpx.HTTPError as error:
            raise unanswered(error, request.timeout_s) from error


class _Stream:
    """An answer that is read as it comes."""

    def __init__(self, response: httpx.Response, timeout_s: float) -> None:
        self._response, self._timeout_s = response, timeout_s
        self.answer = answer_of(response)
        self._parts = response.aiter_raw()

    @classmethod
    async def of(cls, http: httpx.AsyncClient, link: Link, request: Request) -> "_Stream":
        """Send a request and wait for the head of its answer."""
        try:
            response = await http.send(http_request(http, link, request), stream=True)
        except httpx.HTTPError as error:
            raise unanswered(error, request.timeout_s) from error
        return cls(response, request.timeout_s)

    async def more(self) -> bytes | None:
        """Wait for more."""
        try:
            part = await anext(self._parts, None)
        except httpx.HTTPError as error:
            await self.close()
            raise unanswered(error, self._timeout_s) from error
        if part is None:
            await self.close()
        return part

    async def close(self) -> None:
        """Let the connection go; twice does no harm."""
        await self._response.aclose()


def does(steps: Callable[Concatenate[S, P], Steps[T]]) -> Method[P, Awaitable[T]]:
    """Make the coroutine that carries steps out: with the same signature, but for what the steps know of the object."""

    @wraps(steps)
    async def method(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._shell.run(steps(self._link, *args, **kwargs))

    return looks_like(steps, method, value_of(steps))


def gives(steps: Callable[Concatenate[S, P], Items[T]]) -> Method[P, AsyncIterator[T]]:
    """Make the method that gives what steps give."""

    @wraps(steps)
    def method(self: Any, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self._shell.give(steps(self._link, *args, **kwargs))

    return looks_like(steps, method, AsyncIterator[item_of(steps)])  # pyrefly: ignore[invalid-annotation]


__all__ = ["AsyncShell", "does", "gives"]
