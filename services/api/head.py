"""`HEAD` wherever there is `GET`: the same answer without its body, for clients that only ask whether it is there or has changed."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AnswersHead:
    """ASGI middleware around whatever answers GET, so that no route has to think of it.

    The application sees a GET; as soon as its answer begins, the client has all of it and, for the application, is gone: a stream
    without an end would else go on for nobody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] != "HEAD":
            await self._app(scope, receive, lambda message: send(_with_head(message)))
        else:
            await self._without_body(scope, receive, send)

    async def _without_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def receive_until_begun() -> Message:
            return {"type": "http.disconnect"} if begun else await receive()

        async def send_start(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                await send(_with_head(message))
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        asked: Scope = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive_until_begun, send_start)
        finally:
            # Who came, and which route answered, is told by what stands around this.
            scope.update({**asked, "method": "HEAD"})


def _with_head(message: Message) -> Message:
    """Of an answer that names the methods of an address, one that names HEAD beside GET."""
    if message["type"] == "http.response.start" and message["status"] == 405:
        headers = MutableHeaders(scope=message)
        methods = {name.strip() for name in headers.get("allow", "").split(",")}
        if "GET" in methods:
            headers["allow"] = ", ".join(sorted(methods | {"HEAD"}))
    return message
