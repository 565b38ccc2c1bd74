"""What people do to incidents, through the same command as everybody else: lock, decide, save, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from services.alert.protocol.commands import Acknowledge, Command, Resolve
from services.alert.protocol.decide import decide
from services.api.context import ApiContext
from tocsin.access.principals import Principal
from tocsin.contracts.decisions import Decision, Refusal, RefusalKind
from tocsin.contracts.incidents import Incident, IncidentState, Level, Verdict
from tocsin.problems import Problem
from tocsin.storage import incidents

REPEATED_WITHIN = timedelta(minutes=1)
"""The same person acknowledging again so soon has clicked twice; later, they say that they are still at it."""

_STATUS = {RefusalKind.STALE: 412, RefusalKind.ILLEGAL: 409, RefusalKind.FORBIDDEN: 403}


def acknowledge(
    context: ApiContext, principal: Principal, incident_id: UUID, *, level: Level | None, version: int | None
) -> Incident:
    """Take an incident in hand, and stop its calls.

    Raises a Problem: 404, 409 where it is resolved, 412 where the level has risen above `level` or `version` is not the
    present one.
    """

    decided = acknowledging(context, principal.actor, level=level, version=version)
    return _execute(context, principal, incident_id, decided)


def acknowledging(
    context: ApiContext, actor: str, *, level: Level | None, version: int | None
) -> Callable[[Incident, datetime], Decision]:
    """What `acknowledge` decides for an incident that is locked, whichever way it was asked for."""

    def decided(incident: Incident, now: datetime) -> Decision:
        held = incident.acknowledged
        if (
            incident.state is IncidentState.ACKNOWLEDGED
            and held is not None
            and held.by == actor
            and held.level >= incident.level
            and now - held.at < REPEATED_WITHIN
        ):
            return Decision(incident)
        if version is not None and version != incident.version and incident.state.open:
            reason = f"the incident is at version {incident.version}, not {version}; look again, then acknowledge that"
            return Decision(incident, refused=Refusal(RefusalKind.STALE, reason))
        return _decide(context, incident, Acknowledge(actor=actor, level=level), now)

    return decided


def resolve(
    context: ApiContext, principal: Principal, incident_id: UUID, *, verdict: Verdict | None, version: int | None
) -> Incident:
    """Say that an incident is over, and what it was. Raises a Problem: 404, 409 or 412 as the state machine refuses it."""

    def decided(incident: Incident, now: datetime) -> Decision:
        return _decide(context, incident, Resolve(actor=principal.actor, version=version, verdict=verdict), now)

    return _execute(context, principal, incident_id, decided)


def refused(refusal: Refusal) -> Problem:
    """What the state machine's refusal answers with."""
    return Problem(_STATUS[refusal.kind], detail=refusal.reason)


def unknown_incident(incident_id: UUID) -> Problem:
    """What an incident that is not there (or not for you) answers with."""
    return Problem(404, detail=f"there is no incident {incident_id} that you may see; GET /v1/incidents lists them")


def _decide(context: ApiContext, incident: Incident, command: Command, now: datetime) -> Decision:
    return decide(incident, command, now, context.directory)


def _execute(
    context: ApiContext, principal: Principal, incident_id: UUID, decided: Callable[[Incident, datetime], Decision]
) -> Incident:
    def allowed(incident: Incident) -> Decision:
        if not principal.sees(incident.brand):
            raise unknown_incident(incident_id)
        return decided(incident, context.clock.now())

    with context.database.unit_of_work() as session:
        try:
            decision = incidents.execute(session, incident_id, allowed)
        except incidents.IncidentNotFound as error:
            raise unknown_incident(incident_id) from error
    if decision.refused is not None:
        raise refused(decision.refused)
    return decision.incident
