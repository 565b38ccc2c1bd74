"""The report on an incident, as a page and as Markdown, and what verdicts say of the bell month by month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from pydantic import Field

from services.alert.room.verdicts import by_month
from services.api.commands import sees_incident, unknown_incident
from services.api.context import ApiContext, Context
from services.api.one_turn import OneTurnRoute
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.report import Report, duration, make_report, markdown
from services.api.pages.wording import Wording, wording
from services.api.permission import Reader, unknown_brand
from services.api.response_answers import VerdictsOfBell
from services.api.routes.pages import Words, remember_language
from services.api.schemas import Answer
from tocsin.access.principals import Principal
from tocsin.access.secrets import form_token
from tocsin.storage import incidents
from tocsin.storage.incident_records import opened_between

router = APIRouter(tags=["crisis room"], route_class=OneTurnRoute)
page_router = APIRouter(include_in_schema=False)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such incident or brand that you may see"}}


class MonthOfVerdicts(VerdictsOfBell):
    """Of the incidents that were opened in one month of the brand's calendar."""

    month: str = Field(examples=["2026-11"])


class VerdictsAnswer(Answer):
    """The newest month first; exercises are left out."""

    brand: str
    months: tuple[MonthOfVerdicts, ...]


@router.get(
    "/v1/incidents/{incident_id}/report.md",
    summary="The report on an incident, as Markdown",
    responses={**_NOT_FOUND, 200: {"content": {"text/markdown": {}}, "description": "The report"}},
    response_class=Response,
)
def report_as_markdown(
    *, context: Context, principal: Reader, incident_id: UUID, lang: Annotated[Literal["fr", "en"], Query()] = "en"
) -> Response:
    """Timeline, evidence, times, statements, verdict and follow-ups, to paste into another document."""
    words, now = wording(lang), context.clock.now()
    report = _report(context, principal, incident_id, words, now)
    return PlainTextResponse(markdown(report, words, now), media_type="text/markdown; charset=utf-8")


@router.get("/v1/brands/{brand}/verdicts", summary="Precision and misses by month", responses=_NOT_FOUND)
def verdicts_by_month(
    *, context: Context, principal: Reader, brand: str, months: Annotated[int, Query(ge=1, le=60)] = 12
) -> VerdictsAnswer:
    """From the verdicts that people gave when they closed the incidents that were opened in each month."""
    settings = context.configuration.brand(brand)
    if settings is None or not principal.sees(brand):
        raise unknown_brand(brand)
    now = context.clock.now()
    with context.database.read() as session:
        found = opened_between(session, brand, now - timedelta(days=31 * months), now)
    counted = by_month(found, ZoneInfo(settings.time_zone))
    return VerdictsAnswer(
        brand=brand,
        months=tuple(MonthOfVerdicts.of(quality, month=month) for month, quality in counted[:months]),
    )


@page_router.get("/incidents/{incident_id}/report", response_class=HTMLResponse)
def report_page(*, context: Context, principal: Reader, words: Words, request: Request, incident_id: UUID) -> Response:
    """The report to read, print, or copy as Markdown."""
    now = context.clock.now()
    report = _report(context, principal, incident_id, words, now)
    token = request.state.session_token
    html = render(
        "report.html",
        words,
        now,
        report=report,
        markdown=markdown(report, words, now),
        duration=lambda length: duration(words, length),
        form_token=form_token(token) if token else "",
        who=actor_name(principal.actor, words, context.directory) if token else None,
    )
    response = HTMLResponse(html)
    remember_language(request, response)
    return response


def _report(context: ApiContext, principal: Principal, incident_id: UUID, words: Wording, now: datetime) -> Report:
    with context.database.read() as session:
        incident = incidents.find(session, incident_id)
        if incident is None or not sees_incident(principal, incident):
            raise unknown_incident(incident_id)
        return make_report(context, session, incident, words, now)
