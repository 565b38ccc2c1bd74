"""Errors over HTTP as problem details (RFC 9457): one form for every process, with the field that is wrong and how to mend it.

The body never repeats what was sent: it may be somebody's words, or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Route

from tocsin.bus.failures import BusFull, Retryable
from tocsin.observability.logs import logger

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
"""What a client is asked to wait when the bus is full or the database away."""

_log = logger(__name__)


class FieldProblem(BaseModel):
    """One field that is wrong: where it is (`author.followers`, `[3].text` in a list), and how to mend it."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class ProblemDetails(BaseModel):
    """The body of every error, for the OpenAPI description; `type` is always `about:blank`, so `status` says what it is."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: tuple[FieldProblem, ...] = ()


class Problem(Exception):
    """Raise it in a route to answer with this problem; `errors` may be dicts with `field` and `message`."""

    def __init__(
        self,
        status: int,
        title: str | None = None,
        detail: str | None = None,
        *,
        errors: Sequence[FieldProblem | Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or title or HTTPStatus(status).phrase)
        self.details = ProblemDetails(
            title=title or HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            errors=tuple(item if isinstance(item, FieldProblem) else FieldProblem(**item) for item in errors),
        )
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The answer that the client gets."""
        body = self.details.model_dump(exclude_none=True)
        if not self.details.errors:
            del body["errors"]
        return JSONResponse(body, status_code=self.details.status, headers=self.headers, media_type=MEDIA_TYPE)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
    for status in (401, 403, 422)
}
"""For `responses=` of a router: the errors that any route may answer with."""


def install(app: FastAPI) -> None:
    """Let `app` answer every error as a problem: its own, those of validation, 404 and 405, a full bus, and bugs."""

    @app.exception_handler(Problem)
    async def own(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [FieldProblem(field=_field(item["loc"]), message=_message(item)) for item in error.errors()]
        return Problem(
            422, "The request is not valid", "; ".join(f"{f.field}: {f.message}" for f in fields), errors=fields
        ).response()

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        detail = None if error.detail == phrase else str(error.detail)
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_methods_of(request.app.routes, request.url.path)))
        return Problem(error.status_code, phrase, detail, headers=headers).response()

    @app.exception_handler(Retryable)
    async def later(_request: Request, error: Retryable) -> JSONResponse:
        status = 429 if isinstance(error, BusFull) else 503
        _log.warning("a request has to be sent again later", status=status, reason=str(error))
        detail = "nothing of this request was kept; send it again after the seconds that Retry-After names"
        return Problem(status, detail=detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}).response()

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
        return Problem(500, detail="this is a bug in Tocsin; the log of the process says more").response()


def _methods_of(routes: Sequence[Any], path: str) -> set[str]:
    """The methods of every route of a path: each route that refuses one knows only its own."""
    methods: set[str] = set()
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            methods |= _methods_of(included.routes, path)
        elif isinstance(route, Route) and route.path_regex.match(path):
            methods |= route.methods or set()
    return methods


def _field(location: Sequence[int | str]) -> str:
    """`author.followers` for `("body", "author", "followers")`; the part of the request only where nothing else names it."""
    parts = (
        location[1:] if len(location) > 1 and location[0] in {"body", "query", "path", "header", "cookie"} else location
    )
    name = ""
    for part in parts:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".") or "body"


def _message(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).removeprefix("Value error, ")
