"""Incidents: the one place where a decision becomes rows. Every command locks its incident, decides, and saves here.

A transaction that touches several rows of one incident locks the incident first, so that no two of them can wait for
each other. Events go into `incident_events` and into the outbox in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tocsin.contracts.codec import encode_incident
from tocsin.contracts.decisions import Decision, Notification, Refusal, RefusalKind
from tocsin.contracts.incidents import Incident, IncidentEvent, IncidentState
from tocsin.storage import audit, outbox
from tocsin.storage.base import upsert
from tocsin.storage.closing import why_not_closed
from tocsin.storage.tables.incidents import (
    IncidentBrandTable,
    IncidentEventTable,
    IncidentPictureTable,
    IncidentTable,
    NotificationTable,
    TimerTable,
)

EVENT_SOURCE = "tocsin/alert"
"""The `ce_source` of incident events, whichever process decided them."""
# Changed as tables and not as objects: a storm of timers writes thousands of rows that nobody reads back in its session.
_INCIDENTS = cast(Table, IncidentTable.__table__)
_TIMERS = cast(Table, TimerTable.__table__)
_EVENTS = cast(Table, IncidentEventTable.__table__)
_OPEN = [state.value for state in IncidentState if state.open]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that somebody showed; `media_type` such as `image/png`."""

    id: UUID
    media_type: str
    data: bytes


class IncidentNotFound(LookupError):
    """There is no incident with this id."""

    def __init__(self, incident_id: UUID) -> None:
        super().__init__(f"there is no incident {incident_id}")


def execute(session: Session, incident_id: UUID, decide: Callable[[Incident], Decision]) -> Decision:
    """Lock an incident, let `decide` say what becomes of it, and save that; a refused decision saves nothing.

    Raises IncidentNotFound. `decide` is pure: `lambda incident: protocol.decide(incident, command, now, directory)`.
    """
    incident = lock(session, incident_id)
    return save(session, incident, decide(incident))


def execute_on_two(
    session: Session, first: UUID, second: UUID, decide: Callable[[Incident, Incident], tuple[Decision, Decision]]
) -> tuple[Decision, Decision]:
    """Lock two incidents, decide on both, and save both, the first one first; where one is refused neither is saved.

    Raises IncidentNotFound. Locked in the order of their ids, so that two who merge the other way round cannot wait for
    each other.
    """
    found = {incident_id: lock(session, incident_id) for incident_id in sorted({first, second})}
    decisions = decide(found[first], found[second])
    if any(decision.refused is not None for decision in decisions):
        return decisions
    saved: list[Decision] = []
    try:
        with session.begin_nested():
            for decision in decisions:
                saved.append(save(session, found[decision.incident.id], decision))
                if saved[-1].refused is not None:
                    raise _Refused
    except _Refused:
        return saved[-1], saved[-1]
    return saved[0], saved[1]


class _Refused(Exception):
    """Rolls back what was saved of the other incident."""


def lock(session: Session, incident_id: UUID) -> Incident:
    """An incident, locked until the transaction ends. Raises IncidentNotFound."""
    details = session.execute(
        select(IncidentTable.details).where(IncidentTable.id == incident_id).with_for_update()
    ).scalar_one_or_none()
    if details is None:
        raise IncidentNotFound(incident_id)
    return Incident.model_validate(details)


def save(session: Session, before: Incident, decision: Decision) -> Decision:
    """Save what was decided for a locked incident.

    Where it would be closed while required steps of its playbook are open, or that would make a second open main incident of a
    brand (it was reopened while another opened), nothing is saved and the decision comes back refused.
    """
    after = decision.incident
    if decision.refused is not None or after == before:
        return decision
    if (why := why_not_closed(session, before, after)) is not None:
        return Decision(before, refused=Refusal(RefusalKind.ILLEGAL, why))
    if _brand_rows(before) != _brand_rows(after):
        try:
            with session.begin_nested():
                session.execute(delete(IncidentBrandTable).where(IncidentBrandTable.incident_id == after.id))
                session.execute(insert(IncidentBrandTable), _brand_rows(after))
        except IntegrityError:
            reason = "another incident of the same brand is open; go on with that one, or merge them"
            return Decision(before, refused=Refusal(RefusalKind.ILLEGAL, reason))
    session.execute(_INCIDENTS.update().where(_INCIDENTS.c.id == after.id), _columns(after))
    if before.timers != after.timers:
        session.execute(_TIMERS.delete().where(_TIMERS.c.incident_id == after.id))
        _insert_timers(session, after)
    _insert_effects(session, decision)
    if decision.opened is not None and not insert_opened(session, decision.opened):
        raise RuntimeError(
            f"incident {decision.opened.incident.id} is open already: what is split off must not be main"
        )
    return decision


