"""Legal holds: `/v1/incidents/{incident}/legal-holds`, and the form on an incident's page that does the same."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from services.api.commands import sees_incident
from services.api.context import ApiContext, Context
from services.api.instants import SentInstant
from services.api.one_turn import OneTurnRoute
from services.api.permission import Admin
from services.api.routes.pages import Form
from services.api.schemas import Answer
from tocsin.access.principals import Principal
from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Incident
from tocsin.problems import Problem
from tocsin.storage import audit, incidents, legal_holds

router = APIRouter(tags=["privacy"], route_class=OneTurnRoute)
page_router = APIRouter(include_in_schema=False)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "It is not there, or not of one of your brands"}}
LONGEST_HOLD = timedelta(days=3660)


class LegalHoldRequest(BaseModel):
    """Why the copy is sealed, and until when it is kept."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)
    until: SentInstant


class LegalHoldAnswer(Answer):
    """A sealed copy. `sha256` is that of the file that the copy is downloaded as."""

    id: UUID
    incident_id: UUID
    by: str
    reason: str
    sealed_at: Instant
    until: Instant
    sha256: str


class LegalHoldList(Answer):
    """The sealed copies of an incident, the oldest first."""

    legal_holds: tuple[LegalHoldAnswer, ...]


@router.post(
    "/v1/incidents/{incident_id}/legal-holds",
    status_code=201,
    summary="Seal a copy of an incident",
    responses=_NOT_FOUND,
)
def seal(*, context: Context, principal: Admin, incident_id: UUID, wanted: LegalHoldRequest) -> LegalHoldAnswer:
    """The incident, its history, its messages and the mentions that it shows, as they are now; exempt from erasure until its end."""
    return _answer(_sealed(context, principal, incident_id, wanted))


@page_router.post("/incidents/{incident_id}/legal-hold")
def seal_by_form(*, context: Context, principal: Admin, form: Form, incident_id: UUID) -> Response:
    """The same for people: `until` is the last day of the hold, where the brand is."""
    notice = "sealed"
    try:
        with context.database.read() as session:
            brand = context.configuration.brand(_seen(principal, session, incident_id).brand)
        last = date.fromisoformat(form.get("until", ""))
        end = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(brand.time_zone if brand else "UTC"))
        reason = form.get("reason", "").strip()
        wanted = LegalHoldRequest.model_validate({"reason": reason, "until": end.isoformat()})
        _sealed(context, principal, incident_id, wanted)
    except (ValidationError, ValueError, OverflowError):
        notice = "wrong"
    except Problem as problem:
        if problem.details.status != 422:
            raise
        notice = "hold_refused"
    return RedirectResponse(f"/incidents/{incident_id}?notice={notice}", status_code=303)


@router.get("/v1/incidents/{incident_id}/legal-holds", summary="Sealed copies of an incident", responses=_NOT_FOUND)
def list_holds(*, context: Context, principal: Admin, incident_id: UUID) -> LegalHoldList:
    """What was sealed, by whom, why, and until when."""
    with context.database.read() as session:
        _seen(principal, session, incident_id)
        return LegalHoldList(legal_holds=tuple(_answer(hold) for hold in legal_holds.holds(session, incident_id)))


@router.get(
    "/v1/incidents/{incident_id}/legal-holds/{hold_id}",
    summary="Download a sealed copy",
    response_class=Response,
    responses={**_NOT_FOUND, 200: {"content": {"application/gzip": {}}, "description": "JSON, compressed with gzip"}},
)
def download(*, context: Context, principal: Admin, incident_id: UUID, hold_id: UUID) -> Response:
    """The bytes as they were sealed; each download stands in the audit log."""
    now = context.clock.now()
    with context.database.unit_of_work() as session:
        found = legal_holds.content(session, hold_id)
        _seen(principal, session, incident_id)
        if found is None or found[0].incident_id != incident_id or not principal.sees(found[0].brand):
            raise Problem(404, detail=f"there is no sealed copy {hold_id} that you may see")
        hold, content = found
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="legal_hold.downloaded",
            target=f"incident:{incident_id}",
            brand=hold.brand,
            details={"sha256": hold.sha256},
        )
    name = f"incident-{incident_id}-{hold.sealed_at:%Y%m%dT%H%M%SZ}.json.gz"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-SHA256": hold.sha256}
    return Response(content, media_type="application/gzip", headers=headers)


def _sealed(
    context: ApiContext, principal: Principal, incident_id: UUID, wanted: LegalHoldRequest
) -> legal_holds.LegalHold:
    """Raises a Problem: 404, or 422 where the end is out of reach."""
    now = context.clock.now()
    if not now < wanted.until <= now + LONGEST_HOLD:
        message = "name an instant after now and within ten years; seal anew when it must last longer"
        raise Problem(422, detail=f"until: {message}", errors=[{"field": "until", "message": message}])
    with context.database.unit_of_work() as session:
        _seen(principal, session, incident_id)
        hold = legal_holds.seal(
            session, incident_id, by=principal.actor, reason=wanted.reason, now=now, until=wanted.until
        )
        assert hold is not None  # noqa: S101 - it was seen in this transaction
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="legal_hold.sealed",
            target=f"incident:{incident_id}",
            brand=hold.brand,
            details={"reason": wanted.reason, "until": wanted.until.isoformat(), "sha256": hold.sha256},
        )
    return hold


def _seen(principal: Principal, session: Session, incident_id: UUID) -> Incident:
    incident = incidents.find(session, incident_id)
    if incident is None or not sees_incident(principal, incident):
        raise Problem(404, detail=f"there is no incident {incident_id} that you may see; GET /v1/incidents lists them")
    return incident


def _answer(hold: legal_holds.LegalHold) -> LegalHoldAnswer:
    return LegalHoldAnswer(
        id=hold.id,
        incident_id=hold.incident_id,
        by=hold.by,
        reason=hold.reason,
        sealed_at=hold.sealed_at,
        until=hold.until,
        sha256=hold.sha256,
    )
