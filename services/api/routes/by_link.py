"""What a link opens without an account: approve a statement, take an incident over, read a situation update.

Mail scanners and chat previews follow links: GET only shows what it is about, and the POST behind the button uses the link up, in
the transaction of what it does. A link opens nothing but what it was made for, for the person it was made for.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from services.alert.room.commands import AcceptHandOver, ApproveStatement, RefuseStatement, RoomCommand
from services.alert.room.draft import find
from services.alert.room.team import Team
from services.api.context import ApiContext, Context
from services.api.pages.history import actor_name
from services.api.pages.rendering import render
from services.api.pages.wording import Wording
from services.api.room import ask_within
from services.api.routes.pages import Form, Words, remember_language
from tocsin.contracts.incidents import Incident
from tocsin.contracts.room import Room
from tocsin.problems import Problem
from tocsin.storage import incidents, links, rooms
from tocsin.storage.links import Link, LinkPurpose, LinkRefused, WhyLinkRefused

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Query(max_length=200)]
_GONE = {WhyLinkRefused.UNKNOWN: 404, WhyLinkRefused.USED: 410, WhyLinkRefused.EXPIRED: 410}


@router.get("/by-link/approve", response_class=HTMLResponse)
def ask_for_approval(*, context: Context, words: Words, request: Request, link: Token = "") -> Response:
    """The statement, and two buttons."""
    return _show(context, words, request, link, LinkPurpose.APPROVE)


@router.post("/by-link/approve", response_class=HTMLResponse)
def approve(*, context: Context, words: Words, form: Form) -> Response:
    """Approve or refuse the version that the link is for; one that has changed since is refused, and the link goes on working."""

    def wanted(found: Link) -> RoomCommand:
        number, version = int(found.subject["number"]), int(found.subject["version"])
        if form.get("answer") == "refuse":
            reason = form.get("reason", "").strip()[:300]
            if not reason:
                raise Problem(422, detail=words.say("by_link.reason_missing"))
            return RefuseStatement(statement=number, version=version, reason=reason)
        return ApproveStatement(statement=number, version=version, role=found.subject.get("role"))

    return _do(context, words, form.get("link", ""), LinkPurpose.APPROVE, wanted)


@router.get("/by-link/hand-over", response_class=HTMLResponse)
def ask_to_take_over(*, context: Context, words: Words, request: Request, link: Token = "") -> Response:
    """What is going on, and a button."""
    return _show(context, words, request, link, LinkPurpose.HAND_OVER)


@router.post("/by-link/hand-over", response_class=HTMLResponse)
def take_over(*, context: Context, words: Words, form: Form) -> Response:
    """Take the incident over."""
    return _do(
        context,
        words,
        form.get("link", ""),
        LinkPurpose.HAND_OVER,
        lambda found: AcceptHandOver(hand_over=int(found.subject["number"])),
    )


@router.get("/by-link/update", response_class=HTMLResponse)
def read_update(*, context: Context, words: Words, request: Request, link: Token = "") -> Response:
    """A situation update; readable until the link expires."""
    return _show(context, words, request, link, LinkPurpose.READ_UPDATE)


def _show(context: ApiContext, words: Wording, request: Request, token: str, purpose: LinkPurpose) -> Response:
    with context.database.read() as session:
        try:
            found = links.look(session, token, purpose, context.sessions.now())
        except LinkRefused as error:
            return _refused(context, words, token, _GONE[error.why], words.say(f"by_link.{error.why}"))
        values = _values(context, session, words, found)
    response = _answer(context, words, values, link=token, purpose=purpose)
    remember_language(request, response)
    return response


def _do(context: ApiContext, words: Wording, token: str, purpose: LinkPurpose, wanted: Any) -> Response:
    try:
        with context.database.unit_of_work() as session:
            found = links.use(session, token, purpose, context.sessions.now())
            if found.incident_id is None:
                raise Problem(404, detail=words.say("by_link.unknown"))
            ask_within(context, session, found.actor, found.incident_id, wanted(found))
    except LinkRefused as error:
        return _refused(context, words, token, _GONE[error.why], words.say(f"by_link.{error.why}"))
    except Problem as problem:
        said = words.say("by_link.changed") if problem.details.status == 412 else str(problem)
        return _refused(context, words, token, problem.details.status, said)
    said = words.say(f"by_link.done_{purpose}")
    html = render("by_link.html", words, context.clock.now(), view="done", link=token, said=said)
    return HTMLResponse(html)


def _values(context: ApiContext, session: Session, words: Wording, found: Link) -> dict[str, Any]:
    incident, room = _room(session, found.incident_id)
    settings = context.configuration.brand(incident.brand)
    number = int(found.subject["number"])
    team = Team.of(context.configuration, context.directory)
    language = str(found.subject.get("language") or words.language)
    update = find(room.updates, number)
    return {
        "incident": incident,
        "brand_name": context.directory.brand_name(incident.brand),
        "zone": ZoneInfo(settings.time_zone if settings else "UTC"),
        "statement": find(room.statements, number),
        "version": found.subject.get("version"),
        "role": team.role_name(str(found.subject.get("role") or ""), words.language),
        "handed": find(room.hand_overs, number),
        "update": update,
        "update_text": (update.texts.get(language) or next(iter(update.texts.values()), "")) if update else "",
        "update_language": language,
        "person": lambda actor: actor_name(actor or "", words, context.directory),
        "for_whom": context.directory.actor_name(found.actor),
        "expires_at": found.expires_at,
    }


def _room(session: Session, incident_id: UUID | None) -> tuple[Incident, Room]:
    incident = incidents.find(session, incident_id) if incident_id is not None else None
    room = rooms.find(session, incident_id) if incident_id is not None else None
    if incident is None or room is None:
        raise Problem(404, detail="what this link was made for is not there any more")
    return incident, room


def _answer(
    context: ApiContext, words: Wording, values: dict[str, Any], *, link: str, purpose: LinkPurpose
) -> Response:
    html = render("by_link.html", words, context.clock.now(), view=purpose.value, link=link, **values)
    return HTMLResponse(html)


def _refused(context: ApiContext, words: Wording, link: str, status: int, said: str) -> Response:
    html = render("by_link.html", words, context.clock.now(), view="refused", link=link, said=said)
    return HTMLResponse(html, status_code=status)
