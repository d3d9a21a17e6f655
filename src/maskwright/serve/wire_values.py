"""Pydantic models of core's values, derived from the dataclasses as `core.codec` derives its JSON from them.

One description for the store's files, REST and the review app. The codec does the reading and writing; these models
describe it in OpenAPI, and check what comes in. They are named as the values are.
"""

import inspect
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pydantic
from pydantic import AwareDatetime, BaseModel, ConfigDict, FiniteFloat, StringConstraints, create_model

from maskwright import core
from maskwright.core import codec
from maskwright.masks import from_coco
from maskwright.serve.wire_prompts import PromptModel, kind_is_written, prompt_model_of

V = TypeVar("V")
_MOST_PIXELS_A_SIDE = 65_535
_Side = Annotated[int, pydantic.Field(ge=1, le=_MOST_PIXELS_A_SIDE)]


@cache
def model_of(kind: type[Any]) -> type[BaseModel]:
    """Make the model of a dataclass of core.

    >>> model_of(core.Scores)(predicted_iou=0.5).model_dump()
    {'kind': 'Scores', 'predicted_iou': 0.5, 'stability': None}
    """
    known = prompt_model_of(kind)
    if known is not None:
        return known
    hints = get_type_hints(kind)
    found: dict[str, Any] = {"kind": (Literal[kind.__name__], kind.__name__)}  # pyrefly: ignore[invalid-literal]
    found |= {
        f.name: (_wire_type(hints[f.name], f.name), _default(f)) for f in fields(kind) if f.init
    }  # fmt: skip
    return create_model(
        kind.__name__,
        # The kind is always written, and may be left out only where one kind can stand.
        __config__=ConfigDict(extra="forbid", frozen=True, json_schema_extra=kind_is_written),
        __doc__=inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0],
        **found,
    )


def read_value(kind: type[V], model: BaseModel) -> V:
    """Turn a model that `model_of` made into the value itself.

    Raises:
        RecordError: the value does not hold together.
        MaskError: a mask in it is not well formed; nothing may reach the mask engine unchecked.
    """
    value = codec.from_json(kind, model.model_dump(mode="json"), where=kind.__name__)
    _check_masks(value)
    return value


def _check_masks(value: Any) -> None:
    if isinstance(value, core.RLE):
        from_coco({"size": value.size_hw, "counts": value.counts})
    elif is_dataclass(value):
        for field in fields(value):
            _check_masks(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            _check_masks(item)


def _wire_type(hint: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if name == "size_hw":
        return tuple[_Side, _Side]
    if is_dataclass(hint) and isinstance(hint, type):
        return model_of(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments, name)
    if origin in (tuple, list, Sequence):
        if origin is tuple and Ellipsis not in arguments:
            return tuple[tuple(_wire_type(one, "") for one in arguments)]  # pyrefly: ignore[invalid-annotation]
        return list[_wire_type(arguments[0], "")]  # pyrefly: ignore[invalid-annotation]
    if origin is dict:
        return dict[str, _wire_type(arguments[1], "")]  # pyrefly: ignore[invalid-annotation]
    return _SCALARS.get(hint, hint)


_SCALARS: dict[Any, Any] = {
    float: FiniteFloat,
    bytes: Annotated[str, StringConstraints(pattern=r"^[0-o]+$")],
    datetime: AwareDatetime,
}


def _union(members: tuple[Any, ...], name: str) -> Any:
    if core.PointPrompt in members:
        return _maybe(PromptModel, members)
    values = [_wire_type(one, name) for one in members if is_dataclass(one)]
    rest: list[Any] = [_SCALARS.get(one, one) if one is type(None) else _wire_type(one, name) for one in members]
    if len(values) < 2:
        return Union[tuple(rest)]  # noqa: UP007  # pyrefly: ignore[invalid-annotation]
    tagged = Annotated[Union[tuple(values)], pydantic.Field(discriminator="kind")]  # noqa: UP007  # pyrefly: ignore[invalid-annotation]
    return _maybe(tagged, members)


def _maybe(tagged: Any, members: tuple[Any, ...]) -> Any:
    return tagged | None if type(None) in members else tagged


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        default = field.default
        return model_of(type(default))(**{}) if is_dataclass(default) else list(default) if default == () else default
    return ... if field.default_factory is MISSING else pydantic.Field(default_factory=field.default_factory)


__all__ = ["model_of", "read_value"]
