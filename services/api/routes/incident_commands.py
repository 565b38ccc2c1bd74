"""`/v1/incidents/{id}/…`: what people do with an incident, each by the one versioned command."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter, Response

from services.alert.protocol.commands import (
    Assign,
    Escalate,
    Mitigate,
    Note,
    Review,
    SetLevel,
    SilenceUntil,
    Split,
    Unacknowledge,
    Unsilence,
)
from services.api.command_schemas import (
    AcknowledgeRequest,
    AssignRequest,
    DeclareRequest,
    LevelRequest,
    MergeRequest,
    NoteRequest,
    ResolveRequest,
    ReviewRequest,
    SilenceRequest,
    SplitRequest,
)
from services.api.commands import acknowledge, command, declare, merge, reopen, resolve
from services.api.context import Context
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor
from services.api.routes.incidents import REFUSED, IfMatch, version_of
from services.api.schemas import IncidentAnswer
from tocsin.contracts.incidents import Incident
from tocsin.storage.incidents import Picture

router = APIRouter(tags=["incidents"], route_class=OneTurnRoute)

_PLACE = "/v1/incidents/{incident_id}"


@router.post(
    "/v1/incidents",
    status_code=201,
    summary="Ring the bell by hand",
    responses={
        200: {"model": IncidentAnswer, "description": "It joined the open incident of these brands"},
        404: {"description": "Unknown brand"},
        409: {"description": "These brands have several open incidents: merge them first"},
    },
)
def declare_incident(
    *, context: Context, principal: Actor, wanted: DeclareRequest, response: Response
) -> IncidentAnswer:
    """For what detection does not hear: a journalist's call, a screenshot. The same policy and clocks as any other incident.

    Beside an open incident of the brands it joins that one (200), and raises it where it is worse. Silences of the brand do not
    hold it back: who declares knows.
    """
    shown = wanted.picture
    incident, new = declare(
        context,
        principal,
        wanted=wanted.brands,
        level=wanted.level,
        sentence=wanted.sentence,
        link=str(wanted.link) if wanted.link is not None else None,
        text=wanted.text,
        picture=Picture(uuid4(), shown.media_type, shown.data) if shown is not None else None,
    )
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/incidents/{incident.id}"
    return _answer(incident, response)


@router.post(f"{_PLACE}/acknowledge", summary="Take an incident in hand", responses=REFUSED)
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
    return _answer(acknowledge(context, principal, incident_id, level=level, version=version_of(if_match)), response)


@router.post(f"{_PLACE}/unacknowledge", summary="Give an incident back", responses=REFUSED)
def unacknowledge_incident(
    *, context: Context, principal: Actor, incident_id: UUID, response: Response, if_match: IfMatch = None
) -> IncidentAnswer:
    """Nobody has it in hand any more, and the calls begin again with whoever is on call now."""
    asked = Unacknowledge(principal.actor, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/mitigate", summary="Say that you are acting on it", responses=REFUSED)
def mitigate_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: AcknowledgeRequest | None = None,
) -> IncidentAnswer:
    """As good as an acknowledgement, and times out like one."""
    asked = Mitigate(principal.actor, wanted.level if wanted else None)
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/escalate", summary="Have the next people called now", responses=REFUSED)
def escalate_incident(
    *, context: Context, principal: Actor, incident_id: UUID, response: Response, if_match: IfMatch = None
) -> IncidentAnswer:
    """Rings the next step without any wait, ends a silence, and takes the incident out of whosever hands it is in."""
    asked = Escalate(principal.actor, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/level", summary="Raise or lower the level", responses=REFUSED)
def set_incident_level(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: LevelRequest,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Raised, the escalation begins again at that level, and detection does not lower it again.

    Lowered, it stays there until detection rises anew.
    """
    asked = SetLevel(principal.actor, wanted.level, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/assign", summary="Say whose it is to see to", responses=REFUSED)
def assign_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: AssignRequest,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Tells that person. It stops no call: only an acknowledgement does."""
    asked = Assign(principal.actor, wanted.person, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/silence", summary="Let nobody be called until an instant", responses=REFUSED)
def silence_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: SilenceRequest,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Ends by itself where the level rises; at its end, the level of that moment is escalated again."""
    asked = SilenceUntil(principal.actor, wanted.until, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/unsilence", summary="End a silence before its time", responses=REFUSED)
def unsilence_incident(
    *, context: Context, principal: Actor, incident_id: UUID, response: Response, if_match: IfMatch = None
) -> IncidentAnswer:
    """The calls begin again where nobody has it in hand."""
    asked = Unsilence(principal.actor, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/split", status_code=201, summary="Split a story off", responses=REFUSED)
def split_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: SplitRequest,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Answers with the incident that it came from; the new one is in your hands, at `Location`."""
    asked = Split(principal.actor, wanted.story, uuid4(), wanted.title, wanted.level, version_of(if_match))
    incident = command(context, principal, incident_id, asked)
    response.headers["Location"] = f"/v1/incidents/{asked.incident_id}"
    return _answer(incident, response)


@router.post(f"{_PLACE}/merge", summary="Let an incident go on as part of another", responses=REFUSED)
def merge_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: MergeRequest,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """Answers with the one that goes on: it takes over the other's brands and is at least as bad."""
    return _answer(merge(context, principal, incident_id, wanted.into, version=version_of(if_match)), response)


@router.post(f"{_PLACE}/resolve", summary="Say that an incident is over", responses=REFUSED)
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
    return _answer(resolve(context, principal, incident_id, verdict=verdict, version=version_of(if_match)), response)


@router.post(f"{_PLACE}/review", summary="Look back at a resolved incident", responses=REFUSED)
def review_incident(
    *,
    context: Context,
    principal: Actor,
    incident_id: UUID,
    response: Response,
    wanted: ReviewRequest | None = None,
    if_match: IfMatch = None,
) -> IncidentAnswer:
    """The verdict is final then, unless the incident is reopened."""
    given = wanted or ReviewRequest()
    asked = Review(principal.actor, given.verdict, given.text, version_of(if_match))
    return _answer(command(context, principal, incident_id, asked), response)


@router.post(f"{_PLACE}/reopen", summary="Say that it was not over", responses=REFUSED)
def reopen_incident(
    *, context: Context, principal: Actor, incident_id: UUID, response: Response, if_match: IfMatch = None
) -> IncidentAnswer:
    """Within 7 days. Where another incident of its brands has opened since, it joins that one, which is answered."""
    return _answer(reopen(context, principal, incident_id, version=version_of(if_match)), response)


@router.post(f"{_PLACE}/notes", status_code=201, summary="Write something down", responses=REFUSED)
def note_on_incident(
    *, context: Context, principal: Actor, incident_id: UUID, response: Response, wanted: NoteRequest
) -> IncidentAnswer:
    """A note in the incident's record, at any time."""
    return _answer(command(context, principal, incident_id, Note(principal.actor, wanted.text)), response)


def _answer(incident: Incident, response: Response) -> IncidentAnswer:
    response.headers["ETag"] = f'"{incident.version}"'
    return IncidentAnswer.of(incident)
