"""Shapes in signatures, checked while the tests run.

    pytest --jaxtyping-packages=maskwright.nn,maskwright.models,typecheck.check

A call is checked if none before it had arguments of the same types and shapes, and every 32nd that was like an
earlier one. To check each of a thousand equal calls would take as long as the small networks of the tests themselves.
An int is a float here, as in PEP 484.
"""

import functools
import inspect
from typing import Any

import jaxtyping
import numpy as np
import torch
from beartype import BeartypeConf, beartype
from jaxtyping import _decorator

AGAIN = 32

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped


def kind_of(value: Any) -> Any:
    """What a check looks at: type and shape of arrays, also in lists and tuples; numbers and names; else the type."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return type(value), tuple(value.shape), value.dtype
    if isinstance(value, list | tuple):
        return type(value), *map(kind_of, value)
    return (type(value), value) if isinstance(value, int | str) else type(value)


def jaxtyped(fn: Any = None, *, typechecker: Any = None) -> Any:
    """Stand for jaxtyping's decorator, which the import hook puts on functions."""
    if fn is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    checked = _jaxtyped(fn, typechecker=typechecker)
    if not inspect.isfunction(fn):
        return checked
    seen: dict[Any, int] = {}

    @functools.wraps(fn)
    def checked_once_a_kind(*args: Any, **kwargs: Any) -> Any:
        try:
            kind = (*map(kind_of, args), *((name, kind_of(value)) for name, value in kwargs.items()))
            count = seen.get(kind, 0)
        except TypeError:  # a size that is a symbol, while a graph is traced
            return checked(*args, **kwargs)
        result = (fn if count % AGAIN else checked)(*args, **kwargs)
        seen[kind] = count + 1  # not for what was refused
        return result

    return checked_once_a_kind


jaxtyping.jaxtyped = _decorator.jaxtyped = jaxtyped  # the second is what it calls for methods of classes

__all__ = ["check"]
