"""Signing in by a link that works once, and signing out.

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
from services.api.permission import Reader
from services.api.routes.pages import Form, Words, remember_language
from tocsin.access.principals import NotRecognised

router = APIRouter(include_in_schema=False)

_LONGEST_LINK = 200


@router.get("/sign-in", response_class=HTMLResponse)
def ask(
    *, context: Context, words: Words, request: Request, link: Annotated[str, Query(max_length=_LONGEST_LINK)] = ""
) -> Response:
    """The button, or how to get a link."""
    response = HTMLResponse(render("sign_in.html", words, context.clock.now(), link=link, failed=False))
    remember_language(request, response)
    return response


@router.post("/sign-in")
def redeem(*, context: Context, words: Words, request: Request, form: Form) -> Response:
    """Use the link up and begin a session, in a cookie that no script can read."""
    try:
        token = context.sessions.redeem(form.get("link", ""))
    except NotRecognised:
        html = render("sign_in.html", words, context.clock.now(), link="", failed=True)
        return HTMLResponse(html, status_code=403)
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


@router.post("/sign-out")
def leave(*, context: Context, _principal: Reader, request: Request) -> Response:
    """End the session, here and in the database."""
    if request.state.session_token:
        context.sessions.end(request.state.session_token)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=_https(context, request))
    return response


def _https(context: ApiContext, request: Request) -> bool:
    return "https" in (request.url.scheme, urlsplit(context.configuration.api.public_url or "").scheme)
