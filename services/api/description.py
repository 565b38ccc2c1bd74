"""The OpenAPI description of what is served: FastAPI's own, with what the gate and the other layers may answer before any route."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.examples import example_of
from tocsin.problems import MEDIA_TYPE, ProblemDetails

Described = dict[str, Any]

_ABOUT = """\
Show a key as `Authorization: Bearer tocsin_…`. Instants are RFC 3339 with an offset, and answered in UTC.

Errors are problem details (RFC 9457). 422 names the field that is wrong: by itself, or beside another one. 409 is what the state of
an incident does not allow, 412 what has changed since you looked, 404 also what is of a brand that you may not see.

A POST may carry an `Idempotency-Key` of 1 to 200 visible ASCII characters: sent again within 24 hours it is answered again and not
done again. Answers name in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` how many requests may follow, and in
`X-Request-ID` how the log names this one.
"""
_WITH_BODIES = {"post", "put", "patch"}
_KEY = "API key"
JSON = "application/json"


def describe(app: FastAPI) -> Described:
    """The document of every route that the application has now."""
    described = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=_ABOUT, routes=app.routes
    )
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    own = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= own.pop("$defs", {})
    schemas["ProblemDetails"] = own
    for path, method, operation in _operations(described):
        if path.startswith("/v1/"):
            operation.setdefault("security", [{_KEY: []}])
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
        answers = operation["responses"]
        for status in _from_the_layers(method, path):
            answers.setdefault(str(status), {"description": HTTPStatus(status).phrase})
        for status, answer in answers.items():
            if status >= "400" and path.startswith("/v1/"):
                _as_problem(int(status), answer)
        for status, body in {"request": operation.get("requestBody", {}), **answers}.items():
            _give_example(status, body, schemas)
    return described


def _operations(described: Described) -> Iterator[tuple[str, str, Described]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _from_the_layers(method: str, path: str) -> list[int]:
    """What is answered before a route is asked: by the gate, the limits of requests, and the reading of the body."""
    if not path.startswith("/v1/"):
        return []
    every = [401, 403, 422, 429, 503]
    # A POST may also be told that its Idempotency-Key is under way (409), and a body may be unreadable, too large or no JSON.
    return [*every, 400, 408, 409, 413] if method in _WITH_BODIES else every


def _without_null(schema: Described) -> Described:
    """What an address or a header can hold; it is left out where a program has None, and `null` is a word there like any other."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **choices[0]}


def _as_problem(status: int, answer: Described) -> None:
    answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    if status == 401:
        answer.setdefault("headers", {})["WWW-Authenticate"] = _header("How to show a key.", {"type": "string"})
    if status in (429, 503):
        answer.setdefault("headers", {})["Retry-After"] = _header(
            "Seconds after which to send it again.", {"type": "integer", "minimum": 0}
        )


def _give_example(status: str, body: Described, schemas: Described) -> None:
    for media_type, content in body.get("content", {}).items():
        if media_type not in (JSON, MEDIA_TYPE) or not content.get("schema"):
            continue
        content["example"] = example_of(content["schema"], schemas)
        if media_type == MEDIA_TYPE:
            content["example"] |= {"title": HTTPStatus(int(status)).phrase, "status": int(status)}


def _header(description: str, schema: Described) -> Described:
    return {"description": description, "required": True, "schema": schema}
