"""The error tree: drawn in its docstring as it is, and catchable as the Python errors that callers expect."""

import re

import pytest

from maskwright.core import errors
from maskwright.core.errors import InputError, MaskwrightError, ModelError

CLASSES = [getattr(errors, name) for name in errors.__all__]


def test_the_docstring_draws_every_error_under_its_parent():
    drawn = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"^    ([│├└─ ]*)(\w+)(?:\s{2,}.*)?$", line)
        if match:
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            drawn[match[2]] = path[-2] if depth else "Exception"

    assert drawn == {error.__name__: error.__mro__[1].__name__ for error in CLASSES}


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_ours_and_explained(error):
    assert issubclass(error, MaskwrightError)
    assert error.__doc__


def test_wrong_input_is_a_value_error_and_a_missing_model_is_not():
    assert issubclass(InputError, ValueError)
    assert not issubclass(ModelError, ValueError)
