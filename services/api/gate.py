"""Denied by default: the gate that every request passes before any route is looked at.

It stands outside the routes, so that a new route is closed without anybody thinking of it, and an unknown path tells a stranger
nothing. It recognises whoever asks by an API key (`Authorization: Bearer tocsin_…`) or by the page's cookie, keeps requests
that change something within bounds, asks those that come with a cookie for the form token, and gives every answer the headers
that keep a browser safe. What the principal may do is then decided in each route (`services.api.permission`).
"""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.alert.protocol.answers import ACKNOWLEDGE_PATH
from tocsin.access.principals import NotRecognised, Principal
from tocsin.access.secrets import form_token, same
from tocsin.access.sessions import Sessions
from tocsin.access.verifying import KeyVerifier
from tocsin.observability.routes import OPEN_PATHS
from tocsin.problems import RETRY_AFTER_SECONDS, Problem
from tocsin.storage import links
from tocsin.storage.database import DatabaseUnavailable

SESSION_COOKIE = "tocsin_session"
FORM_FIELD = "form_token"
FORM_HEADER = "x-form-token"
BODY_LIMIT = 64 * 1024
"""Bytes of a request's body; what is sent here are commands of a few words."""

DECLARATION_LIMIT = 6 * 1024 * 1024
"""Bytes of the body of `POST /v1/incidents`, which may hold a picture, and of an erasure of a thousand mentions."""

SLOWEST_BODY = 60.0
"""Seconds that a body may take: who sends a byte now and then would hold a connection for ever."""

