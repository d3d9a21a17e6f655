"""Writes web/src/api/openapi.json, the server's description of itself, and web/src/api/types.ts made of it.

    python web/make_types.py        (or: make api)

A test compares both files with what this program makes, so neither can go out of date unnoticed.
The types are as strict as the description: literals, tuples, unions told apart by `kind`, nothing that is `any`.
What is only ever in answers has all its fields, since the server writes them all; what is sent may leave out what has
a default.
"""

import asyncio
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.core import errors
from maskwright.core.error_codes import code_of

FOLDER = Path(__file__).parent / "src" / "api"
DOCUMENT, TYPES = FOLDER / "openapi.json", FOLDER / "types.ts"

Schema = Mapping[str, Any]
_REF = "#/components/schemas/"
_WIDTH = 110
_METHODS = ("get", "head", "post", "put", "patch", "delete")
# Names of unions, by their members; others are written out where they stand.
_UNIONS: dict[frozenset[str], str] = {
    frozenset(["PointPrompt", "BoxPrompt", "MaskPrompt", "TextPrompt"]): "SinglePrompt",
    frozenset(["PointPrompt", "BoxPrompt", "MaskPrompt", "TextPrompt", "CombinedPrompt"]): "Prompt",
    frozenset(
        ["Accept", "Reject", "Edit", "Relabel", "Retrack", "Reparent", "Merge", "Split", "Revert", "Comment"]
    ): "Action",
}
_HEAD = """\
// Written by `make api` from openapi.json. Edit the server, not this file.

/** Anything that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Server-sent events as they come. */
export type EventStream = ReadableStream<Uint8Array>;
"""


def document() -> dict[str, Any]:
    """Ask the server what it answers, without starting it."""
    from maskwright.serve.app import build_app
    from maskwright.serve.run import make_service
    from maskwright.serve.settings import ServeSettings

    service = make_service(ServeSettings(models=("test-sam",)))
    try:
        return build_app(service).openapi()
    finally:
        service.images.close()
        asyncio.run(service.jobs.drain(0))


def document_text(described: Schema) -> str:
    """Write the description as it is checked in."""
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def types_text(described: Schema) -> str:
    """Make the types of a description."""
    schemas: Schema = described["components"]["schemas"]
    sent = _reachable(schemas, _refs_of(described, _sent_schemas))
    parts = [_HEAD, _error_codes(), *_unions(schemas)]
    parts += [_component(name, schema, may_leave_out=name in sent) for name, schema in schemas.items()]
    parts += [_operations(described), _table(described)]
    return "\n".join(parts)


# Components


def _component(name: str, schema: Schema, *, may_leave_out: bool) -> str:
    comment = _comment(schema.get("description", ""), "")
    if "properties" not in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    required = set(schema.get("required", ())) if may_leave_out else set(schema["properties"])
    lines = [f"{comment}export interface {name} {{"]
    for field, of_field in schema["properties"].items():
        mark = "" if field in required else "?"
        lines.append(_comment(of_field.get("description", ""), "  ") + f"  readonly {field}{mark}: {_type(of_field)};")
    return "\n".join([*lines, "}", ""])


def _unions(schemas: Schema) -> Iterator[str]:
    for members, name in _UNIONS.items():
        order = [member for member in schemas if member in members]
        if len(order) != len(members):
            raise SystemExit(f"the description lacks members of the union {name}: {members - set(order)}")
        yield f"export type {name} = {' | '.join(order)};\n"


def _error_codes() -> str:
    codes = sorted(code_of(getattr(errors, name)) for name in errors.__all__)
    members = "\n".join(f'  | "{code}"' for code in codes)
    return (
        "/** What `ErrorDetail.code` may hold; more where a request met no route, or a bug of the server's. */\n"
        f"export type ErrorCode =\n{members};\n"
    )


# Types


def _type(schema: Schema) -> str:
    """Write the type of a schema.

    Raises:
        SystemExit: it says something that this program does not know of.
    """
    for key, write in _BY_KEY.items():
        if key in schema:
            return write(schema)
    kind = schema.get("type")
    if kind in _BY_TYPE:
        return _BY_TYPE[kind](schema)
    if not set(schema) - {"title", "description"}:
        return "Json"
    raise SystemExit(f"make_types.py does not know what to make of {json.dumps(schema):.200}")


def _ref(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_REF)


def _any_of(schema: Schema) -> str:
    return " | ".join(dict.fromkeys(_type(member) for member in schema["anyOf"]))


def _one_of(schema: Schema) -> str:
    members = [_ref(member) for member in schema["oneOf"]]
    if schema["discriminator"]["mapping"].keys() and len(set(members)) != len(schema["discriminator"]["mapping"]):
        raise SystemExit(f"two members of a union have the same kind: {', '.join(members)}")
    return _UNIONS.get(frozenset(members), " | ".join(members))


def _literals(schema: Schema) -> str:
    return " | ".join(json.dumps(value) for value in schema["enum"])


