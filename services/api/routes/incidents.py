"""`/v1/incidents`: the list, and one with everything that happened. What people do with it is `incident_commands`."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from services.api.command_schemas import PICTURES
from services.api.commands import sees_incident, unknown_incident
from services.api.context import Context
from services.api.cursors import Cursor
from services.api.one_turn import OneTurnRoute
from services.api.permission import Reader, unknown_brand
from services.api.routes.mentions import read_cursor
from services.api.schemas import (
    EventAnswer,
    IncidentAnswer,
    IncidentDetail,
    IncidentList,
    NotificationAnswer,
    detail_of,
)
from tocsin.contracts.incidents import IncidentState
from tocsin.problems import Problem
from tocsin.storage import incidents
from tocsin.storage.notifications import notifications

router = APIRouter(tags=["incidents"], route_class=OneTurnRoute)

Responses = dict[int | str, dict[str, Any]]
NOT_FOUND: Responses = {404: {"description": "No such incident, or not one of your brands"}}
REFUSED: Responses = {
    **NOT_FOUND,
    409: {"description": "The incident is in no state for that"},
    412: {"description": "It has changed since you looked: look again, then decide again"},
}
IfMatch = Annotated[
    str | None,
    Header(
        pattern=r'^ *(\*|(W/)?"?[0-9]{1,9}"?) *$',
        description="The ETag (version) that you looked at; 412 where the incident has changed since.",
        examples=['"7"'],
    ),
]
_ENTITY_TAG = re.compile(r'(?:W/)?"?(?P<version>[0-9]{1,9})"?')


@router.get("/v1/incidents", summary="Incidents, the newest first", responses={404: {"description": "Unknown brand"}})
def list_incidents(
    *,
    context: Context,
    principal: Reader,
    brand: Annotated[str | None, Query(max_length=100)] = None,
    state: Annotated[list[IncidentState] | None, Query(description="May be given several times.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=Cursor.PATTERN, description="`next` of the page before.")] = None,
) -> IncidentList:
    """A page of incidents of the brands that you may see."""
    if brand is not None and not principal.sees(brand):
        raise unknown_brand(brand)
    place = read_cursor(cursor)
    with context.database.read() as session:
        found = incidents.list_incidents(
            session,
            brands=None if brand is None else [brand],
            within=principal.brands,
            states=state,
            limit=limit + 1,
            before=(place.at, place.identifier) if place else None,
        )
    page, more = found[:limit], len(found) > limit
    return IncidentList(
        incidents=tuple(IncidentAnswer.of(incident) for incident in page),
        next=str(Cursor(page[-1].opened_at, page[-1].id)) if more else None,
    )


@router.get("/v1/incidents/{incident_id}", summary="One incident with its history and evidence", responses=NOT_FOUND)
def show_incident(*, context: Context, principal: Reader, incident_id: UUID, response: Response) -> IncidentDetail:
    """An incident, what happened to it, whom it was told and what became of that, and the evidence of detection."""
    with context.database.read() as session:
        incident = incidents.find(session, incident_id)
        if incident is None or not sees_incident(principal, incident):
            raise unknown_incident(incident_id)
        events = incidents.events(session, incident_id)
        told = notifications(session, incident_id)
    response.headers["ETag"] = f'"{incident.version}"'
    return detail_of(
        incident,
        events=tuple(EventAnswer.model_validate(event, from_attributes=True) for event in events),
        notifications=tuple(NotificationAnswer.of(status) for status in told),
    )


@router.get(
    "/v1/incidents/{incident_id}/pictures/{picture_id}",
    summary="A picture that was shown when it was declared",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in PICTURES}, "description": "The picture"}, **NOT_FOUND},
)
def show_picture(*, context: Context, principal: Reader, incident_id: UUID, picture_id: UUID) -> Response:
    """The bytes, as the type that they were checked to be."""
    with context.database.read() as session:
        incident = incidents.find(session, incident_id)
        picture = incidents.find_picture(session, incident_id, picture_id)
    if incident is None or picture is None or not sees_incident(principal, incident):
        raise unknown_incident(incident_id)
    return Response(picture.data, media_type=picture.media_type)


def version_of(entity_tag: str | None) -> int | None:
    """The version that an `If-Match` names; None where it names none (`*`). Raises the Problem that answers another text."""
    if entity_tag is None or entity_tag.strip() == "*":
        return None
    found = _ENTITY_TAG.fullmatch(entity_tag.strip())
    if found is None:
        message = 'give back one ETag as it was answered, such as "7"'
        raise Problem(422, detail=f"If-Match: {message}", errors=[{"field": "if-match", "message": message}])
    return int(found["version"])
