"""`/v1/incidents`: the list, one with everything that happened, acknowledging and resolving."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from services.api.commands import acknowledge, resolve, unknown_incident
from services.api.context import Context
from services.api.cursors import Cursor
from services.api.permission import Actor, Reader, unknown_brand
from services.api.routes.mentions import read_cursor
from services.api.schemas import (
    AcknowledgeRequest,
    EventAnswer,
    IncidentAnswer,
    IncidentDetail,
    IncidentList,
    NotificationAnswer,
    ResolveRequest,
    detail_of,
)
from tocsin.contracts.incidents import IncidentState
from tocsin.problems import Problem
from tocsin.storage import incidents
from tocsin.storage.notifications import NotificationStatus, notifications

router = APIRouter(tags=["incidents"])

Responses = dict[int | str, dict[str, Any]]
_NOT_FOUND: Responses = {404: {"description": "No such incident, or not one of your brands"}}
_REFUSED: Responses = {
    **_NOT_FOUND,
    409: {"description": "The incident is in no state for that"},
    412: {"description": "It has changed since you looked: look again, then decide again"},
}
IfMatch = Annotated[
    str | None,
    Header(
        description="The ETag (version) that you looked at; 412 where the incident has changed since.", examples=['"7"']
    ),
]
_ENTITY_TAG = re.compile(r'(?:W/)?"?(?P<version>\d{1,9})"?')


@router.get("/v1/incidents", summary="Incidents, the newest first", responses={404: {"description": "Unknown brand"}})
def list_incidents(
    *,
    context: Context,
    principal: Reader,
    brand: Annotated[str | None, Query(max_length=100)] = None,
    state: Annotated[list[IncidentState] | None, Query(description="May be given several times.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> IncidentList:
    """A page of incidents of the brands that you may see."""
    if brand is not None and not principal.sees(brand):
        raise unknown_brand(brand)
    place = read_cursor(cursor)
    with context.database.read() as session:
        found = incidents.list_incidents(
            session,
            brands=principal.brands if brand is None else [brand],
            states=state,
            limit=limit + 1,
            before=(place.at, place.identifier) if place else None,
        )
    page, more = found[:limit], len(found) > limit
    return IncidentList(
        incidents=tuple(IncidentAnswer.of(incident) for incident in page),
        next=str(Cursor(page[-1].opened_at, page[-1].id)) if more else None,
    )


@router.get("/v1/incidents/{incident_id}", summary="One incident with its history and evidence", responses=_NOT_FOUND)
def show_incident(*, context: Context, principal: Reader, incident_id: UUID, response: Response) -> IncidentDetail:
    """An incident, what happened to it, whom it was told and what became of that, and the evidence of detection."""
    with context.database.read() as session:
        incident = incidents.find(session, incident_id)
        if incident is None or not principal.sees(incident.brand):
            raise unknown_incident(incident_id)
        events = incidents.events(session, incident_id)
        told = notifications(session, incident_id)
    response.headers["ETag"] = f'"{incident.version}"'
    return detail_of(
        incident,
        events=tuple(EventAnswer.model_validate(event, from_attributes=True) for event in events),
        notifications=tuple(_told(status) for status in told),
    )


@router.post("/v1/incidents/{incident_id}/acknowledge", summary="Take an incident in hand", responses=_REFUSED)
def acknowledge_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: AcknowledgeRequest | None = None,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Stops the calls. Give the `level` that you were shown: it then fails only where it is worse by now.

    Repeated within a minute it changes nothing; later it says that you are still at it, and the time-out begins anew.
    """
    level = wanted.level if wanted else None
    incident = acknowledge(context, principal, incident_id, level=level, version=version_of(if_match))
    response.headers["ETag"] = f'"{incident.version}"'
    return IncidentAnswer.of(incident)


@router.post("/v1/incidents/{incident_id}/resolve", summary="Say that an incident is over", responses=_REFUSED)
def resolve_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: ResolveRequest | None = None,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Only a person resolves. The same again changes nothing; another verdict than the first is refused (409)."""
    verdict = wanted.verdict if wanted else None
    incident = resolve(context, principal, incident_id, verdict=verdict, version=version_of(if_match))
    response.headers["ETag"] = f'"{incident.version}"'
    return IncidentAnswer.of(incident)


def version_of(entity_tag: str | None) -> int | None:
    """The version that an `If-Match` names; None where it names none (`*`). Raises the Problem that answers another text."""
    if entity_tag is None or entity_tag.strip() == "*":
        return None
    found = _ENTITY_TAG.fullmatch(entity_tag.strip())
    if found is None:
        message = 'give back one ETag as it was answered, such as "7"'
        raise Problem(422, detail=f"If-Match: {message}", errors=[{"field": "if-match", "message": message}])
    return int(found["version"])


def _told(status: NotificationStatus) -> NotificationAnswer:
    told = status.notification
    return NotificationAnswer(
        id=told.id,
        kind=told.kind.value,
        target=told.target,
        name=told.name,
        channel=told.channel,
        level=told.level,
        created_at=told.created_at,
        outcome=status.outcome.value if status.outcome else None,
        attempts=status.attempts,
        finished_at=status.finished_at,
        detail=status.detail,
    )