def _array(schema: Schema) -> str:
    if "prefixItems" in schema:
        return f"readonly [{', '.join(_type(item) for item in schema['prefixItems'])}]"
    item = _type(schema["items"])
    return f"readonly {item}[]" if item.isidentifier() else f"readonly ({item})[]"


def _object(schema: Schema) -> str:
    if "properties" in schema:
        return "FormData"  # the only objects without a name are forms
    names, values = schema.get("propertyNames", {}), schema.get("additionalProperties", True)
    value = "Json" if values is True else _type(values)
    if "enum" in names:
        return f"{{ readonly [name in {_literals(names)}]?: {value} }}"
    return f"{{ readonly [name: string]: {value} }}"


_BY_KEY: dict[str, Callable[[Schema], str]] = {
    "$ref": _ref,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "const": lambda schema: json.dumps(schema["const"]),
    "enum": _literals,
}
_BY_TYPE: dict[str, Callable[[Schema], str]] = {
    "array": _array,
    "object": _object,
    "string": lambda schema: "Blob" if schema.get("format") == "binary" else "string",
    "integer": lambda schema: "number",
    "number": lambda schema: "number",
    "boolean": lambda schema: "boolean",
    "null": lambda schema: "null",
}


# Operations


def _operations(described: Schema) -> str:
    lines = ["/** Every operation: what goes into its path, query and headers, what is sent, what is answered. */"]
    lines.append("export interface Operations {")
    for method, path, operation in _each(described):
        told = operation.get("description", "") or operation.get("summary", "")
        lines.append(
            _comment(f"{method.upper()} {path}\n\n{told}", "  ") + f"  readonly {operation['operationId']}: {{"
        )
        for place, name in (("path", "path"), ("query", "query"), ("header", "headers")):
            lines += _parameters(operation, place, name)
        lines += [f"    readonly body: {_body(operation)};", f"    readonly answer: {_answer(operation)};", "  };"]
    return "\n".join([*lines, "}", ""])


def _parameters(operation: Schema, place: str, name: str) -> Iterator[str]:
    found = [one for one in operation.get("parameters", ()) if one["in"] == place]
    if not found:
        yield f"    readonly {name}: {{ readonly [name: string]: never }};"
        return
    yield f"    readonly {name}: {{"
    for one in found:
        field = one["name"] if one["name"].isidentifier() else json.dumps(one["name"])
        mark = "" if one.get("required") else "?"
        yield f"      readonly {field}{mark}: {_type(one['schema'])};"
    yield "    };"


def _body(operation: Schema) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    found = dict.fromkeys(_type(of_kind["schema"]) for of_kind in content.values())
    if operation.get("requestBody") and not operation["requestBody"].get("required"):
        found["undefined"] = None
    return " | ".join(found) or "undefined"


def _answer(operation: Schema) -> str:
    found: dict[str, None] = {}
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for kind, of_kind in response.get("content", {}).items() or {"": {}}.items():
                found[_answered(kind, of_kind)] = None
    return " | ".join(found)


def _answered(kind: str, content: Schema) -> str:
    if not content:
        return "undefined"
    if kind == "text/event-stream":
        return "EventStream"
    return _type(content["schema"]) if content["schema"] else "undefined"


def _table(described: Schema) -> str:
    rows = [
        f'  {operation["operationId"]}: {{ method: "{method.upper()}", path: "{path}" }},'
        for method, path, operation in _each(described)
    ]
    return "\n".join(
        [
            "/** Where each operation is. */",
            "export const operations = {",
            *rows,
            "} as const satisfies { readonly [name in keyof Operations]: { method: string; path: string } };",
            "",
        ]
    )


def _each(described: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, of_path in described["paths"].items():
        for method in _METHODS:
            if method in of_path:
                yield method, path, of_path[method]


# What is sent


def _sent_schemas(operation: Schema) -> Iterator[Any]:
    yield operation.get("requestBody", {})
    yield operation.get("parameters", [])


def _refs_of(described: Schema, pick: Callable[[Schema], Iterator[Any]]) -> set[str]:
    return {name for _, _, operation in _each(described) for part in pick(operation) for name in _refs_in(part)}


def _reachable(schemas: Schema, names: set[str]) -> set[str]:
    """The components that requests hold, at any depth; and those that no operation names, which sockets are sent."""
    answered = {name for schema in schemas.values() for name in _refs_in(schema)}
    left = list(names | {name for name in schemas if name.endswith("In") and name not in answered})
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _refs_in(schemas[name])
    return found


def _refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield _ref(value)
        for one in value.values():
            yield from _refs_in(one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _refs_in(one)


def _comment(text: str, indent: str) -> str:
    if not text.strip():
        return ""
    lines = [line for part in text.strip().replace("*/", "* /").split("\n") for line in _wrapped(part, indent)]
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "\n".join(
        [f"{indent}/**", *(re.sub(r" +$", "", f"{indent} * {line}") for line in lines), f"{indent} */", ""]
    )


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - len(indent)) or [""]


def main() -> None:
    """Write both files."""
    described = document()
    FOLDER.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(document_text(described))
    TYPES.write_text(types_text(described))


if __name__ == "__main__":
    main()
