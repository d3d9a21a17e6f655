"""The description of the API: OpenAPI with the bodies that routes read themselves, and a page of it without scripts."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse

from maskwright.serve.wire import ErrorOut

_REF = "#/components/schemas/{model}"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td{padding:.3em .6em;border-top:1px solid #ddd;vertical-align:top}"
    "code{font-size:14px}"
)
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_BINARY = {"type": "string", "format": "binary"}
PICTURE_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "The picture, frame or model is not known here"},
    409: {"model": ErrorOut, "description": "It was cancelled, or the model's weights are missing"},
    413: {"model": ErrorOut, "description": "The body, the picture or the list of prompts is too large"},
    504: {"model": ErrorOut, "description": "Nobody got to it before its deadline"},
}


def picture_body() -> dict[str, Any]:
    """Describe a body that is a picture, or a form with one."""
    form = {"type": "object", "required": ["picture"], "properties": {"picture": _BINARY}}
    content = {"image/*": {"schema": _BINARY}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def body_of(model: type[BaseModel], *, picture: str | None = None) -> dict[str, Any]:
    """Describe a body of JSON that a route reads itself; with `picture`, also the form that brings the picture along.

    For `openapi_extra` of a route.
    """
    schema = {"$ref": _REF.format(model=model.__name__)}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if picture is not None:
        content["multipart/form-data"] = {
            "schema": {
                "type": "object",
                "required": ["picture", "request"],
                "properties": {
                    "picture": {**_BINARY, "description": picture},
                    "request": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": f"{model.__name__} as JSON, without image and frame.",
                    },
                },
            }
        }
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Give an application its OpenAPI document and the page /docs. `bodies` are those that routes read themselves."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, bodies)
        return app.openapi_schema

    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(_page(document()), headers={"Content-Security-Policy": _PAGE_POLICY})

    app.openapi = document
    app.add_route("/docs", docs, include_in_schema=False)


def _document(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    _, definitions = models_json_schema([(model, "validation") for model in bodies], ref_template=_REF)
    components = found.setdefault("components", {})
    components["schemas"] = dict(sorted({**definitions["$defs"], **components.get("schemas", {})}.items()))
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"token": []}, {}]
    return found


def _page(document: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td><td>{escape(text)}</td></tr>"
        for method, path, text in _operations(document)
    )
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(document['info'].get('summary', ''))}</p>"
        f'<p>The whole description, for programs: <a href="/openapi.json">openapi.json</a></p><table>{rows}</table>'
    )


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation.get("summary", "")


__all__ = ["PICTURE_ERRORS", "body_of", "describe", "picture_body"]
