"""What people do to incidents, through the same command as everybody else: lock, decide, save, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from services.alert.protocol.commands import (
    Acknowledge,
    Command,
    Declare,
    Merge,
    Reopen,
    Resolve,
    SilenceUntil,
    Unsilence,
)
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.dividing import merge as merge_decided
from services.alert.protocol.policies import snapshot
from services.alert.protocol.silencing import LONGEST_SILENCE
from services.api.context import ApiContext
from services.api.permission import unknown_brand
from tocsin.access.principals import Principal
from tocsin.contracts.decisions import Decision, Refusal, RefusalKind
from tocsin.contracts.incidents import Declaration, Incident, Level, Verdict
from tocsin.problems import Problem
from tocsin.storage import audit, brands, incidents, silences
from tocsin.storage.incidents import Picture
from tocsin.storage.silences import BrandSilence

REPEATED_WITHIN = timedelta(minutes=1)
"""The same person acknowledging again so soon has clicked twice; later, they say that they are still at it."""

_STATUS = {
    RefusalKind.STALE: 412,
    RefusalKind.ILLEGAL: 409,
    RefusalKind.FORBIDDEN: 403,
    RefusalKind.INVALID: 422,
}


def acknowledge(
    context: ApiContext, principal: Principal, incident_id: UUID, *, level: Level | None, version: int | None
) -> Incident:
    """Take an incident in hand, and stop its calls.

    Raises a Problem: 404, 409 where it is resolved, 412 where the level has risen above `level` or `version` is not the
    present one.
    """

    decided = acknowledging(context, principal.actor, level=level, version=version)
    return _execute(context, principal, incident_id, lambda incident, now, _: decided(incident, now))


def acknowledging(
    context: ApiContext, actor: str, *, level: Level | None, version: int | None
) -> Callable[[Incident, datetime], Decision]:
    """What `acknowledge` decides for an incident that is locked, whichever way it was asked for."""

    def decided(incident: Incident, now: datetime) -> Decision:
        held = incident.acknowledged
        if (
            incident.in_hand
            and held is not None
            and held.by == actor
            and held.level >= incident.level
            and now - held.at < REPEATED_WITHIN
        ):
            return Decision(incident)
        if version is not None and version != incident.version and incident.state.open:
            reason = f"the incident is at version {incident.version}, not {version}; look again, then acknowledge that"
            return Decision(incident, refused=Refusal(RefusalKind.STALE, reason))
        return decide(incident, Acknowledge(actor=actor, level=level), now, context.directory)

    return decided


def resolve(
    context: ApiContext, principal: Principal, incident_id: UUID, *, verdict: Verdict | None, version: int | None
) -> Incident:
    """Say that an incident is over, and what it was. Raises a Problem: 404, 409 or 412 as the state machine refuses it."""
    return command(context, principal, incident_id, Resolve(actor=principal.actor, version=version, verdict=verdict))


def command(context: ApiContext, principal: Principal, incident_id: UUID, asked: Command) -> Incident:
    """Any command on one incident. Raises a Problem: 404, or 409, 412 or 422 as the state machine refuses it."""
    return _execute(
        context, principal, incident_id, lambda incident, now, directory: decide(incident, asked, now, directory)
    )


def merge(context: ApiContext, principal: Principal, incident_id: UUID, into: UUID, *, version: int | None) -> Incident:
    """Let an incident go on as part of another one, which is returned. Raises a Problem as `command` does."""
    with context.database.unit_of_work() as session:
        return _merged(session, context, principal, source=incident_id, into=into, version=version)


def reopen(context: ApiContext, principal: Principal, incident_id: UUID, *, version: int | None) -> Incident:
    """It was not over. Where another incident of a brand of it has opened since, it joins that one, which is returned."""
    with context.database.unit_of_work() as session:
        found = _visible(principal, incident_id, incidents.find(session, incident_id))
        beside = None
        if found.main and not found.state.open:
            opened = (incidents.open_main(session, brand) for brand in found.brands)
            beside = next((other.id for other in opened if other is not None), None)
        if beside is not None:
            return _merged(session, context, principal, source=incident_id, into=beside, version=version)
        return _executed(
            session,
            context,
            principal,
            incident_id,
            lambda incident, now, directory: decide(incident, Reopen(principal.actor, version), now, directory),
        )


def declare(
    context: ApiContext,
    principal: Principal,
    *,
    wanted: tuple[str, ...],
    level: Level,
    sentence: str,
    link: str | None = None,
    text: str | None = None,
    picture: Picture | None = None,
) -> tuple[Incident, bool]:
    """Ring the bell by hand; the incident, and whether it is a new one (else it joined the open one of these brands).

    Raises a Problem: 404 for a brand that is not there, 409 where the brands have several open incidents.
    """
    for brand in wanted:
        if not context.sees(principal, brand):
            raise unknown_brand(brand)
    policy = context.configuration.policy_of(wanted[0])
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        for brand in sorted(wanted):
            brands.lock(session, brand, now=now)
        said = Declaration(
            by=principal.actor,
            at=now,
            sentence=sentence,
            link=link,
            text=text,
            picture=picture.id if picture is not None else None,
        )
        asked = Declare(
            uuid4(), wanted, level, said, snapshot(policy) if policy else None, context.complete_up_to(session)
        )
        present = {
            found.id: found
            for brand in sorted(wanted)
            if (found := incidents.open_main(session, brand, lock=True)) is not None
        }
        if len(present) > 1:
            named = ", ".join(str(incident_id) for incident_id in present)
            raise Problem(409, detail=f"these brands have several open incidents ({named}); merge them first")
        beside = _visible(principal, *next(iter(present.items()))) if present else None
        decision = decide(beside, asked, now, context.directory_now(session))
        if beside is not None:
            decision = incidents.save(session, beside, decision)
        _raise_if_refused(decision)
        if beside is None and not incidents.insert_opened(session, decision):
            raise Problem(
                409, detail="an incident of these brands was opened at this moment; declare it again to join it"
            )
        if picture is not None:
            incidents.add_picture(session, decision.incident.id, picture, by=principal.actor, at=now)
    return decision.incident, beside is None


def silence_brand(
    context: ApiContext, principal: Principal, *, brand: str, level: Level, until: datetime, reason: str
) -> BrandSilence:
    """Let incidents of a brand up to `level` call nobody until then, the open one too. Raises a Problem: 404, 422."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        brands.lock(session, brand, now=now)
        if not now < until <= now + LONGEST_SILENCE:
            detail = f"a silence ends in the future, and within {LONGEST_SILENCE.days} days; give such an 'until'"
            raise Problem(422, detail=detail, errors=[{"field": "until", "message": detail}])
        silence = BrandSilence(uuid4(), brand, level, until, reason, begun_by=principal.actor, begun_at=now)
        silences.begin(session, silence)
        _audited(session, silence, "silence.begun", principal, now, level=level.value, until=until.isoformat())
        present = incidents.open_main(session, brand, lock=True)
        if present is not None and present.level <= level:
            asked = SilenceUntil(principal.actor, until, brand_silence=silence.id)
            _raise_if_refused(
                incidents.save(session, present, decide(present, asked, now, context.directory_now(session)))
            )
    return silence