def save_all(session: Session, changes: Sequence[tuple[Incident, Decision]]) -> None:
    """Save what timers decided for locked incidents, in a few statements however many they are; each incident once.

    For decisions that neither open nor close an incident; raises ValueError for others.
    """
    made = [(before, decision) for before, decision in changes if decision.incident != before]
    for before, decision in made:
        if (
            decision.refused is not None
            or decision.opened is not None
            or _brand_rows(before) != _brand_rows(decision.incident)
        ):
            raise ValueError(f"incident {before.id}: timers neither open nor close; use save")
    if not made:
        return
    after = [decision.incident for _, decision in made]
    columns: dict[str, Any] = {name: bindparam(name) for name in _columns(after[0])}
    session.execute(
        _INCIDENTS.update().where(_INCIDENTS.c.id == bindparam("this_incident")).values(columns),
        [{"this_incident": incident.id, **_columns(incident)} for incident in after],
    )
    session.execute(_TIMERS.delete().where(_TIMERS.c.incident_id.in_([incident.id for incident in after])))
    _insert_timers(session, *after)
    _insert_effects(session, *(decision for _, decision in made))


def insert_opened(session: Session, decision: Decision) -> bool:
    """Save a new incident; False, and nothing is saved, where one of its brands has an open main one already.

    Waits for another transaction that is just opening one, so that of two evaluators exactly one succeeds.
    """
    incident = decision.incident
    if decision.refused is not None:
        raise ValueError(f"what was refused cannot be saved: {decision.refused.reason}")
    try:
        with session.begin_nested():
            session.execute(insert(IncidentTable).values(id=incident.id, **_columns(incident)))
            session.execute(insert(IncidentBrandTable), _brand_rows(incident))
    except IntegrityError:
        return False
    _insert_timers(session, incident)
    _insert_effects(session, decision)
    return True


def open_main(session: Session, brand: str, *, lock: bool = False) -> Incident | None:
    """The brand's open main incident; `lock` it where something is to be decided on it."""
    query = (
        select(IncidentTable.details)
        .join(IncidentBrandTable, IncidentBrandTable.incident_id == IncidentTable.id)
        # The state is asked for too: whoever waited for the lock sees only the locked row anew.
        .where(
            IncidentBrandTable.brand == brand,
            IncidentBrandTable.open_main,
            IncidentTable.main,
            IncidentTable.state.in_(_OPEN),
        )
    )
    details = session.execute(query.with_for_update(of=IncidentTable) if lock else query).scalar_one_or_none()
    return Incident.model_validate(details) if details is not None else None


def open_mains(session: Session, brands: Collection[str]) -> dict[str, Incident]:
    """The open main incidents of these brands, by brand; one without is left out."""
    rows = session.execute(
        select(IncidentBrandTable.brand, IncidentTable.details)
        .join(IncidentBrandTable, IncidentBrandTable.incident_id == IncidentTable.id)
        .where(
            IncidentBrandTable.brand.in_(sorted(brands)),
            IncidentBrandTable.open_main,
            IncidentTable.main,
            IncidentTable.state.in_(_OPEN),
        )
    )
    return {brand: Incident.model_validate(details) for brand, details in rows}


def find(session: Session, incident_id: UUID) -> Incident | None:
    """An incident by its id."""
    details = session.execute(select(IncidentTable.details).where(IncidentTable.id == incident_id)).scalar_one_or_none()
    return Incident.model_validate(details) if details is not None else None


def add_picture(session: Session, incident_id: UUID, picture: Picture, *, by: str, at: datetime) -> None:
    """Keep a picture beside an incident."""
    session.execute(
        insert(IncidentPictureTable).values(
            id=picture.id,
            incident_id=incident_id,
            media_type=picture.media_type,
            data=picture.data,
            added_by=by,
            added_at=at,
        )
    )


def find_picture(session: Session, incident_id: UUID, picture_id: UUID) -> Picture | None:
    """A picture of that incident."""
    row = session.execute(
        select(IncidentPictureTable).where(
            IncidentPictureTable.id == picture_id, IncidentPictureTable.incident_id == incident_id
        )
    ).scalar_one_or_none()
    return Picture(row.id, row.media_type, row.data) if row is not None else None


