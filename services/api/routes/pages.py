"""The page itself: the board of all brands, one incident, and the buttons on them."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from services.api.commands import acknowledge, resolve, sees_incident, unknown_incident
from services.api.context import ApiContext, Context, context_of
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.views import BrandView, PageReader
from services.api.pages.wording import LANGUAGES, Wording, preferred_language, wording
from services.api.permission import Actor, Reader
from tocsin.access.principals import Principal
from tocsin.access.secrets import form_token
from tocsin.contracts.incidents import Level, Verdict
from tocsin.problems import Problem
from tocsin.storage import incidents

router = APIRouter(include_in_schema=False)

LANGUAGE_COOKIE = "tocsin_language"
_NOTICES = (
    "acknowledged",
    "resolved",
    "stale",
    "illegal",
    "done",
    "sent_again",
    "refused",
    "wrong",
    "sealed",
    "hold_refused",
)
_REFUSALS = {412: "stale", 409: "illegal"}


def install_error_page(app: FastAPI) -> None:
    """Let whoever looks at the page read errors as a page too; the API's stay problem details."""

    @app.exception_handler(Problem)
    async def shown(request: Request, problem: Problem) -> Response:
        if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
            return problem.response()
        now = context_of(request).clock.now()
        # What refused a form may have no page at its address.
        elsewhere = "" if request.method in ("GET", "HEAD") else "/"
        html = render("error.html", wording_of(request), now, detail=str(problem), language_page=elsewhere)
        return HTMLResponse(html, status_code=problem.details.status)


def wording_of(request: Request) -> Wording:
    """The language that was chosen by `?lang=` now or before, else the best that the browser accepts."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return wording(chosen)
    return wording(preferred_language(request.headers.get("accept-language", "")))


async def _words(request: Request) -> Wording:
    return wording_of(request)


Words = Annotated[Wording, Depends(_words)]


async def sent_form(request: Request) -> dict[str, str]:
    """The fields of a form that a browser sent; the gate has bounded the body."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


Form = Annotated[dict[str, str], Depends(sent_form)]


@router.get("/", response_class=HTMLResponse)
def board(
    *, context: Context, principal: Reader, words: Words, request: Request, part: Annotated[str, Query()] = ""
) -> Response:
    """Every brand, the one with most need first."""
    now = context.clock.now()
    with context.database.read() as session:
        views = PageReader(context, session, principal, words, now).board()
    return _answer(context, principal, words, request, views=views, part=part, single=False)


@router.get("/incidents/{incident_id}", response_class=HTMLResponse)
def incident(
    *,
    context: Context,
    principal: Reader,
    words: Words,
    request: Request,
    incident_id: UUID,
    part: Annotated[str, Query()] = "",
) -> Response:
    """One incident, also after it was closed; where links in messages lead."""
    with context.database.read() as session:
        views = [_incident_view(context, session, principal, words, incident_id)]
    return _answer(context, principal, words, request, views=views, part=part, single=True)


@router.post("/incidents/{incident_id}/acknowledge")
def acknowledge_by_button(*, context: Context, principal: Actor, form: Form, incident_id: UUID) -> Response:
    """The button: refused where the level has risen above the one that was shown."""
    try:
        acknowledge(context, principal, incident_id, level=_level(form.get("level")), version=None)
    except Problem as problem:
        return _refused(problem, incident_id)
    return _back(incident_id, "acknowledged")


@router.post("/incidents/{incident_id}/resolve")
def resolve_by_button(*, context: Context, principal: Actor, form: Form, incident_id: UUID) -> Response:
    """The button: refused where the incident has changed since it was shown."""
    shown = form.get("version", "")
    verdict = Verdict(form["verdict"]) if form.get("verdict") in set(Verdict) else None
    try:
        resolve(context, principal, incident_id, verdict=verdict, version=int(shown) if shown.isdecimal() else None)
    except Problem as problem:
        return _refused(problem, incident_id)
    return _back(incident_id, "resolved")


def _incident_view(
    context: ApiContext, session: Session, principal: Principal, words: Wording, incident_id: UUID
) -> BrandView:
    found = incidents.find(session, incident_id)
    if found is None or not sees_incident(principal, found):
        raise unknown_incident(incident_id)
    return PageReader(context, session, principal, words, context.clock.now()).incident_page(found)


def _answer(
    context: ApiContext,
    principal: Principal,
    words: Wording,
    request: Request,
    *,
    views: list[BrandView],
    part: str,
    single: bool,
) -> Response:
    now = context.clock.now()
    zone = views[0].zone if views else ZoneInfo("UTC")
    token = request.state.session_token
    notice = request.query_params.get("notice", "")
    values: dict[str, Any] = {
        "views": views,
        "form_token": form_token(token) if token else "",
        "who": actor_name(principal.actor, words, context.directory) if token else None,
        "notice": notice if notice in _NOTICES else None,
        "single": single,
        "page_zone": zone,
    }
    html = render("live.html" if part == "live" else "board.html", words, now, **values)
    response = HTMLResponse(
        html, headers={"X-Tocsin-Time": f"{now.astimezone(zone):%H:%M}", "Vary": "Accept-Language, Cookie"}
    )
    remember_language(request, response)
    return response


def remember_language(request: Request, response: Response) -> None:
    """Keep the language that was chosen by `?lang=` for a year."""
    chosen = request.query_params.get("lang")
    if chosen in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=365 * 86400, httponly=True, samesite="lax")


def _level(text: str | None) -> Level | None:
    return Level(text) if text in set(Level) else None


def _back(incident_id: UUID, notice: str) -> Response:
    return RedirectResponse(f"/incidents/{incident_id}?notice={notice}", status_code=303)


def _refused(problem: Problem, incident_id: UUID) -> Response:
    notice = _REFUSALS.get(problem.details.status)
    if notice is None:
        raise problem
    return _back(incident_id, notice)
