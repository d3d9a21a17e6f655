"""What goes wrong, in the one shape that every client sees: an HTTP status, a gRPC status, a code and a message.

    {"error": {"code": "prompt_outside_image", "message": "...", "request_id": "..."}}

The code is the class of the error in snake case, so that a client raises the same class again. What is not a
`MaskwrightError` is a bug of ours: its message stays in the log.
"""

from dataclasses import dataclass

from maskwright.core import errors
from maskwright.core.error_codes import code_of
from maskwright.core.errors import MaskwrightError

# The first class that fits, from special to general: HTTP status, gRPC status.
_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.NotSignedIn, 401, "UNAUTHENTICATED"),
    (errors.NotAllowed, 403, "PERMISSION_DENIED"),
    (errors.UnknownImage, 404, "NOT_FOUND"),
    (errors.UnknownJob, 404, "NOT_FOUND"),
    (errors.UnknownRecord, 404, "NOT_FOUND"),
    (errors.UnknownModel, 404, "NOT_FOUND"),
    (errors.StoreMissing, 404, "NOT_FOUND"),
    (errors.DuplicateRecord, 409, "ALREADY_EXISTS"),
    (errors.KeyReused, 409, "ALREADY_EXISTS"),
    (errors.EditConflict, 412, "ABORTED"),
    (errors.EtagMissing, 428, "FAILED_PRECONDITION"),
    (errors.TooLarge, 413, "RESOURCE_EXHAUSTED"),
    (errors.TooManyRequests, 429, "RESOURCE_EXHAUSTED"),
    (errors.DeadlinePassed, 504, "DEADLINE_EXCEEDED"),
    (errors.Cancelled, 409, "CANCELLED"),
    (errors.ServerStopping, 503, "UNAVAILABLE"),
    (errors.StoreBusy, 503, "UNAVAILABLE"),
    (errors.StoreFull, 507, "RESOURCE_EXHAUSTED"),
    (errors.StoreReadOnly, 403, "FAILED_PRECONDITION"),
    (errors.ServerUnreachable, 502, "UNAVAILABLE"),
    (errors.UnsupportedPrompt, 422, "INVALID_ARGUMENT"),
    (errors.WeightsMissing, 409, "FAILED_PRECONDITION"),
    (errors.InputError, 422, "INVALID_ARGUMENT"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as clients see it. `retry_after_s` says when to come back, where that helps."""

    status: int
    grpc_status: str
    code: str
    message: str
    retry_after_s: float | None = None

    def as_json(self, request_id: str) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "request_id": request_id}}


def problem_of(error: Exception) -> Problem:
    """Say how an error looks from outside."""
    if not isinstance(error, MaskwrightError):
        told = "something went wrong inside the server; its log has the request's id"
        return Problem(status=500, grpc_status="INTERNAL", code="internal_error", message=told)
    found = next((one for one in _STATUSES if isinstance(error, one[0])), (type(error), 500, "INTERNAL"))
    return Problem(
        status=found[1],
        grpc_status=found[2],
        code=code_of(type(error)),
        message=str(error),
        retry_after_s=getattr(error, "retry_after_s", 1.0 if found[1] == 503 else None),
    )


__all__ = ["Problem", "code_of", "problem_of"]
