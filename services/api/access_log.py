"""One line and one measurement a request, and an id by which the two ends can speak about it."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.observability import metrics
from tocsin.observability.logs import logger
from tocsin.observability.routes import OPEN_PATHS

REQUEST_ID = "x-request-id"
_USABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")

_log = logger(__name__)


class AccessLog:
    """ASGI middleware outside everything else.

    It takes the `X-Request-ID` that a client or proxy gave (8 to 64 letters, digits, `.`, `_`, `-`; anything else could forge
    lines in a log) or makes one, answers it, and puts it on every log line of the request. The line itself names the route and
    not the path, so that no id of a person and no search stands in a log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        identifier = given if _USABLE.fullmatch(given) else secrets.token_hex(16)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = identifier
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=identifier):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        metrics.HTTP_SECONDS.labels(method=scope["method"], route=route, status=str(status or 499)).observe(seconds)
        if scope["path"] in OPEN_PATHS or scope["path"].startswith("/static/"):
            return
        principal = scope.get("state", {}).get("principal")
        _log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            seconds=round(seconds, 4),
            actor=principal.actor if principal else None,
        )


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as `/v1/incidents/{incident_id}`; `none` where none did."""
    route: Any = scope.get("route")
    path: str = getattr(route, "path", "none")
    return path
