"""The crisis room of an incident, as JSON and as a page: one command a request, the same for programs and for buttons."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body, Header, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError

from services.alert.room.commands import RoomCommand
from services.alert.room.team import Team
from services.api.context import ApiContext, Context
from services.api.one_turn import OneTurnRoute
from services.api.pages.crisis_room import room_values
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.wording import Wording
from services.api.permission import Actor, Reader
from services.api.room import approve_holding, ask, entity_tag, holding_for, read_room
from services.api.routes.pages import Form, Words, remember_language
from tocsin.access.principals import Principal, Scope
from tocsin.access.secrets import form_token
from tocsin.contracts.incidents import Incident
from tocsin.contracts.room import Room
from tocsin.contracts.settings.room import words_in
from tocsin.problems import Problem
from tocsin.storage import holding

router = APIRouter(tags=["crisis room"], route_class=OneTurnRoute)
page_router = APIRouter(include_in_schema=False)

_RESPONSES: dict[int | str, dict[str, Any]] = {
    403: {"description": "It is somebody else's to do: you do not play the role"},
    404: {"description": "No such incident, not one of your brands, or it never was orange or red"},
    409: {"description": "The room is in no state for that"},
    412: {"description": "The text, or with If-Match the room, has changed since you read it"},
}
IfMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="The ETag of the room that you looked at; 412 where anything in it has changed since, or it is none of a room.",
        examples=['"9f86d081884c7d659a2feaa0c55ad015"'],
    ),
]
_COMMANDS: TypeAdapter[RoomCommand] = TypeAdapter(RoomCommand)
_NUMBERS = ("step", "statement", "version", "update", "hand_over", "follow_up")


@router.get("/v1/incidents/{incident_id}/room", summary="The crisis room of an incident", responses=_RESPONSES)
def show_room(*, context: Context, principal: Reader, incident_id: UUID, response: Response) -> Room:
    """Playbook steps with their deadlines, statements with their versions and approvals, updates, hand-overs, follow-ups."""
    with context.database.read() as session:
        room = read_room(session, principal, incident_id)[1]
    response.headers["ETag"] = entity_tag(room)
    return room


@router.post("/v1/incidents/{incident_id}/room", summary="Do something in the crisis room", responses=_RESPONSES)
def do_in_room(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    command: Annotated[RoomCommand, Body()],
    response: Response,
    if_match: IfMatch = None,
) -> Room:
    """One command; `command` says which. The same again changes nothing; a refused one leaves everything as it was."""
    seen = None if if_match is None or if_match.strip() == "*" else if_match.strip().removeprefix("W/")
    room = ask(context, principal, incident_id, command, seen=seen)
    response.headers["ETag"] = entity_tag(room)
    return room


@page_router.get("/incidents/{incident_id}/room", response_class=HTMLResponse)
def room_page(*, context: Context, principal: Reader, words: Words, request: Request, incident_id: UUID) -> Response:
    """Everything that goes on in the room, with its forms."""
    response = HTMLResponse(_page(context, principal, words, request, incident_id))
    remember_language(request, response)
    return response


@page_router.post("/incidents/{incident_id}/room")
def room_by_button(
    *, context: Context, principal: Actor, words: Words, request: Request, form: Form, incident_id: UUID
) -> Response:
    """A button or a form of the page; what is refused is said on the page, beside what was written, which is not lost."""
    try:
        ask(context, principal, incident_id, command_of(form))
    except Problem as problem:
        if problem.details.status in (403, 409, 412, 422):
            html = _page(context, principal, words, request, incident_id, refused=str(problem), written=form)
            return HTMLResponse(html, status_code=problem.details.status)
        raise
    back = form.get("back") if form.get("back") in ("room", "incident") else "room"
    path = f"/incidents/{incident_id}" + ("/room" if back == "room" else "")
    return RedirectResponse(f"{path}#{form.get('place', '')[:40]}", status_code=303)


@page_router.get("/statements", response_class=HTMLResponse)
def statements_page(*, context: Context, principal: Reader, words: Words, request: Request) -> Response:
    """The holding statements, and who approved them until when."""
    response = HTMLResponse(_statements(context, principal, words, request))
    remember_language(request, response)
    return response


@page_router.post("/statements")
def approve_by_button(*, context: Context, principal: Actor, words: Words, request: Request, form: Form) -> Response:
    """Approve one text beforehand."""
    try:
        approve_holding(
            context, principal, form.get("statement", ""), form.get("language", ""), form.get("fingerprint", "")
        )
    except Problem as problem:
        html = _statements(context, principal, words, request, refused=str(problem))
        return HTMLResponse(html, status_code=problem.details.status)
    return RedirectResponse("/statements", status_code=303)


def command_of(form: dict[str, str]) -> RoomCommand:
    """The command that a form of the page describes. Raises a Problem (422) with the fields that are wrong."""
    known = {name: value for name, value in form.items() if name not in ("form_token", "back", "place")}
    fields: dict[str, Any] = {name: value.replace("\r\n", "\n") for name, value in known.items() if value.strip()}
    for name in _NUMBERS:
        if name in fields and fields[name].isdecimal():
            fields[name] = int(fields[name])
    try:
        return _COMMANDS.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or "command"
        raise Problem(422, detail=f"{field}: {first['msg']}") from error


def _page(
    context: ApiContext,
    principal: Principal,
    words: Wording,
    request: Request,
    incident_id: UUID,
    *,
    refused: str | None = None,
    written: dict[str, str] | None = None,
) -> str:
    now = context.clock.now()
    with context.database.read() as session:
        incident, room = read_room(session, principal, incident_id)
        approvals = holding.find_all(session)
        directory = context.directory_now(session)
    return render(
        "room.html",
        words,
        now,
        **_of_page(context, principal, words, request),
        **room_values(context, principal, words, incident=incident, room=room, directory=directory, now=now),
        holdings=_holdings(context, words, approvals, now, incident),
        refused=refused,
        written=defaultdict(str, written or {}),
    )


def _of_page(context: ApiContext, principal: Principal, words: Wording, request: Request) -> dict[str, Any]:
    token = request.state.session_token
    return {
        "form_token": form_token(token) if token else "",
        "who": actor_name(principal.actor, words, context.directory) if token else None,
    }


def _holdings(
    context: ApiContext,
    words: Wording,
    approvals: dict[tuple[str, str, str], holding.HoldingApproval],
    now: datetime,
    incident: Incident | None,
) -> list[dict[str, Any]]:
    """Each text of each holding statement, with its approval and whether that still holds."""
    wanted = holding_for(context, incident) if incident is not None else context.configuration.statements
    found = []
    for settings in wanted:
        for language, text in settings.texts.items():
            approval = approvals.get((settings.id, language, holding.fingerprint(text)))
            found.append(
                {
                    "id": settings.id,
                    "title": words_in(settings.title, words.language),
                    "language": language,
                    "channel": settings.channel,
                    "role": settings.role,
                    "text": text,
                    "fingerprint": holding.fingerprint(text),
                    "approval": approval,
                    "holds": approval is not None and approval.expires_at > now,
                }
            )
    return found


def _statements(
    context: ApiContext, principal: Principal, words: Wording, request: Request, *, refused: str | None = None
) -> str:
    now = context.clock.now()
    with context.database.read() as session:
        approvals = holding.find_all(session)
        team = Team.of(context.configuration, context.directory_now(session))
    return render(
        "statements.html",
        words,
        now,
        **_of_page(context, principal, words, request),
        holdings=_holdings(context, words, approvals, now, None),
        role_name=lambda role: team.role_name(role, words.language),
        plays=lambda role: team.plays(principal.actor, role, now),
        person=lambda actor: actor_name(actor, words, context.directory),
        may_act=principal.may(Scope.ACT),
        zone=ZoneInfo("UTC"),
        refused=refused,
    )
