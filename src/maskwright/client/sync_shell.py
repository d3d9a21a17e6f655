"""`SyncShell`: carries out steps in the thread that asks. For any number of threads at a time."""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx

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


class SyncShell:
    """Connections to one server."""

    def __init__(self, link: Link, token: str | None) -> None:
        self._link = link
        self._http = httpx.Client(**http_settings(link, token))

    def run(self, steps: Steps[T]) -> T:
        """Carry out steps that come to one value."""
        with contextlib.closing(steps), contextlib.ExitStack() as streams:
            try:
                step = next(steps)
                while True:
                    step = go_on(steps, *self._outcome(step, streams))
            except StopIteration as end:
                return end.value

    def give(self, steps: Items[T]) -> Iterator[T]:
        """Carry out steps that give many."""
        with contextlib.closing(steps), contextlib.ExitStack() as streams:
            try:
                step = next(steps)
                while True:
                    if isinstance(step, Emit):
                        yield step.item
                        step = next(steps)
                    else:
                        step = go_on(steps, *self._outcome(step, streams))
            except StopIteration:
                return

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _outcome(self, step: Step, streams: contextlib.ExitStack) -> tuple[Any, Exception | None]:
        try:
            return self._do(step, streams), None
        except Exception as error:
            return None, error

    def _do(self, step: Step, streams: contextlib.ExitStack) -> Any:
        match step:
            case Send(request=request):
                return self._send(request)
            case Open(request=request):
                stream = _Stream(self._http, self._link, request)
                streams.callback(stream.close)
                return stream, stream.answer
            case Next(stream=stream):
                return stream.more()
            case Pause(seconds=seconds):
                time.sleep(seconds)
            case Work(do=do):
                return do()

    def _send(self, request: Request) -> Answer:
        try:
            response = self._http.send(http_request(self._http, self._link, request))
            return answer_of(response, content=response.content)
        except httpx.HTTPError as error:
            raise unanswered(error, request.timeout_s) from error


class _Stream:
    """An answer that is read as it comes."""

    def __init__(self, http: httpx.Client, link: Link, request: Request) -> None:
        self._timeout_s = request.timeout_s
        try:
            self._response = http.send(http_request(http, link, request), stream=True)
        except httpx.HTTPError as error:
            raise unanswered(error, request.timeout_s) from error
        self.answer = answer_of(self._response)
        self._parts = self._response.iter_raw()

    def more(self) -> bytes | None:
        """Wait for more."""
        try:
            part = next(self._parts, None)
        except httpx.HTTPError as error:
            self.close()
            raise unanswered(error, self._timeout_s) from error
        if part is None:
            self.close()
        return part

    def close(self) -> None:
        """Let the connection go; twice does no harm."""
        self._response.close()


def does(steps: Callable[Concatenate[S, P], Steps[T]]) -> Method[P, T]:
    """Make the method that carries steps out: with the same signature, but for what the steps know of the object."""

    @wraps(steps)
    def method(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._shell.run(steps(self._link, *args, **kwargs))

    return looks_like(steps, method, value_of(steps))


def gives(steps: Callable[Concatenate[S, P], Items[T]]) -> Method[P, Iterator[T]]:
    """Make the method that gives what steps give."""

    @wraps(steps)
    def method(self: Any, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._shell.give(steps(self._link, *args, **kwargs))

    return looks_like(steps, method, Iterator[item_of(steps)])  # pyrefly: ignore[invalid-annotation]


__all__ = ["SyncShell", "does", "gives"]