def end_silence(context: ApiContext, principal: Principal, silence_id: UUID) -> BrandSilence:
    """End a silence of a brand before its time, and that of the open incident with it. Raises a Problem: 404, 409."""
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        found = silences.find(session, silence_id)
        if found is None or not context.sees(principal, found.brand):
            raise Problem(404, detail=f"there is no silence {silence_id} that you may see; GET /v1/silences lists them")
        brands.lock(session, found.brand, now=now)
        ended = silences.end(session, silence_id, by=principal.actor, at=now)
        if ended is None:
            raise Problem(409, detail="the silence is over already")
        _audited(session, ended, "silence.ended", principal, now)
        present = incidents.open_main(session, found.brand, lock=True)
        if present is not None and present.silence is not None:
            asked = Unsilence(principal.actor, brand_silence=silence_id)
            _raise_if_refused(
                incidents.save(session, present, decide(present, asked, now, context.directory_now(session)))
            )
    return ended


def _audited(
    session: Session, silence: BrandSilence, action: str, principal: Principal, now: datetime, **details: str
) -> None:
    audit.record(
        session,
        at=now,
        actor=principal.actor,
        action=action,
        target=f"silence:{silence.id}",
        brand=silence.brand,
        details=details,
    )


def sees_incident(principal: Principal, incident: Incident) -> bool:
    """True where every brand that the incident is about is one of the principal's: one over several tells of them all."""
    return all(principal.sees(brand) for brand in incident.brands)


def refused(refusal: Refusal) -> Problem:
    """What the state machine's refusal answers with."""
    return Problem(_STATUS[refusal.kind], detail=refusal.reason)


def unknown_incident(incident_id: UUID) -> Problem:
    """What an incident that is not there (or not for you) answers with."""
    return Problem(404, detail=f"there is no incident {incident_id} that you may see; GET /v1/incidents lists them")


def _visible(principal: Principal, incident_id: UUID, incident: Incident | None) -> Incident:
    if incident is None or not sees_incident(principal, incident):
        raise unknown_incident(incident_id)
    return incident


def _merged(
    session: Session, context: ApiContext, principal: Principal, *, source: UUID, into: UUID, version: int | None
) -> Incident:
    for incident_id in (source, into):
        _visible(principal, incident_id, incidents.find(session, incident_id))
    now, directory = context.clock.now(), context.directory_now(session)
    gone, kept = incidents.execute_on_two(
        session,
        source,
        into,
        lambda first, second: merge_decided(first, second, Merge(principal.actor, version), now, directory),
    )
    _raise_if_refused(gone)
    return kept.incident


def _execute(
    context: ApiContext,
    principal: Principal,
    incident_id: UUID,
    decided: Callable[[Incident, datetime, Directory], Decision],
) -> Incident:
    with context.database.unit_of_work() as session:
        return _executed(session, context, principal, incident_id, decided)


def _executed(
    session: Session,
    context: ApiContext,
    principal: Principal,
    incident_id: UUID,
    decided: Callable[[Incident, datetime, Directory], Decision],
) -> Incident:
    directory = context.directory_now(session)

    def allowed(incident: Incident) -> Decision:
        return decided(_visible(principal, incident_id, incident), context.clock.now(), directory)

    try:
        decision = incidents.execute(session, incident_id, allowed)
    except incidents.IncidentNotFound as error:
        raise unknown_incident(incident_id) from error
    _raise_if_refused(decision)
    return decision.incident


def _raise_if_refused(decision: Decision) -> None:
    if decision.refused is not None:
        raise refused(decision.refused)
