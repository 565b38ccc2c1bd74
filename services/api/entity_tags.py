"""`ETag` on what is read under `/v1/`, and 304 without a body for whoever has it already (`If-None-Match`)."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 512 * 1024
"""Bytes of an answer that is held back for its tag; larger ones, and those that are streamed, go without."""


class EntityTags:
    """ASGI middleware.

    A route that sets an ETag of its own keeps it and always answers in full: an incident's is its version, for `If-Match`, and
    says nothing of its notifications.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Tagging(Headers(scope=scope).get("if-none-match", ""), send))


class _Tagging:
    """The `send` of one request: holds the start back until the whole body is known."""

    def __init__(self, if_none_match: str, send: Send) -> None:
        self._known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            whole = headers.get("content-length", "")
            if message["status"] == 200 and whole.isdigit() and int(whole) <= LARGEST:
                self._start = message
                return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        start, self._start = self._start, None
        headers = MutableHeaders(scope=start)
        if message.get("more_body", False):
            await self._send(start)
            await self._send(message)
            return
        if "etag" not in headers:
            headers["etag"] = f'"{hashlib.sha256(message["body"]).hexdigest()[:32]}"'
            if headers["etag"] in self._known or "*" in self._known:
                start["status"] = 304
                del headers["content-length"]
                message = {**message, "body": b""}
        await self._send(start)
        await self._send(message)
