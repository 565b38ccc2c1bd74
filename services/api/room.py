"""What people do in a crisis room: lock, decide, save, in one transaction with the link or the acknowledgement that belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.alert.protocol.commands import Acknowledge
from services.alert.protocol.decide import decide
from services.alert.protocol.playbooks import kinds_of
from services.alert.room.commands import AcceptHandOver, DraftUpdate, ReleaseHolding, RoomCommand
from services.alert.room.decide import command
from services.alert.room.statements import HoldingText
from services.alert.room.team import Team
from services.api.commands import sees_incident, unknown_incident
from services.api.context import ApiContext
from tocsin.access.principals import Principal
from tocsin.contracts.decisions import Decision, RefusalKind
from tocsin.contracts.incidents import Incident
from tocsin.contracts.room import Facts, Room
from tocsin.contracts.settings.room import HoldingStatementSettings
from tocsin.problems import Problem
from tocsin.storage import audit, holding, incidents, rooms
from tocsin.storage.holding import HoldingApproval
from tocsin.storage.situation import facts_of
from tocsin.templating import TemplateRefused, fill_in

_STATUS = {RefusalKind.STALE: 412, RefusalKind.ILLEGAL: 409, RefusalKind.FORBIDDEN: 403}


def read_room(session: Session, principal: Principal, incident_id: UUID) -> tuple[Incident, Room]:
    """An incident and its room. Raises a Problem: 404 where there is none that this principal may see."""
    incident = incidents.find(session, incident_id)
    if incident is None or not sees_incident(principal, incident):
        raise unknown_incident(incident_id)
    room = rooms.find(session, incident_id)
    if room is None:
        raise Problem(404, detail="this incident has no crisis room yet; it opens within seconds of orange or red")
    return incident, room


def entity_tag(room: Room) -> str:
    """Tells whether a room is as somebody saw it: changes with everything in it."""
    return f'"{hashlib.sha256(room.model_dump_json().encode()).hexdigest()[:32]}"'


def ask(
    context: ApiContext, principal: Principal, incident_id: UUID, asked: RoomCommand, *, seen: str | None = None
) -> Room:
    """Do what a person asks for, `seen` (an entity tag): only if the room is still as it was then.

    Raises a Problem: 403, 404, 409 or 412 as the room refuses it; then nothing has changed.
    """
    with context.database.unit_of_work() as session:
        return ask_within(
            context,
            session,
            principal.actor,
            incident_id,
            asked,
            may=lambda found: sees_incident(principal, found),
            seen=seen,
        )


def ask_within(
    context: ApiContext,
    session: Session,
    actor: str,
    incident_id: UUID,
    asked: RoomCommand,
    *,
    may: Callable[[Incident], bool] = lambda _: True,
    seen: str | None = None,
) -> Room:
    """The same within a transaction that does more, such as using a link up; a Problem rolls all of it back.

    `may` says whether whoever asks may see the incident; a link is for its own.
    """
    now = context.clock.now()
    try:
        incident, room = rooms.lock(session, incident_id)
    except incidents.IncidentNotFound as error:
        raise unknown_incident(incident_id) from error
    if not may(incident):
        raise unknown_incident(incident_id)
    if seen is not None and (room is None or seen != entity_tag(room)):
        raise Problem(412, detail="the crisis room has changed since you looked; look again, then decide again")
    decided = command(
        room,
        incident,
        asked,
        actor=actor,
        now=now,
        team=Team.of(context.configuration, context.directory_now(session)),
        facts=_facts(context, session, incident, now) if isinstance(asked, DraftUpdate) else None,
        holding=_holding(context, session, incident, asked, now) if isinstance(asked, ReleaseHolding) else None,
    )
    saved = rooms.save(
        session,
        incident,
        room,
        decided,
        people_now=context.sessions.now(),
        public_url=context.configuration.api.public_url,
    )
    _raise_refused(saved.decision)
    if isinstance(asked, AcceptHandOver) and saved.decision.events:
        # Whoever takes over has the incident in hand from then on, or neither happens.
        acknowledged = incidents.execute(
            session, incident_id, lambda found: decide(found, Acknowledge(actor), now, context.directory)
        )
        _raise_refused(acknowledged)
    if saved.room is None:
        raise Problem(404, detail="this incident has no crisis room: it never was orange or red")
    return saved.room


def approve_holding(
    context: ApiContext, principal: Principal, statement_id: str, language: str, seen: str
) -> HoldingApproval:
    """Approve one text of a holding statement beforehand. Raises a Problem: 403 without its role, 404, 412 for a changed text."""
    settings, text = _holding_text(context, statement_id, language)
    if holding.fingerprint(text) != seen:
        raise Problem(412, detail="this text has changed since it was shown; read it again, then approve it")
    now = context.clock.now()
    approval = HoldingApproval(
        statement=statement_id,
        language=language,
        fingerprint=seen,
        role=settings.role,
        approved_by=principal.actor,
        approved_at=now,
        expires_at=now + settings.valid_for,
    )
    # What cannot be filled in on the night itself is not approved now.
    _filled_in(context, settings.brands[0] if settings.brands else "", text, now)
    with context.database.unit_of_work() as session:
        team = Team.of(context.configuration, context.directory_now(session))
        if not team.plays(principal.actor, settings.role, now):
            raise Problem(
                403, detail=f"only whoever plays the role {settings.role} approves this; that is not you at the moment"
            )
        holding.approve(session, approval)
        audit.record(
            session,
            at=now,
            actor=approval.approved_by,
            action="holding.approved",
            target=statement_id,
            details={"language": language, "fingerprint": seen, "role": settings.role},
        )
    return approval


def holding_for(context: ApiContext, incident: Incident) -> list[HoldingStatementSettings]:
    """The holding statements that fit an incident, those for its kinds of risk first."""
    kinds = kinds_of(incident)
    fitting = [
        settings
        for settings in context.configuration.statements
        if (not settings.brands or incident.brand in settings.brands)
        and (not settings.kinds or not kinds or kinds.intersection(settings.kinds))
    ]
    return sorted(fitting, key=lambda settings: not kinds.intersection(settings.kinds))


def _raise_refused(decision: Decision) -> None:
    if decision.refused is not None:
        raise Problem(_STATUS.get(decision.refused.kind, 422), detail=decision.refused.reason)


def _facts(context: ApiContext, session: Session, incident: Incident, now: datetime) -> Facts:
    settings = context.configuration.brand(incident.brand)
    zone = settings.time_zone if settings else "UTC"
    return facts_of(session, incident.brand, now, thresholds=context.thresholds, zone=zone)


def _holding(
    context: ApiContext, session: Session, incident: Incident, asked: ReleaseHolding, now: datetime
) -> HoldingText | None:
    settings, text = _holding_text(context, asked.holding, asked.language)
    if settings.brands and incident.brand not in settings.brands:
        raise Problem(409, detail=f"the holding statement {asked.holding!r} is not for this brand")
    if holding.fingerprint(text) != asked.fingerprint:
        raise Problem(412, detail="this text has changed since it was shown; read it again, then release it")
    approval = holding.find(session, asked.holding, asked.language, asked.fingerprint)
    if approval is None:
        return None
    return HoldingText(
        id=asked.holding,
        language=asked.language,
        channel=settings.channel,
        text=_filled_in(context, incident.brand, text, now),
        fingerprint=asked.fingerprint,
        approved_by=approval.approved_by,
        role=approval.role,
        approved_at=approval.approved_at,
        expires_at=approval.expires_at,
    )


def _holding_text(context: ApiContext, statement_id: str, language: str) -> tuple[HoldingStatementSettings, str]:
    settings = next((item for item in context.configuration.statements if item.id == statement_id), None)
    text = dict(settings.texts).get(language) if settings is not None else None  # type: ignore[call-overload]
    if settings is None or text is None:
        raise Problem(
            404, detail=f"there is no holding statement {statement_id!r} in {language!r} in the configuration"
        )
    return settings, text


def _filled_in(context: ApiContext, brand: str, text: str, now: datetime) -> str:
    settings = context.configuration.brand(brand)
    local = now.astimezone(ZoneInfo(settings.time_zone if settings else "UTC"))
    values = {
        "brand": context.directory.brand_name(brand),
        "date": f"{local:%d.%m.%Y}",
        "time": f"{local:%H:%M}",
    }
    try:
        return fill_in(text, values)
    except TemplateRefused as error:
        raise Problem(409, detail=f"this statement cannot be filled in, so it is not released: {error}") from error