def list_incidents(
    session: Session,
    *,
    brands: Collection[str] | None = None,
    within: Collection[str] | None = None,
    states: Collection[IncidentState] | None = None,
    limit: int = 50,
    before: tuple[datetime, UUID] | None = None,
) -> list[Incident]:
    """Incidents, the newest first.

    `brands`: about at least one of them; `within`: about none but them; `before`: the `(opened_at, id)` of the last one of the
    page before. None: all of that kind.
    """
    about = exists().where(IncidentBrandTable.incident_id == IncidentTable.id)
    wanted: list[ColumnElement[bool]] = []
    if brands is not None:
        wanted.append(about.where(IncidentBrandTable.brand.in_(brands)))
    if within is not None:
        wanted.append(~about.where(IncidentBrandTable.brand.not_in(within)))
    if states is not None:
        wanted.append(IncidentTable.state.in_([state.value for state in states]))
    if before is not None:
        opened_at, incident_id = before
        same_moment = and_(IncidentTable.opened_at == opened_at, IncidentTable.id < incident_id)
        wanted.append(or_(IncidentTable.opened_at < opened_at, same_moment))
    query = (
        select(IncidentTable.details)
        .where(*wanted)
        .order_by(IncidentTable.opened_at.desc(), IncidentTable.id.desc())
        .limit(limit)
    )
    return [Incident.model_validate(details) for details in session.scalars(query)]


def events(session: Session, incident_id: UUID) -> list[IncidentEvent]:
    """Everything that happened to an incident, in order; empty for an unknown one."""
    rows = session.execute(
        select(IncidentEventTable, IncidentTable.brand, IncidentTable.details["also"])
        .join(IncidentTable, IncidentTable.id == IncidentEventTable.incident_id)
        .where(IncidentEventTable.incident_id == incident_id)
        .order_by(IncidentEventTable.sequence)
    )
    return [
        IncidentEvent(
            incident_id=row.incident_id,
            sequence=row.sequence,
            type=row.type,
            at=row.at,
            brand=brand,
            also=tuple(also) if also else None,
            level=row.level,
            state=row.state,
            actor=row.actor,
            data=row.data,
        )
        for row, brand, also in rows
    ]


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "brand": incident.brand,
        "main": incident.main,
        "exercise": incident.exercise,
        "state": incident.state.value,
        "level": incident.level.value,
        "version": incident.version,
        "start": incident.start,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "details": incident.model_dump(mode="json"),
    }


def _brand_rows(incident: Incident) -> list[dict[str, Any]]:
    open_main = incident.main and incident.state.open
    # In one order, so that two who open incidents of the same brands cannot wait for each other.
    return [
        {"incident_id": incident.id, "brand": brand, "open_main": open_main} for brand in sorted(set(incident.brands))
    ]


def _insert_timers(session: Session, *incidents: Incident) -> None:
    rows = [
        {"incident_id": incident.id, "kind": timer.kind.value, "next_at": timer.due_at}
        for incident in incidents
        for timer in incident.timers
    ]
    if rows:
        session.execute(_TIMERS.insert(), rows)


def _insert_effects(session: Session, *decisions: Decision) -> None:
    events = [event for decision in decisions for event in decision.events]
    if events:
        rows = [
            {
                "incident_id": event.incident_id,
                "sequence": event.sequence,
                "type": event.type.value,
                "at": event.at,
                "level": event.level.value,
                "state": event.state.value,
                "actor": event.actor,
                "data": event.data,
            }
            for event in events
        ]
        session.execute(_EVENTS.insert(), rows)
        # Here and nowhere else, so that no way to give a command goes round the audit log.
        audit.record_events(session, (event for event in events if audit.by_somebody(event.actor)))
        outbox.append_all(
            session, [(encode_incident(event, source=EVENT_SOURCE, at=event.at), event.at) for event in events]
        )
    notifications = [notification for decision in decisions for notification in decision.notifications]
    if notifications:
        # Told already (the same key): then it is not told again.
        session.execute(
            upsert(session, NotificationTable).on_conflict_do_nothing(),
            [_notification_columns(notification) for notification in notifications],
        )


def _notification_columns(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        **notification.model_dump(exclude={"content", "kind", "level"}),
        "kind": notification.kind.value,
        "level": notification.level.value,
        "content": notification.content.model_dump(mode="json"),
        "urgency": notification.urgency,
        "next_attempt_at": notification.begins_at,
        "attempts": 0,
    }
