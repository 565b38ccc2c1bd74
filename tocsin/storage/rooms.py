"""Crisis rooms: the one place where a room's decision becomes rows, in one transaction with what it does to its incident.

The incident's row is the lock of its room. So two people, a timer and detection never decide on the same room at once, and a
process that is killed leaves either all of a step or nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.decisions import Notification
from tocsin.contracts.incidents import Incident, IncidentState, Level
from tocsin.contracts.room import LinkNeed, Room, RoomDecision
from tocsin.storage import audit, incidents, links
from tocsin.storage.base import upsert
from tocsin.storage.incidents import IncidentNotFound
from tocsin.storage.links import LinkPurpose
from tocsin.storage.tables.incidents import IncidentTable
from tocsin.storage.tables.room import RoomTable

_CLOSED = [state.value for state in IncidentState if not state.open]


def find(session: Session, incident_id: UUID) -> Room | None:
    """The room of an incident, or None where it has none."""
    details = session.execute(
        select(RoomTable.details).where(RoomTable.incident_id == incident_id)
    ).scalar_one_or_none()
    return Room.model_validate(details) if details is not None else None


def find_many(session: Session, incident_ids: list[UUID]) -> dict[UUID, Room]:
    """The rooms of several incidents, by incident."""
    rows = session.execute(
        select(RoomTable.incident_id, RoomTable.details).where(RoomTable.incident_id.in_(incident_ids))
    )
    return {row.incident_id: Room.model_validate(row.details) for row in rows}


def lock(session: Session, incident_id: UUID) -> tuple[Incident, Room | None]:
    """An incident and its room, locked until the transaction ends. Raises IncidentNotFound."""
    details = session.execute(
        select(IncidentTable.details).where(IncidentTable.id == incident_id).with_for_update()
    ).scalar_one_or_none()
    if details is None:
        raise IncidentNotFound(incident_id)
    return Incident.model_validate(details), find(session, incident_id)


def execute(
    session: Session,
    incident_id: UUID,
    decide: Callable[[Incident, Room | None], RoomDecision],
    *,
    people_now: datetime,
    public_url: str | None,
) -> RoomDecision:
    """Lock an incident and its room, let `decide` say what becomes of them, and save that; a refused decision saves nothing.

    `people_now` is the machine's time, by which links expire also where a rehearsal's clock runs faster. Raises
    IncidentNotFound.
    """
    incident, room = lock(session, incident_id)
    return save(session, incident, room, decide(incident, room), people_now=people_now, public_url=public_url)


def save(
    session: Session,
    incident: Incident,
    room: Room | None,
    decided: RoomDecision,
    *,
    people_now: datetime,
    public_url: str | None,
) -> RoomDecision:
    """Save what was decided for a locked incident and its room, and make the links that its messages carry."""
    if decided.decision.refused is not None or decided.room is None:
        return decided
    notifications = _with_links(session, decided, people_now=people_now, public_url=public_url)
    decision = incidents.save(session, incident, replace(decided.decision, notifications=notifications))
    if decision.refused is None:
        # What people did is in the audit log already, as whatever they do to an incident.
        audit.record_events(session, (event for event in decision.events if not audit.by_somebody(event.actor)))
    if decision.refused is None and decided.room != room:
        values = {
            "seen_version": decided.room.seen_version,
            "next_at": decided.room.next_at,
            "details": decided.room.model_dump(mode="json"),
        }
        statement = upsert(session, RoomTable).values(incident_id=incident.id, revision=1, carded=0, **values)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[RoomTable.incident_id], set_={**values, "revision": RoomTable.revision + 1}
            )
        )
    return replace(decided, decision=decision)


def out_of_step(session: Session, limit: int) -> list[UUID]:
    """Incidents that have changed since their room took note of them, and serious ones that have no room yet."""
    rows = session.execute(
        select(IncidentTable.id)
        .outerjoin(RoomTable, RoomTable.incident_id == IncidentTable.id)
        .where(
            or_(
                RoomTable.seen_version != IncidentTable.version,
                RoomTable.incident_id.is_(None)
                & IncidentTable.state.not_in(_CLOSED)
                & IncidentTable.level.in_([Level.ORANGE.value, Level.RED.value]),
            )
        )
        .order_by(IncidentTable.opened_at.desc())
        .limit(limit)
    )
    return list(rows.scalars())


def oldest_due(session: Session) -> datetime | None:
    """When the earliest thing that a room does by itself is or was due."""
    return session.execute(select(func.min(RoomTable.next_at))).scalar_one()


def lock_due(session: Session, now: datetime, limit: int) -> list[tuple[Incident, Room]]:
    """Rooms whose timer is due, the most overdue first, with their incidents locked; those that others have locked are left out.

    Read again behind the lock: one that somebody else served meanwhile comes as it is now, and then nothing is due.
    """
    rows = session.execute(
        select(IncidentTable.id)
        .join(RoomTable, RoomTable.incident_id == IncidentTable.id)
        .where(RoomTable.next_at <= now)
        .order_by(RoomTable.next_at)
        .limit(limit)
        .with_for_update(of=IncidentTable, skip_locked=True)
    )
    found = []
    for incident_id in rows.scalars().all():
        incident, room = lock(session, incident_id)
        if room is not None:
            found.append((incident, room))
    return found


def still_asked(session: Session, notification: Notification) -> bool:
    """True while somebody is still wanted for what a task's message is about."""
    room = find(session, notification.incident_id)
    return room is not None and room.open and any(ask.number == notification.step for ask in room.asks)


def to_be_carded(session: Session, limit: int) -> list[tuple[UUID, int]]:
    """Rooms that have changed since their cards were made equal to them, with their revision."""
    rows = session.execute(
        select(RoomTable.incident_id, RoomTable.revision)
        .where(RoomTable.carded != RoomTable.revision)
        .order_by(RoomTable.incident_id)
        .limit(limit)
    )
    return [(row.incident_id, row.revision) for row in rows]


def revision(session: Session, incident_id: UUID) -> int:
    """How often a room has changed; 0 where there is none."""
    found = session.execute(select(RoomTable.revision).where(RoomTable.incident_id == incident_id))
    return found.scalar_one_or_none() or 0


def carded(session: Session, incident_id: UUID, revision: int) -> None:
    """The cards of a room are what its revision asks for."""
    session.execute(update(RoomTable).where(RoomTable.incident_id == incident_id).values(carded=revision))


def _with_links(
    session: Session, decided: RoomDecision, *, people_now: datetime, public_url: str | None
) -> tuple[Notification, ...]:
    if public_url is None or not decided.links:
        return decided.decision.notifications
    made: dict[tuple[str, str, str], str] = {}
    return tuple(
        _with_link(session, notification, decided.links, made, people_now=people_now, public_url=public_url)
        for notification in decided.decision.notifications
    )


def _with_link(
    session: Session,
    notification: Notification,
    needs: Mapping[UUID, LinkNeed],
    made: dict[tuple[str, str, str], str],
    *,
    people_now: datetime,
    public_url: str,
) -> Notification:
    need = needs.get(notification.id)
    if need is None:
        return notification
    # One link a person and purpose, on whichever of their channels they open it.
    key = (need.purpose, need.actor, repr(sorted(need.subject.items())))
    if key not in made:
        path = links.issue(
            session,
            LinkPurpose(need.purpose),
            actor=need.actor,
            now=people_now,
            expires_at=people_now + need.lifetime,
            incident_id=notification.incident_id,
            subject=need.subject,
        )
        made[key] = public_url.rstrip("/") + path
    content = notification.content.model_copy(update={"link": made[key]})
    return notification.model_copy(update={"content": content})
