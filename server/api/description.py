"""The API's description (OpenAPI 3.1) with examples and its errors, and the page at /docs that shows it without any script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI

from server.api.problems import MEDIA_TYPE

Schema = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
MOST_DEEP = 8
PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457): one sentence in `detail`.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
    },
    "example": {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no such room"},
}  # fmt: skip
VALUES = {"id": "9f86d081884c7d65", "token": "eyJhbGciOiJIUzI1NiIs...", "login": "ada", "password": "correct horse battery"}
"""Examples of fields by name."""
STYLE = """:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
article{border-top:1px solid #8886;padding:.75rem 0}h3{font:600 1rem ui-monospace,monospace;margin:.5rem 0;overflow-wrap:anywhere}
pre{overflow:auto;background:#8882;padding:.75rem;border-radius:.5rem;font-size:.85rem}dt{font-family:ui-monospace,monospace}
dd{margin:0 0 .4rem 1.5rem}a{color:light-dark(#00605a,#64d3b9)}nav ul{columns:18rem;padding-left:1rem}summary{cursor:pointer}"""


def describe(app: FastAPI) -> None:
    """Give the description of the application examples and its errors."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _enrich(plain())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def page(document: dict[str, Any]) -> str:
    """The description as HTML."""
    parts: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, method, operation in _operations(document):
        parts.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    links = "".join(f'<li><a href="#{escape(tag)}">{escape(tag.capitalize())}</a></li>' for tag in parts)
    sections = "".join(
        f'<section aria-label="{escape(tag)}"><h2 id="{escape(tag)}">{escape(tag.capitalize())}</h2>'
        f"{''.join(_article(*operation) for operation in operations)}</section>"
        for tag, operations in parts.items()
    )
    words = (
        "Requests show a token or an API key: <code>Authorization: Bearer ...</code>. Lists come in parts: give "
        "<code>next</code> back as <code>after</code>. Errors are problem details (RFC 9457). The same for programs: "
        '<a href="/api/openapi.json">openapi.json</a>.'
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>API - Visavis</title><style>{STYLE}</style><main><h1>The API of this Visavis server</h1><p>{words}</p>"
        f'<nav aria-label="Parts"><ul>{links}</ul></nav>{sections}</main></html>'
    )


def _article(method: str, path: str, operation: Schema) -> str:
    rows = [
        (parameter["name"], f"{parameter['in']}. {parameter.get('description', '')}")
        for parameter in operation.get("parameters", [])
    ]
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    examples = [("Request", _examples(operation.get("requestBody", {})))]
    examples += [(f"Answer {status}", _examples(reply)) for status, reply in operation["responses"].items() if status[0] == "2"]
    shown = "".join(f"<p>{escape(what)}</p><pre tabindex=0>{escape(text)}</pre>" for what, text in examples if text)
    given = f"<dl>{listed}</dl>" if listed else ""
    examples_of = f"<details><summary>Example</summary>{shown}</details>" if shown else ""
    words = escape(operation.get("description", ""))
    return f"<article><h3>{method} {escape(path)}</h3><p>{words}</p>{given}{examples_of}</article>"


def _examples(part: Schema) -> str:
    found = [(kind, content["example"]) for kind, content in part.get("content", {}).items() if "example" in content]
    return "\n".join(json.dumps(value, indent=2) if "json" in kind else f"{kind}: {json.dumps(value)}" for kind, value in found)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def _enrich(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for _, _, operation in _operations(document):
        operation["responses"].pop("422", None)  # the framework's own form, which is not what comes
        problem = {"description": "One sentence", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        operation["responses"] |= {"4XX": problem, "503": problem}
        bodies = [operation.get("requestBody", {}), *(operation["responses"][s] for s in operation["responses"] if s[0] == "2")]
        for body in bodies:
            for content in body.get("content", {}).values():
                if "schema" in content:
                    content.setdefault("example", example_of(content["schema"], schemas))
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM


def example_of(schema: Schema, schemas: dict[str, Schema], name: str = "", depth: int = 0) -> Any:
    """A value that fits a JSON schema, as far as ours go."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth + 1)
    if "example" in schema or schema.get("examples"):
        return schema["example"] if "example" in schema else schema["examples"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, name, depth)
    kind = schema.get("type", "object")
    if depth > MOST_DEEP:
        return None
    if kind == "object":
        return {key: example_of(value, schemas, key, depth + 1) for key, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items", {}), schemas, name, depth + 1)]
    if "default" in schema:
        return schema["default"]
    if kind == "string":
        text = schema.get("enum", [VALUES.get(name, name or "text")])[0]
        return {"quality": "instant", "role": "member"}.get(name, text)
    return {"boolean": False, "integer": max(1, schema.get("minimum", 1)), "number": 0.0}.get(kind)
