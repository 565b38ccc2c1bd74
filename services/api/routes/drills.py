"""Drills: who has answered an exercise last, over the API and as a page."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from services.api.context import ApiContext, Context
from services.api.one_turn import OneTurnRoute
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.permission import Reader
from services.api.routes.pages import Words, remember_language
from tocsin.access.secrets import form_token
from tocsin.storage import drills
from tocsin.storage.drills import AnsweredDrill

router = APIRouter(tags=["drills"], route_class=OneTurnRoute)
page_router = APIRouter(include_in_schema=False)


class DrillAnswer(BaseModel):
    """One person, and the exercise that they acknowledged last."""

    person: str
    name: str
    answered_at: datetime | None = Field(description="When they acknowledged it; null: never.")
    seconds: float | None = Field(description="How long after it began to ring.")


class DrillList(BaseModel):
    """Everybody in the configuration, in its order."""

    people: tuple[DrillAnswer, ...]


@router.get("/v1/drills", summary="Who has answered an exercise last, and when")
def list_drills(*, context: Context, _principal: Reader) -> DrillList:
    """The last successful drill of each person; `tocsin drill` rings one."""
    return DrillList(
        people=tuple(
            DrillAnswer(
                person=person,
                name=name,
                answered_at=last.at if last else None,
                seconds=(last.at - last.opened_at).total_seconds() if last else None,
            )
            for person, name, last in _everybody(context)
        )
    )


@page_router.get("/drills", response_class=HTMLResponse)
def show_drills(*, context: Context, principal: Reader, words: Words, request: Request) -> Response:
    """The same for people."""
    now = context.clock.now()
    configured = context.configuration
    zone = ZoneInfo(configured.brands[0].time_zone if configured.brands else "UTC")
    token = request.state.session_token
    html = render(
        "drills.html",
        words,
        now,
        people=_everybody(context),
        zone=zone,
        form_token=form_token(token) if token else "",
        who=actor_name(principal.actor, words, context.directory) if token else None,
    )
    response = HTMLResponse(html)
    remember_language(request, response)
    return response


def _everybody(context: ApiContext) -> list[tuple[str, str, AnsweredDrill | None]]:
    with context.database.read() as session:
        answered = drills.last_answered(session)
    return [(person.id, person.name, answered.get(f"person:{person.id}")) for person in context.configuration.people]
