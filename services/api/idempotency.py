"""`Idempotency-Key`: a POST that was sent again, because its answer was lost, is answered again and not done again.

The key belongs to the sender (a key of another principal is another key) and is remembered for 24 hours. Only what was decided is
remembered: an answer that asks to come again later (429, 5xx) is not, and neither is a request that never reached a route.
"""

from __future__ import annotations

import hashlib
import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.clock import Clock
from tocsin.problems import RETRY_AFTER_SECONDS, Problem
from tocsin.storage import idempotency
from tocsin.storage.database import Database, DatabaseUnavailable
from tocsin.storage.idempotency import Answer, OtherRequest, StillUnderWay

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_HEADERS = {"content-type", "etag", "location"}
_LARGEST_ANSWER = 256 * 1024
_COME_AGAIN = {408, 425, 429}


class IdempotentRequests:
    """ASGI middleware behind the gate, for POST under `/v1/`. `POST /v1/mentions` needs none: a mention's id is its key."""

    def __init__(self, app: ASGIApp, *, database: Database, clock: Clock) -> None:
        """`clock`: that of the people who send requests."""
        self._app = app
        self._database = database
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = scope.get("state", {}).get("principal") if scope["type"] == "http" else None
        key = Headers(scope=scope).get(HEADER) if principal is not None and _applies(scope) else None
        if principal is None or key is None:
            await self._app(scope, receive, send)
            return
        try:
            if not _KEY.fullmatch(key):
                message = "1 to 200 visible ASCII characters, such as a UUID"
                raise Problem(422, detail=f"Idempotency-Key: {message}", errors=[{"field": HEADER, "message": message}])
            body = await _body(receive)
            known = await run_in_threadpool(self._claim, principal.actor, key, _fingerprint(scope, body))
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if known is not None:
            headers = {**dict(known.headers), REPLAYED: "true"}
            await Response(known.body, known.status, headers)(scope, receive, send)
            return
        answer = _Overheard(send)
        try:
            await self._app(scope, _handing_out(body, receive), answer)
        finally:
            await run_in_threadpool(self._remember, principal.actor, key, answer)

    def _claim(self, actor: str, key: str, request: str) -> Answer | None:
        try:
            with self._database.unit_of_work() as session:
                return idempotency.claim(session, actor, key, request, self._clock.now())
        except OtherRequest as error:
            raise Problem(422, detail=str(error), errors=[{"field": HEADER, "message": str(error)}]) from error
        except StillUnderWay as error:
            raise Problem(409, detail=str(error), headers={"Retry-After": "1"}) from error
        except DatabaseUnavailable as error:
            raise Problem(
                503,
                detail="the database is away; nothing of this request was done, send it again after Retry-After",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from error

    def _remember(self, actor: str, key: str, answer: _Overheard) -> None:
        with self._database.unit_of_work() as session:
            if answer.status >= 500 or answer.status in _COME_AGAIN or len(answer.body) > _LARGEST_ANSWER:
                idempotency.give_back(session, actor, key)
                return
            kept = tuple((name, value) for name, value in answer.headers.items() if name in _KEPT_HEADERS)
            idempotency.keep(session, actor, key, Answer(answer.status, kept, bytes(answer.body)))


class _Overheard:
    """A `send` that passes everything on and knows afterwards what was said; 500 where nothing was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.headers = Headers()
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], Headers(raw=message["headers"])
        elif message["type"] == "http.response.body":
            self.body.extend(message.get("body", b""))
        await self._send(message)


def _applies(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.startswith("/v1/") and path != "/v1/mentions"


def _fingerprint(scope: Scope, body: bytes) -> str:
    digest = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope.get("query_string", b""), body):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


async def _body(receive: Receive) -> bytes:
    """All of the body; the gate has bounded it."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _handing_out(body: bytes, receive: Receive) -> Receive:
    handed_out = False

    async def again() -> Message:
        nonlocal handed_out
        if handed_out:
            return await receive()
        handed_out = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
