"""Answers to pages from outside: by link, telephone key, Slack's button, PagerDuty. All end in the same acknowledge command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.api.commands import acknowledging, refused, unknown_incident
from services.api.context import ApiContext
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Incident, Level
from tocsin.problems import Problem
from tocsin.storage import callbacks, incidents, links, receipts
from tocsin.storage.links import Link, LinkPurpose, LinkRefused, WhyLinkRefused
from tocsin.storage.notifications import AttemptOutcome

_STATUS = {WhyLinkRefused.UNKNOWN: 404, WhyLinkRefused.USED: 410, WhyLinkRefused.EXPIRED: 410}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link would acknowledge, and how the one who was called would read it."""

    incident: Incident
    language: str


def look(context: ApiContext, token: str) -> Asked:
    """What a page's link is for, without using it. Raises a Problem: 404, or 410 where it was used or has expired."""
    with context.database.read() as session:
        link = _opened(lambda: links.look(session, token, LinkPurpose.ACKNOWLEDGE, context.clock.now()))
        incident = incidents.find(session, _incident_id(link))
    if incident is None:
        raise unknown_incident(_incident_id(link))
    return Asked(incident, str(link.subject.get("language", "en")))


def acknowledge_by_link(context: ApiContext, token: str, *, actor: str | None = None, once: bool = True) -> Incident:
    """Acknowledge what a page's link is for, as the one who was called (or as `actor`, who pressed a button for all to see).

    `once`: the link is used up with it, or neither happens. Raises a Problem: 404, 410, and 409 or 412 as the state machine
    refuses it.
    """
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        take = links.use if once else links.look
        link = _opened(lambda: take(session, token, LinkPurpose.ACKNOWLEDGE, now))
        level = Level(link.subject["level"]) if "level" in link.subject else None
        decided = acknowledging(context, actor or link.actor, level=level, version=None)
        try:
            decision = incidents.execute(session, _incident_id(link), lambda incident: decided(incident, now))
        except incidents.IncidentNotFound as error:
            raise unknown_incident(_incident_id(link)) from error
        if decision.refused is not None:
            raise refused(decision.refused)
        told = UUID(link.subject["notification"])
        receipts.note_receipt(session, told, AttemptOutcome.ACKNOWLEDGED, "acknowledged", now)
    return decision.incident


def acknowledge_elsewhere(
    context: ApiContext, incident_id: UUID, start: int, *, actor: str, origin: str, identifier: str
) -> Incident | None:
    """Acknowledge what was acknowledged in another system; None where this very event was heard before.

    An acknowledgement of an earlier `start` of the escalation changes nothing: the present one rings by itself there.

    Raises a Problem: 404, and 409 where it is resolved.
    """
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        if not callbacks.first_heard(session, origin, identifier, now):
            return None
        decided = acknowledging(context, actor, level=None, version=None)
        try:
            decision = incidents.execute(
                session,
                incident_id,
                lambda incident: decided(incident, now) if incident.start == start else Decision(incident),
            )
        except incidents.IncidentNotFound as error:
            raise unknown_incident(incident_id) from error
        if decision.refused is not None:
            raise refused(decision.refused)
    return decision.incident


def note_receipt(context: ApiContext, token: str, outcome: AttemptOutcome, detail: str) -> None:
    """Keep how far a message has come, by what its carrier says. A message that did not arrive lets the next link ring.

    Raises a Problem: 404 for an unknown token. One that was used or has expired changes nothing.
    """
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        try:
            link = links.look(session, token, LinkPurpose.ACKNOWLEDGE, now)
        except LinkRefused as error:
            if error.why is WhyLinkRefused.UNKNOWN:
                raise Problem(404, detail=str(error)) from error
            return
        receipts.note_receipt(session, UUID(link.subject["notification"]), outcome, detail, now)


def language_of(context: ApiContext, token: str) -> str:
    """The language of the one who was called; English where the token is not known any more."""
    try:
        return look(context, token).language
    except Problem:
        return "en"


def _opened(opens: Callable[[], Link]) -> Link:
    try:
        return opens()
    except LinkRefused as error:
        raise Problem(_STATUS[error.why], detail=str(error)) from error


def _incident_id(link: Link) -> UUID:
    if link.incident_id is None:
        raise Problem(404, detail="this link is for no incident")
    return link.incident_id
