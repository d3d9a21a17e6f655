"""`ask`: send a request until it is answered, as long as that is worth it.

A request that the server refused for now (429, 503) is sent again after as long as it asks for. One that got no answer
is sent again if it had not been sent at all, or if sending it twice does no harm: reading does none, and of what is
written with a key the server knows the repetition. What timed out is repeated only with a key, where not knowing
whether it was written would be worse than waiting; anything else would time out once more.
Pauses together take no longer than the client's timeout.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from maskwright.client.answers import error_in, read_json, retry_after_s, unanswered
from maskwright.client.link import Link
from maskwright.client.steps import Answer, Next, Open, Pause, Request, Send, Steps, Unanswered, work
from maskwright.core.errors import MaskwrightError, ServerUnreachable

T = TypeVar("T")

_NOT_NOW = (429, 503)
# What a proxy says whose server is not there. Ours says 504 too, in its own shape and for another reason.
_FROM_BETWEEN = (502, 503, 504)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_READ_AT_ONCE = 64 << 10  # bytes; longer answers are read beside the event loop


def ask(link: Link, request: Request, read: Callable[[Any], T]) -> Steps[T]:
    """Send a request and make a value of the JSON of its answer.

    Raises:
        ServerUnreachable: nobody answers, or it is not a server of ours.
        MaskwrightError: what the server says.
    """
    answer = yield from answered(link, request)
    if len(answer.content) <= _READ_AT_ONCE:
        return read_json(link, answer, read)
    return (yield from work(lambda: read_json(link, answer, read)))


def answered(link: Link, request: Request) -> Steps[Answer]:
    """Send a request until it is answered well.

    Raises:
        ServerUnreachable, MaskwrightError: as `ask` does.
    """
    return (yield from _insist(link, request, _send))


def opened(link: Link, request: Request) -> Steps[Any]:
    """Send a request until it is answered well, and leave the answer open: the stream for `Next`.

    Raises:
        ServerUnreachable, MaskwrightError: as `ask` does.
    """
    return (yield from _insist(link, request, _open))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    error: MaskwrightError
    is_worth_repeating: bool
    retry_after_s: float | None = None


def _insist(link: Link, request: Request, once: Callable[[Link, Request], Steps[T | _Failure]]) -> Steps[T]:
    request_id = uuid.uuid4().hex
    request = replace(request, headers={**request.headers, "X-Request-Id": request_id})
    num_tries, waited_s = 0, 0.0
    while True:
        outcome = yield from once(link, request)
        if not isinstance(outcome, _Failure):
            return outcome
        pause_s = pause_before_next(num_tries, outcome.retry_after_s)
        is_last = num_tries >= link.retries or waited_s + pause_s > link.timeout_s
        if is_last or not outcome.is_worth_repeating:
            outcome.error.add_note(f"request {request_id}")
            raise outcome.error
        yield Pause(pause_s)
        num_tries, waited_s = num_tries + 1, waited_s + pause_s


def _send(link: Link, request: Request) -> Steps[Answer | _Failure]:
    try:
        answer = yield Send(request)
    except Unanswered as error:
        return _nothing_came(link, request, error)
    return answer if _is_good(request, answer) else _refused(link, request, answer)


def _open(link: Link, request: Request) -> Steps[Any]:
    try:
        stream, answer = yield Open(request)
        if _is_good(request, answer):
            return stream
        parts: list[bytes] = []
        while (part := (yield Next(stream))) is not None:
            parts.append(part)
    except Unanswered as error:
        return _nothing_came(link, request, error)
    return _refused(link, request, replace(answer, content=b"".join(parts)))


def _is_good(request: Request, answer: Answer) -> bool:
    return answer.status < 300 or answer.status in request.accepts


def _nothing_came(link: Link, request: Request, error: Unanswered) -> _Failure:
    has_key = request.key is not None
    does_no_harm = has_key or (request.is_repeatable and not error.is_timeout)
    return _Failure(error=unanswered(link, str(error)), is_worth_repeating=does_no_harm or not error.was_sent)


def _refused(link: Link, request: Request, answer: Answer) -> _Failure:
    error = error_in(link, answer)
    is_between = isinstance(error, ServerUnreachable) and answer.status in _FROM_BETWEEN
    return _Failure(
        error=error,
        is_worth_repeating=answer.status in _NOT_NOW or (is_between and request.is_repeatable),
        retry_after_s=retry_after_s(answer),
    )


def pause_before_next(num_tries: int, told_s: float | None = None) -> float:
    """So many seconds before another try: as many as were told, or more each time; never all clients at once."""
    if told_s is not None:
        return told_s * random.uniform(1.0, 1.25)
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(num_tries, 10)) * random.uniform(0.75, 1.25)


__all__ = ["answered", "ask", "opened", "pause_before_next"]
