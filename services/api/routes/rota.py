"""`/on-call`: the picture of who is on call this week and the next ones, with the form that exchanges shifts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.api.context import ApiContext, Context
from services.api.oncall.exchanging import exchange, take_back
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.rota import WIDTH, bands, monday_of
from services.api.permission import Actor, Reader
from services.api.routes.pages import Form, Words, remember_language
from tocsin.access.principals import Scope
from tocsin.access.secrets import form_token
from tocsin.problems import Problem
from tocsin.storage import oncall

router = APIRouter(include_in_schema=False)

_WEEK = timedelta(days=7)


@router.get("/on-call", response_class=HTMLResponse)
def show_rota(
    *,
    context: Context,
    principal: Reader,
    words: Words,
    request: Request,
    week: Annotated[date | None, Query(description="Any day of the week; default: this one.")] = None,
    notice: str = "",
) -> Response:
    """A week on call, schedule by schedule."""
    now = context.clock.now()
    monday = monday_of(week or now.date())
    since = datetime.combine(monday, datetime.min.time(), UTC) - timedelta(days=1)
    with context.database.read() as session:
        found = oncall.overrides(session, min(since, now), until=max(since + 2 * _WEEK, now + _WEEK))
    directory = context.directory.with_overrides(found)
    token = request.state.session_token
    html = render(
        "rota.html",
        words,
        now,
        bands=bands(directory, monday, now, words),
        width=WIDTH,
        monday=monday,
        before=monday - _WEEK,
        after=monday + _WEEK,
        people=sorted(directory.people.values(), key=lambda person: person.name),
        schedules=list(directory.schedules),
        may_act=principal.may(Scope.ACT),
        me=principal.actor.removeprefix("person:"),
        form_token=form_token(token) if token else "",
        who=actor_name(principal.actor, words, directory) if token else None,
        notice=notice if notice in ("exchanged", "taken_back", "wrong") else None,
    )
    response = HTMLResponse(html, headers={"Vary": "Accept-Language, Cookie"})
    remember_language(request, response)
    return response


@router.post("/on-call/exchange")
def exchange_by_form(*, context: Context, principal: Actor, form: Form) -> Response:
    """The form: a shift on the schedule's own clock."""
    schedule = form.get("schedule", "")
    try:
        since, until = (_instant(context, schedule, form.get(name, "")) for name in ("since", "until"))
        exchange(context, principal, schedule=schedule, person=form.get("person", ""), since=since, until=until)
    except (Problem, ValueError):
        return RedirectResponse("/on-call?notice=wrong", status_code=303)
    return RedirectResponse(f"/on-call?week={since.date()}&notice=exchanged", status_code=303)


@router.post("/on-call/{override_id}/end")
def take_back_by_form(*, context: Context, principal: Actor, override_id: UUID) -> Response:
    """The button beside an exchanged shift."""
    try:
        ended = take_back(context, principal, override_id)
    except Problem:
        return RedirectResponse("/on-call?notice=wrong", status_code=303)
    return RedirectResponse(f"/on-call?week={ended.since.date()}&notice=taken_back", status_code=303)


def _instant(context: ApiContext, schedule: str, written: str) -> datetime:
    """What a browser's date and time field says, on the wall clock of the schedule. Raises ValueError."""
    settings = context.directory.schedules.get(schedule)
    if settings is None:
        raise ValueError(f"there is no schedule {schedule!r}")
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(settings.time_zone)).astimezone(UTC)
