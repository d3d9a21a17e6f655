"""Answers: JSON is read into values; what the server says went wrong becomes the same class of `core.errors` again."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from maskwright.client.link import Link
from maskwright.client.steps import Answer
from maskwright.core.error_codes import error_of
from maskwright.core.errors import MaskwrightError, ServerUnreachable, TooManyRequests

T = TypeVar("T")
_NO_JSON = (ValueError, TypeError, KeyError, RecursionError)


def read_json(link: Link, answer: Answer, read: Callable[[Any], T]) -> T:
    """Make the value of an answer.

    Raises:
        ServerUnreachable: it is not what a server of this version answers.
    """
    try:
        return read(json.loads(answer.content))
    except _NO_JSON as error:
        raise unreadable(link, f"the answer cannot be read ({type(error).__name__}: {error!s:.200})") from error


def error_in(link: Link, answer: Answer) -> MaskwrightError:
    """Say what the server says, in its words. An answer that is not its own is a `ServerUnreachable`."""
    try:
        told = json.loads(answer.content)["error"]
        code, message, request_id = str(told["code"]), str(told["message"]), str(told["request_id"])
    except _NO_JSON:
        return _not_ours(link, answer)
    error = error_of(code, f"{message}, {request_id}" if code == "internal_error" else message)
    after_s = retry_after_s(answer)
    if isinstance(error, TooManyRequests) and after_s is not None:
        error.retry_after_s = after_s
    return error


def retry_after_s(answer: Answer) -> float | None:
    """When to come back, where the answer says so."""
    told = answer.headers.get("retry-after", "").strip()
    return float(told) if told.isascii() and told.isdecimal() else None


def unanswered(link: Link, why: str) -> ServerUnreachable:
    """Say that nothing came back."""
    return ServerUnreachable(f"no answer came ({why}). Is the server running? {link.url}")


def unreadable(link: Link, what: str) -> ServerUnreachable:
    """Say that what came back is not what was asked for."""
    return ServerUnreachable(f"{what}. Have client and server the same version of maskwright? {link.url}")


def _not_ours(link: Link, answer: Answer) -> ServerUnreachable:
    told = f"status {answer.status}"
    if "location" in answer.headers:
        told += f", which leads to {answer.headers['location'][:200]}"
    return ServerUnreachable(
        f"this is not the answer of a maskwright server ({told}). Is the address right, with its port? {link.url}"
    )


__all__ = ["error_in", "read_json", "retry_after_s", "unanswered", "unreadable"]
