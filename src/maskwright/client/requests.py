"""Requests of JSON as they are sent: paths, bodies and keys."""

import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from maskwright.client.link import Link
from maskwright.client.steps import Request
from maskwright.core.errors import RequestError


def request(
    link: Link,
    method: str,
    *path: str,
    query: Sequence[tuple[str, str]] = (),
    body: Any = None,
    key: str | None = None,
    timeout_s: float | None = None,
) -> Request:
    """Make a request to /v1/ and the parts of a path; `body` is turned into JSON."""
    return Request(
        method=method,
        path="/v1/" + "/".join(quote(part, safe="") for part in path),
        timeout_s=link.timeout_s if timeout_s is None else timeout_s,
        query=query,
        headers={} if body is None else {"Content-Type": "application/json"},
        body=b"" if body is None else json_bytes(body),
        key=key,
    )


def json_bytes(content: Any) -> bytes:
    """Write JSON as it is sent.

    Raises:
        RequestError: it holds what JSON cannot: a number that is not finite, or an object.
    """
    try:
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(f"the request cannot be written as JSON: {error}") from error


def new_key() -> str:
    """Make an idempotency key: one for each call of a method that writes, however often it is sent."""
    return uuid.uuid4().hex


__all__ = ["json_bytes", "new_key", "request"]