_BOUNDED_BY_THEIR_ROUTE = {"/v1/mentions"}
"""Where one process serves everything, mentions come in here, too; they are larger than commands."""
_LIMITS = {"/v1/incidents": DECLARATION_LIMIT, "/v1/privacy/erasures": DECLARATION_LIMIT}
_NUL_IN_FORM = re.compile(rb"\0|%00")
_NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""An escape is one only behind an even number of backslashes."""
_SIGN_IN = "/sign-in"
_STATIC = "/static/"
_CALLBACKS = "/callbacks/"
"""Services that carry our messages call back here; each proves itself by a signature of its own."""
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not `no-referrer`: browsers would then name the origin of a form as `null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class Gate:
    """ASGI middleware around the whole application.

    `public_url` is where people find the page behind a
    proxy; where it begins with https, browsers are told to come by nothing else.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: KeyVerifier,
        sessions: Sessions,
        public_url: str | None = None,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._sessions = sessions
        self._public = urlsplit(public_url or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no websockets here; whatever it is, it has shown no key.
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        headers = Headers(scope=scope)
        try:
            if scope["method"] not in _SAFE_METHODS and scope["path"] not in _BOUNDED_BY_THEIR_ROUTE:
                receive, body = await _bounded(headers, receive, _LIMITS.get(scope["path"], BODY_LIMIT))
            else:
                body = b""
            if not _open(scope["path"]):
                await self._admit(scope, headers, body)
            elif _by_a_link(scope["path"]) and scope["method"] not in _SAFE_METHODS:
                self._same_site(headers)
            _refuse_nul(scope, headers, body)
        except Problem as problem:
            response: Response = problem.response()
            if problem.details.status == 401 and _wants_page(scope, headers):
                response = RedirectResponse(_SIGN_IN, status_code=303)
            await response(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    async def _admit(self, scope: Scope, headers: Headers, body: bytes) -> None:
        """Put the principal into the request's state, or raise the Problem that answers it."""
        try:
            known = self._recognise_at_once(headers)
            principal, session_token = (known, None) if known else await run_in_threadpool(self._recognise, headers)
        except NotRecognised as error:
            raise Problem(401, detail=str(error), headers={"WWW-Authenticate": 'Bearer realm="tocsin"'}) from error
        except DatabaseUnavailable as error:
            raise Problem(
                503,
                detail="the database is away, so that nobody can be recognised; try again after Retry-After",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from error
        if session_token is not None and scope["method"] not in _SAFE_METHODS:
            self._same_site(headers)
            if not same(form_token(session_token), _sent_form_token(headers, body)):
                raise Problem(
                    403,
                    detail=f"the form token is missing or of another session; load the page again, or send it as {FORM_HEADER}",
                )
        scope.setdefault("state", {})
        scope["state"]["principal"] = principal
        scope["state"]["session_token"] = session_token
        # For answers that last: a key may be revoked, and a session end, while one is under way.
        scope["state"]["recognise_again"] = lambda: self._recognise(headers)[0]

    def _recognise_at_once(self, headers: Headers) -> Principal | None:
        """Whoever shows a key that was looked up lately: nothing is waited for, so no thread is."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return self._verifier.recognise_at_once(key) if scheme.lower() == "bearer" else None

    def _recognise(self, headers: Headers) -> tuple[Principal, str | None]:
        # A key wins over a cookie: whoever sends one means it.
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise NotRecognised("send the API key as 'Authorization: Bearer tocsin_…'")
            return self._verifier.recognise(key), None
        token = session_cookie(headers)
        if token is None:
            raise NotRecognised(
                "show an API key ('Authorization: Bearer tocsin_…'), or sign in with a link of `tocsin sign-in`"
            )
        return self._sessions.recognise(token), token

    def _same_site(self, headers: Headers) -> None:
        """Refuse what a browser says comes from another site; older browsers that say nothing are left to the form token."""
        origin = headers.get("origin")
        ours = {headers.get("host", ""), self._public.netloc}
        foreign_origin = origin is not None and urlsplit(origin).netloc not in ours - {""}
        if foreign_origin or headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            raise Problem(403, detail="this request comes from another site; use the page itself")

    def _add_headers(self, headers: MutableHeaders, path: str) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value
        if self._public.scheme == "https":
            headers["Strict-Transport-Security"] = "max-age=31536000"
        # Static files are asked for again each time, and mostly answered with 304: an upgrade is seen at once.
        headers["Cache-Control"] = "no-cache" if path.startswith(_STATIC) else "no-store"


def _refuse_nul(scope: Scope, headers: Headers, body: bytes) -> None:
    """PostgreSQL keeps U+0000 in no text, and nobody types it: refused at every door, so that both databases do the same."""
    sent = _NUL_IN_FORM if _is_form(headers) else _NUL_IN_JSON
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        field, place = "address", "the address"
    elif sent.search(body):
        field, place = "body", "the body"
    else:
        return
    message = f"{place} has the character U+0000, which no text can hold; leave it out"
    raise Problem(422, detail=message, errors=[{"field": field, "message": message}])


def session_cookie(headers: Headers) -> str | None:
    """The secret of the session in the request's cookies, or None."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[SESSION_COOKIE].value if SESSION_COOKIE in cookies else None


def _open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith((_STATIC, _CALLBACKS, _SIGN_IN + "/")) or _by_a_link(path)


def _by_a_link(path: str) -> bool:
    """Paths that are opened by the link in the request, and answer nothing without one."""
    return path == _SIGN_IN or path.startswith((links.PREFIX, ACKNOWLEDGE_PATH))


def _wants_page(scope: Scope, headers: Headers) -> bool:
    page = scope["method"] in _SAFE_METHODS and "text/html" in headers.get("accept", "")
    return page and "authorization" not in headers and not scope["path"].startswith("/v1/")


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _sent_form_token(headers: Headers, body: bytes) -> str:
    sent = headers.get(FORM_HEADER)
    if sent is None and _is_form(headers):
        sent = parse_qs(body.decode("utf-8", "replace")).get(FORM_FIELD, [""])[0]
    return sent or ""


async def _bounded(headers: Headers, receive: Receive, limit: int) -> tuple[Receive, bytes]:
    """Read a body of at most `limit` bytes, and a `receive` that hands it out once more."""
    too_large = Problem(413, detail=f"the body may have {limit} bytes at most; send less at once")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    body, more = b"", True
    with anyio.move_on_after(SLOWEST_BODY) as time:
        while more:
            message = await receive()
            if message["type"] != "http.request":
                # Half a command is none: with what is missing it might have been another one. Nobody hears this answer.
                raise Problem(400, detail="the connection ended before the body did; nothing was done")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise too_large
    if time.cancelled_caught:
        raise Problem(408, detail=f"the body took longer than {SLOWEST_BODY:g} s; nothing was done, send it again")
    handed_out = False

    async def again() -> Message:
        nonlocal handed_out
        if handed_out:
            return await receive()
        handed_out = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again, body
