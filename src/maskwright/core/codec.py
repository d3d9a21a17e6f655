"""JSON for the values of this room: `to_json` and `from_json`, driven by the dataclasses' own annotations.

A member of a union of dataclasses carries its class name under "kind"; bytes are ASCII (COCO's RLE counts are);
moments are ISO 8601. Reading is strict: an unknown or missing field is a `RecordError` that names it.
"""

import dataclasses
import types
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from maskwright.core.errors import InputError, RecordError

V = TypeVar("V")
Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def to_json(value: Any) -> Json:
    """Turn a value of this room into plain JSON types.

    >>> from maskwright.core.prompt import PointPrompt
    >>> to_json(PointPrompt([(1, 2)]))
    {'kind': 'PointPrompt', 'points_xy': [[1.0, 2.0]], 'labels': [1]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"kind": type(value).__name__, **fields}
    match value:
        case bytes():
            return value.decode("ascii")
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return [to_json(item) for item in value]
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case None | str() | int() | float() | bool():
            return value
    raise RecordError(f"a {type(value).__name__} cannot be written as JSON; expected a value of maskwright.core")


def from_json(kind: type[V], data: Json, *, where: str = "$") -> V:
    """Read a value of type `kind` back.

    Raises:
        RecordError: a field is missing, unknown or of another type; the message holds its path from `where`.
    """
    return _read(kind, data, where)


def _read(hint: Any, data: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _read_dataclass(hint, data, where)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(hint), data, where)
    if origin in (tuple, list, Sequence) and isinstance(data, list):
        return _read_sequence(hint, data, where)
    if origin is dict and isinstance(data, dict):
        return {str(key): _read(get_args(hint)[1], item, f"{where}.{key}") for key, item in data.items()}
    if origin is Literal and data in get_args(hint):
        return data
    return _read_scalar(hint, data, where)


def _read_scalar(hint: Any, data: Any, where: str) -> Any:
    try:
        if hint is bytes and isinstance(data, str):
            return data.encode("ascii")
        if hint is datetime and isinstance(data, str):
            return datetime.fromisoformat(data)
    except ValueError as error:
        raise RecordError(f"{where}: {error}") from error
    if hint is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    if hint in (str, int, bool, type(None)) and isinstance(data, hint) and (hint is bool or not isinstance(data, bool)):
        return data
    name = getattr(hint, "__name__", str(hint))
    raise RecordError(f"{where}: expected {name}, got {type(data).__name__} {data!r:.60}")


def _read_sequence(hint: Any, data: list[Any], where: str) -> tuple[Any, ...]:
    args = get_args(hint)
    fixed = get_origin(hint) is tuple and Ellipsis not in args
    if fixed and len(args) != len(data):
        raise RecordError(f"{where}: expected {len(args)} items, got {len(data)}")
    hints = args if fixed else (args[0],) * len(data)
    return tuple(
        _read(item_hint, item, f"{where}[{i}]") for i, (item_hint, item) in enumerate(zip(hints, data, strict=True))
    )


def _read_union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if isinstance(data, dict) and "kind" in data:
        by_name = {member.__name__: member for member in members if _is_value_type(member)}
        if data["kind"] not in by_name:
            raise RecordError(f"{where}.kind: expected one of {', '.join(sorted(by_name))}, got {data['kind']!r}")
        return _read(by_name[data["kind"]], data, where)
    if type(data) in members:  # so that 4 stays an int where a float may stand too
        return data
    problem: RecordError | None = None
    for member in members:
        if _is_value_type(member):
            continue
        try:
            return _read(member, data, where)
        except RecordError as error:
            problem = error
    if problem is not None and not any(map(_is_value_type, members)):
        raise problem
    raise RecordError(f"{where}: expected an object with a kind, got {type(data).__name__}") from problem


def _is_value_type(member: Any) -> TypeGuard[type[Any]]:
    return isinstance(member, type) and dataclasses.is_dataclass(member)


@cache
def _hints_of(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)  # which parses annotations anew each time


def _read_dataclass(kind: type[Any], data: Any, where: str) -> Any:
    if not isinstance(data, dict) or data.get("kind", kind.__name__) != kind.__name__:
        raise RecordError(f"{where}: expected a {kind.__name__} object, got {data!r:.60}")
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    unknown = data.keys() - fields.keys() - {"kind"}
    if unknown:
        raise RecordError(f"{where}: unknown field {', '.join(sorted(unknown))} in a {kind.__name__}")
    hints = _hints_of(kind)
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            arguments[name] = _read(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise RecordError(f"{where}: missing field {name} in a {kind.__name__}")
    try:
        return kind(**arguments)
    except InputError as error:
        raise RecordError(f"{where}: {error}") from error


__all__ = ["Json", "from_json", "to_json"]
