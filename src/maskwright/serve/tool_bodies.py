"""Bodies that other annotation tools send: JSON with fields of their own, and with pictures in base64 inside.

Longer than a request of ours may be, so they are parsed aside; and read loosely, since their shape is not ours.
"""

import base64
import binascii
from functools import partial
from typing import TypeVar

import anyio
from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from maskwright.core.errors import ImageError, RequestError
from maskwright.serve.answers import request_error

M = TypeVar("M", bound="FromTool")

_JSON = "application/json"


class FromTool(BaseModel):
    """What a tool sends. Fields that are not named are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


async def body_of_tool(request: Request, kind: type[M]) -> M:
    """Read a body.

    Raises:
        RequestError: it is not JSON, or a field is missing or of another type.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != _JSON:
        raise RequestError(f"expected JSON with the Content-Type {_JSON}, got {said[:100]!r}")
    return await anyio.to_thread.run_sync(partial(_parse, kind, await request.body()))


def picture_in(text: str) -> bytes:
    """Decode a picture's file that was sent in base64, by itself or as a data URI.

    Raises:
        ImageError: it is not base64.
    """
    head, _, rest = text.partition(",") if text.startswith("data:") else (";base64", "", text)
    try:
        if not head.endswith(";base64"):
            raise ValueError
        return base64.b64decode(rest)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"expected a picture's file in base64, got {text[:40]!r}") from error


def _parse(kind: type[M], content: bytes) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise request_error(error.errors(include_url=False, include_context=False, include_input=False)) from error


__all__ = ["FromTool", "body_of_tool", "picture_in"]
