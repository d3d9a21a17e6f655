"""Problems as HTTP answers, in the one shape, with the headers that go with them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from maskwright.core.errors import RequestError
from maskwright.serve.problems import Problem, problem_of

_MOST_TOLD = 3


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write JSON that is known to be well formed, as compactly as it goes."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return Response(body, status, headers, media_type="application/json")


def problem_answer(problem: Problem, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """Write a problem."""
    extra = dict(headers or {})
    if problem.retry_after_s is not None:
        extra["Retry-After"] = str(max(1, math.ceil(problem.retry_after_s)))
    if problem.status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    if problem.status == 413:
        extra["Connection"] = "close"  # the rest of the body is not going to be read
    return json_answer(problem.as_json(request_id), problem.status, extra)


def error_answer(error: Exception, request_id: str) -> Response:
    """Write what went wrong."""
    return problem_answer(problem_of(error), request_id)


def request_error(errors: Sequence[Mapping[str, Any]]) -> RequestError:
    """Say in one line what pydantic found wrong, each with the path of its field."""
    told = "; ".join(_in_words(error) for error in errors[:_MOST_TOLD])
    more = f" (and {len(errors) - _MOST_TOLD} more)" if len(errors) > _MOST_TOLD else ""
    return RequestError(f"{told}{more}. /openapi.json says what is expected")


def _in_words(error: Mapping[str, Any]) -> str:
    path = ""
    for part in error["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part[:1].isupper():  # the name of a union's member, which is no part of the path
            path += f".{part}"
    message = str(error["msg"])
    return f"{path.lstrip('.') or 'the body'}: {message[:1].lower()}{message[1:]}"


__all__ = ["error_answer", "json_answer", "problem_answer", "request_error"]
