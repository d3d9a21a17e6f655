"""Errors by name: the code that a server sends for a class of `errors`, and the error that a client makes of it."""

import re
from functools import cache

from maskwright.core import errors
from maskwright.core.errors import MaskwrightError, ServeError


def code_of(kind: type[Exception]) -> str:
    """The class of an error in snake case.

    >>> code_of(errors.PromptOutsideImage)
    'prompt_outside_image'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def error_of(code: str, message: str) -> MaskwrightError:
    """Make the error of a code. One that is not known here, as a newer server may send, is a `ServeError`.

    >>> error_of("unknown_image", "send it again")
    UnknownImage('send it again')
    """
    return _kinds().get(code, ServeError)(message)


@cache
def _kinds() -> dict[str, type[MaskwrightError]]:
    return {code_of(kind): kind for kind in (getattr(errors, name) for name in errors.__all__)}


__all__ = ["code_of", "error_of"]
