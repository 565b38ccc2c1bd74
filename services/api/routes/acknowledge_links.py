"""The link in a page: GET shows what it would acknowledge (mail scanners follow links), the POST behind it does."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.alert.protocol.answers import ACKNOWLEDGE_PATH
from services.alert.protocol.messages import harmless, reason
from services.api.answering import acknowledge_by_link, look
from services.api.context import ApiContext, Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.wording import LANGUAGES, Wording, wording
from services.api.routes.pages import wording_of
from tocsin.contracts.incidents import Incident
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)


@router.get(ACKNOWLEDGE_PATH + "{token}", response_class=HTMLResponse)
def ask(*, context: Context, request: Request, token: str) -> Response:
    """What it is about, and the button."""
    try:
        asked = look(context, token)
    except Problem as problem:
        return _refused(context, wording_of(request), problem)
    return _page(context, _words(request, asked.language), asked.incident, done=False)


@router.post(ACKNOWLEDGE_PATH + "{token}")
def confirm(*, context: Context, request: Request, token: str) -> Response:
    """Take the incident in hand, and use the link up."""
    words = wording_of(request)
    try:
        words = _words(request, look(context, token).language)
        incident = acknowledge_by_link(context, token)
    except Problem as problem:
        return _refused(context, words, problem)
    return _page(context, words, incident, done=True)


def _words(request: Request, language: str) -> Wording:
    chosen = request.query_params.get("lang")
    return wording(chosen if chosen in LANGUAGES else language)


def _page(context: ApiContext, words: Wording, incident: Incident, *, done: bool) -> Response:
    html = render(
        "acknowledge.html",
        words,
        context.clock.now(),
        level=incident.level,
        brand=harmless(context.directory.brand_name(incident.brand)),
        reason=reason(incident.reasons, "fr" if words.language == "fr" else "en"),
        exercise=incident.exercise,
        incident_id=incident.id,
        done=done,
        refusal=None,
        held=incident.acknowledged if not done else None,
        who=actor_name(incident.acknowledged.by, words, context.directory) if incident.acknowledged else None,
    )
    return HTMLResponse(html)


def _refused(context: ApiContext, words: Wording, problem: Problem) -> Response:
    known = {404: "unknown", 409: "closed", 410: "used", 412: "risen"}
    status = problem.details.status
    if status not in known:
        raise problem
    html = render("acknowledge.html", words, context.clock.now(), refusal=known[status], exercise=False, done=False)
    return HTMLResponse(html, status_code=status)
