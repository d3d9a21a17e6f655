"""What other libraries raise over damaged files, as one line of our own.

Decoders and parsers of files from elsewhere raise nearly every type there is, in messages of several lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwright.core.errors import InputError, MaskwrightError


@contextmanager
def told_as_damage(what: str, path: Path) -> Iterator[None]:
    """Turn what is raised in the block into an `InputError` that calls `what` damaged; our own errors pass.

    Put it around reading alone: a mistake of the program inside would be called damage too.
    """
    try:
        yield
    except MaskwrightError:
        raise
    except Exception as error:
        raise InputError(f"{what} is damaged ({first_line(error)}). Get it again: {path}") from error


def first_line(error: BaseException) -> str:
    """Say an error in one line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


__all__ = ["first_line", "told_as_damage"]
