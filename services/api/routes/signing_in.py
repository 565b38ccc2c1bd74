"""Signing in: by a link that works once, with a password, or through the team's identity provider; and signing out.

Mail scanners and chat previews follow links: so GET only shows a button, and the POST behind it uses the link up.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.api.context import ApiContext, Context
from services.api.gate import SESSION_COOKIE
from services.api.pages.rendering import render
from services.api.pages.wording import Wording
from services.api.permission import Reader
from services.api.routes.pages import Form, Words, remember_language
from tocsin.access.identity_provider import Attempt, ProviderUnavailable
from tocsin.access.passwords import TooManyTries
from tocsin.access.principals import NotRecognised, Scope
from tocsin.contracts.settings.protocol import PersonSettings
from tocsin.observability import metrics
from tocsin.observability.logs import logger
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)

PROVIDER_COOKIE = "tocsin_provider"
CALLBACK = "/sign-in/provider/callback"
_ATTEMPT_SECONDS = 600
_LONGEST_LINK = 200
_LONGEST_NAME = 200

_log = logger(__name__)


@router.get("/sign-in", response_class=HTMLResponse)
def ask(
    *, context: Context, words: Words, request: Request, link: Annotated[str, Query(max_length=_LONGEST_LINK)] = ""
) -> Response:
    """The button of a link, or the ways to sign in."""
    response = _form(context, words, link=link)
    remember_language(request, response)
    return response


@router.post("/sign-in")
def sign_in(*, context: Context, words: Words, request: Request, form: Form) -> Response:
    """Use a link up, or check a password, and begin a session in a cookie that no script can read."""
    if "person" in form:
        return _by_password(context, words, request, form)
    try:
        token = context.sessions.redeem(form.get("link", ""))
    except NotRecognised:
        metrics.SIGN_INS.labels(way="link", outcome="refused").inc()
        return _form(context, words, failed="link", status=403)
    metrics.SIGN_INS.labels(way="link", outcome="in").inc()
    return _welcome(context, request, token)


@router.get("/sign-in/provider")
def to_provider(*, context: Context, request: Request) -> Response:
    """Send the browser to the identity provider."""
    if context.identity_provider is None:
        raise Problem(404, detail="no identity provider is written in tocsin.yaml (api.identity_provider)")
    try:
        url, attempt = context.identity_provider.begin(_callback(context, request))
    except ProviderUnavailable as error:
        _log.error("the identity provider is unavailable", error=str(error))
        raise Problem(503, detail=str(error), headers={"Retry-After": "30"}) from error
    response = RedirectResponse(url, status_code=303)
    response.set_cookie(
        PROVIDER_COOKIE,
        str(attempt),
        max_age=_ATTEMPT_SECONDS,
        path="/sign-in",
        httponly=True,
        samesite="lax",
        secure=_https(context, request),
    )
    return response


@router.get(CALLBACK)
def from_provider(
    *,
    context: Context,
    words: Words,
    request: Request,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The browser comes back from the identity provider."""
    provider, attempt = context.identity_provider, Attempt.parse(request.cookies.get(PROVIDER_COOKIE, ""))
    try:
        if provider is None or attempt is None or not code:
            raise NotRecognised("there is no attempt to sign in under way in this browser, or it took too long")
        named = provider.finish(_callback(context, request), attempt, state=state, code=code)
        person = _named(context, named)
        if person is None:
            raise NotRecognised("nobody in tocsin.yaml has this mail address or id")
    except (NotRecognised, ProviderUnavailable) as error:
        _log.warning("sign-in through the identity provider failed", reason=str(error))
        metrics.SIGN_INS.labels(way="provider", outcome="refused").inc()
        response = _form(context, words, failed="provider", status=403)
    else:
        metrics.SIGN_INS.labels(way="provider", outcome="in").inc()
        response = _begin(context, request, person)
    response.delete_cookie(PROVIDER_COOKIE, path="/sign-in", httponly=True, samesite="lax")
    return response


@router.post("/sign-out")
def leave(*, context: Context, _principal: Reader, request: Request) -> Response:
    """End the session, here and in the database."""
    if request.state.session_token:
        context.sessions.end(request.state.session_token)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=_https(context, request))
    return response


def _by_password(context: ApiContext, words: Wording, request: Request, form: dict[str, str]) -> Response:
    name = form["person"].strip()[:_LONGEST_NAME]
    person = _named(context, name)
    address = request.client.host if request.client else "unknown"
    try:
        # Somebody unknown is checked too, so that a stranger learns neither from the answer nor from the time who is here.
        context.passwords.check(person.id if person else name, form.get("password", ""), address=address)
    except TooManyTries as error:
        metrics.SIGN_INS.labels(way="password", outcome="throttled").inc()
        response = _form(context, words, failed="throttled", status=429, name=name)
        response.headers["Retry-After"] = str(max(1, int(error.wait.total_seconds())))
        return response
    except NotRecognised:
        metrics.SIGN_INS.labels(way="password", outcome="refused").inc()
        return _form(context, words, failed="password", status=403, name=name)
    if person is None:
        # A password that outlived its person's place in tocsin.yaml.
        return _form(context, words, failed="password", status=403, name=name)
    metrics.SIGN_INS.labels(way="password", outcome="in").inc()
    return _begin(context, request, person)


def _begin(context: ApiContext, request: Request, person: PersonSettings) -> Response:
    token = context.sessions.begin(
        person.id,
        scopes=frozenset(Scope(name) for name in person.access),
        brands=frozenset(person.brands) or None,
    )
    return _welcome(context, request, token)


def _welcome(context: ApiContext, request: Request, token: str) -> Response:
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(context.sessions.lifetime.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=_https(context, request),
    )
    return response


def _form(
    context: ApiContext, words: Wording, *, link: str = "", failed: str = "", status: int = 200, name: str = ""
) -> Response:
    provider = context.configuration.api.identity_provider
    html = render(
        "sign_in.html",
        words,
        context.clock.now(),
        link=link,
        failed=failed,
        person=name,
        provider=provider.name if provider else "",
        # Not where an identity provider sends back to, whose address works once.
        language_page="/sign-in",
    )
    return HTMLResponse(html, status_code=status)


def _named(context: ApiContext, name: str) -> PersonSettings | None:
    """The person with this id or mail address, as tocsin.yaml writes it."""
    wanted = name.casefold()
    return next(
        (
            person
            for person in context.configuration.people
            if wanted and wanted in (person.id, (person.mail or "").casefold())
        ),
        None,
    )


def _callback(context: ApiContext, request: Request) -> str:
    base = context.configuration.api.public_url or str(request.base_url)
    return base.rstrip("/") + CALLBACK


def _https(context: ApiContext, request: Request) -> bool:
    return "https" in (request.url.scheme, urlsplit(context.configuration.api.public_url or "").scheme)
