"""People take shifts from each other and give them away, while everything runs; it counts from the commit on, everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from services.api.context import ApiContext
from tocsin.access.principals import Principal
from tocsin.contracts.oncall import Override
from tocsin.observability.logs import logger
from tocsin.problems import Problem
from tocsin.storage import audit, oncall

LONGEST = timedelta(days=62)
"""Who is away for longer wants another rotation in the configuration."""

_log = logger(__name__)


def exchange(
    context: ApiContext, principal: Principal, *, schedule: str, person: str, since: datetime, until: datetime
) -> Override:
    """Let `person` be on call for `schedule` from `since` to `until`. Raises a Problem (422) that names what is wrong."""
    now = context.clock.now()
    wrong = _wrong(context, schedule=schedule, person=person, since=since, until=until, now=now)
    if wrong is not None:
        field, message = wrong
        raise Problem(422, detail=f"{field}: {message}", errors=[{"field": field, "message": message}])
    # What has passed stays with whoever was on call.
    override = Override(
        id=uuid4(), schedule=schedule, person=person, since=max(since, now), until=until, by=principal.actor, at=now
    )
    with context.database.unit_of_work() as session:
        oncall.add_override(session, override)
        _audited(session, override, "shift.exchanged", principal, now, person=person, until=until.isoformat())
    _log.info("shift exchanged", schedule=schedule, person=person, by=principal.actor, override=str(override.id))
    return override


def take_back(context: ApiContext, principal: Principal, override_id: UUID) -> Override:
    """End an override: the rotation counts again. Raises a Problem: 404, or 409 where it is over already."""
    now = context.clock.now()
    with context.database.unit_of_work() as session:
        if oncall.find_override(session, override_id) is None:
            raise Problem(404, detail=f"there is no override {override_id}; GET /v1/overrides lists them")
        ended = oncall.end_override(session, override_id, by=principal.actor, at=now)
        if ended is not None:
            _audited(session, ended, "shift.taken_back", principal, now)
    if ended is None:
        raise Problem(409, detail="that override is over already")
    _log.info("exchange taken back", schedule=ended.schedule, by=principal.actor, override=str(override_id))
    return ended


def _audited(
    session: Session, override: Override, action: str, principal: Principal, now: datetime, **details: str
) -> None:
    audit.record(
        session,
        at=now,
        actor=principal.actor,
        action=action,
        target=f"override:{override.id}",
        details={"schedule": override.schedule, **details},
    )


def _wrong(
    context: ApiContext, *, schedule: str, person: str, since: datetime, until: datetime, now: datetime
) -> tuple[str, str] | None:
    known = context.directory
    if schedule not in known.schedules:
        return "schedule", f"there is none {schedule!r}; known are {', '.join(known.schedules) or 'none'}"
    if person not in known.people:
        return "person", f"there is none {person!r}; known are {', '.join(known.people) or 'none'}"
    if not since < until:
        return "until", "comes before the beginning; give a later instant"
    if until <= now:
        return "until", "has passed; who was on call then cannot be changed any more"
    if until - max(since, now) > LONGEST:
        return (
            "until",
            f"is more than {LONGEST.days} days after the beginning; change the rotation in the configuration instead",
        )
    return None
