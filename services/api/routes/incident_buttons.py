"""The forms of an incident's page: every command that the API has, for people without a terminal in the night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.alert.protocol.commands import (
    Assign,
    Command,
    Escalate,
    Mitigate,
    Note,
    Resolve,
    Review,
    SetLevel,
    SilenceUntil,
    Split,
    Unacknowledge,
    Unsilence,
)
from services.api.command_schemas import AssignRequest, LevelRequest, NoteRequest, ReviewRequest, SplitRequest
from services.api.commands import command, merge, reopen
from services.api.context import ApiContext, Context
from services.api.pages.command_menu import SILENCES
from services.api.permission import Actor
from services.api.routes.pages import Form
from services.api.sending_again import send_again
from tocsin.access.principals import Principal
from tocsin.contracts.incidents import Level, Verdict
from tocsin.problems import Problem

router = APIRouter(include_in_schema=False)

_NOTICES = {409: "refused", 412: "stale", 422: "wrong"}
Fields = dict[str, str]


@router.post("/incidents/{incident_id}/command")
def do_by_form(*, context: Context, principal: Actor, form: Form, incident_id: UUID) -> Response:
    """One command: `command` says which, `version` what was looked at. Leads to the incident that it goes on in."""
    shown = form.get("version", "")
    version = int(shown) if shown.isdecimal() and len(shown) <= 18 else None
    try:
        leads_to = _do(context, principal, form, incident_id, version)
    except (ValidationError, ValueError):
        return _back(incident_id, "wrong")
    except Problem as problem:
        notice = _NOTICES.get(problem.details.status)
        if notice is None:
            raise
        return _back(incident_id, notice)
    return _back(leads_to, "sent_again" if form.get("command") == "send_again" else "done")


def _do(context: ApiContext, principal: Principal, form: Fields, incident_id: UUID, version: int | None) -> UUID:
    """The incident to show afterwards. Raises a Problem; a ValueError for a form that the page did not make."""
    match form.get("command"):
        case "merge":
            return merge(context, principal, incident_id, UUID(form.get("into", "")), version=version).id
        case "reopen":
            return reopen(context, principal, incident_id, version=version).id
        case "send_again":
            return send_again(context, principal, UUID(form.get("notification", ""))).notification.incident_id
        case "split":
            wanted = SplitRequest(story=form.get("story", ""), title=form.get("title", "").strip() or None)
            asked = Split(principal.actor, wanted.story, uuid4(), wanted.title, None, version)
            command(context, principal, incident_id, asked)
            return asked.incident_id
    made = _COMMANDS.get(form.get("command", ""))
    if made is None:
        raise ValueError("there is no such command")
    command(context, principal, incident_id, made(context, principal.actor, form, version))
    return incident_id


def _silence(context: ApiContext, actor: str, form: Fields, version: int | None) -> Command:
    hours = form.get("hours", "")
    if hours not in map(str, SILENCES):
        raise ValueError(f"silences last {', '.join(map(str, SILENCES))} hours")
    return SilenceUntil(actor, context.clock.now() + timedelta(hours=int(hours)), version)


def _level(form: Fields) -> Level:
    return LevelRequest.model_validate({"level": form.get("level")}).level


def _review(actor: str, form: Fields, version: int | None) -> Command:
    given = ReviewRequest.model_validate(
        {name: form[name].strip() for name in ("verdict", "text") if form.get(name, "").strip()}
    )
    return Review(actor, given.verdict, given.text, version)


def _text(form: Fields) -> str:
    return NoteRequest(text=form.get("text", "").replace("\r\n", "\n").strip()).text


_COMMANDS: dict[str, Callable[[ApiContext, str, Fields, int | None], Command]] = {
    "mitigate": lambda _, actor, form, __: Mitigate(actor, Level(form["shown"]) if form.get("shown") else None),
    "unacknowledge": lambda _, actor, __, version: Unacknowledge(actor, version),
    "escalate": lambda _, actor, __, version: Escalate(actor, version),
    "level": lambda _, actor, form, version: SetLevel(actor, _level(form), version),
    "assign": lambda _, actor, form, version: Assign(
        actor, AssignRequest.model_validate({"person": form.get("person") or None}).person, version
    ),
    "silence": _silence,
    "unsilence": lambda _, actor, __, version: Unsilence(actor, version),
    "resolve": lambda _, actor, form, version: Resolve(
        actor, version, Verdict(form["verdict"]) if form.get("verdict") else None
    ),
    "review": lambda _, actor, form, version: _review(actor, form, version),
    "note": lambda _, actor, form, __: Note(actor, _text(form)),
}


def _back(incident_id: UUID, notice: str) -> Response:
    return RedirectResponse(f"/incidents/{incident_id}?notice={notice}", status_code=303)
