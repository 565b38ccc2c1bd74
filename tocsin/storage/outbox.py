"""The outbox: events are written in the transaction that decided them, and published by one relay.

`append` → `number` → `to_publish` → (publish, flush) → `mark_published`. The live stream reads `after` a position.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.codec import Encoded
from tocsin.contracts.topics import INCIDENTS
from tocsin.storage.base import plain
from tocsin.storage.tables.flow import OutboxTable


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event with its place among all that were ever published."""

    id: int
    position: int
    topic: str
    type: str
    event: Encoded
    created_at: datetime


def append(session: Session, event: Encoded, *, at: datetime, topic: str = INCIDENTS) -> None:
    """Write down an event for the relay. `topic` is a bare name; `at` is now.

    Events of one key must be appended under a lock that orders them (an incident's row), and each only once: a second one
    with the same `ce_id` violates a constraint.
    """
    append_all(session, [(event, at)], topic=topic)


def append_all(session: Session, events: Sequence[tuple[Encoded, datetime]], *, topic: str = INCIDENTS) -> None:
    """As `append`, for several with their instants, in their order."""
    rows = []
    for event, at in events:
        headers = {name: raw.decode() for name, raw in event.headers}
        rows.append(
            {
                "topic": topic,
                "key": event.key.decode(),
                "event_id": headers["ce_id"],
                "type": headers["ce_type"],
                "headers": headers,
                "value": event.value.decode(),
                "created_at": at,
            }
        )
    # Straight into the table: a storm of timers writes hundreds of these, and nobody reads them back in this session.
    session.execute(insert(plain(OutboxTable)), rows)


def number(session: Session, limit: int = 1000) -> int:
    """Give the next positions to events that have none, in each key's order; returns to how many.

    Only for the relay that holds the lease: two at once would collide, and one of them fail.
    """
    session.flush()
    waiting = session.scalars(
        select(OutboxTable.id)
        .where(OutboxTable.published_at.is_(None), OutboxTable.position.is_(None))
        .order_by(OutboxTable.id)
        .limit(limit)
    ).all()
    if not waiting:
        return 0
    highest = session.scalar(select(func.max(OutboxTable.position))) or 0
    rows = [{"id": identifier, "position": highest + step} for step, identifier in enumerate(waiting, start=1)]
    session.execute(update(OutboxTable), rows)
    return len(rows)


def to_publish(session: Session, limit: int = 500) -> list[OutboxEvent]:
    """Numbered events that are not marked as published, by position."""
    return _events(session, OutboxTable.published_at.is_(None) & OutboxTable.position.is_not(None), limit)


def mark_published(session: Session, identifiers: Collection[int], at: datetime) -> None:
    """These are on the bus for certain."""
    session.execute(
        update(OutboxTable)
        .where(OutboxTable.id.in_(identifiers), OutboxTable.published_at.is_(None))
        .values(published_at=at)
        .execution_options(synchronize_session=False)
    )


def after(session: Session, position: int, limit: int = 500) -> list[OutboxEvent]:
    """Numbered events after a position, for the live stream and its `Last-Event-ID`; published or about to be."""
    return _events(session, OutboxTable.position > position, limit)


def oldest_waiting(session: Session) -> datetime | None:
    """When the first event was written that is not marked as published; None where none waits."""
    return session.scalar(
        select(OutboxTable.created_at).where(OutboxTable.published_at.is_(None)).order_by(OutboxTable.id).limit(1)
    )


def last_position(session: Session) -> int:
    """The highest position given so far; 0 where there is none."""
    return session.scalar(select(func.max(OutboxTable.position))) or 0


def first_position(session: Session) -> int | None:
    """The lowest position that is still kept; None where none was given yet."""
    return session.scalar(select(func.min(OutboxTable.position)))


def purge(session: Session, before: datetime) -> int:
    """Forget what was published before an instant; returns how many. The highest position stays, for numbering to go on."""
    highest = select(func.max(OutboxTable.position)).scalar_subquery()
    gone = session.execute(
        delete(OutboxTable)
        .where(OutboxTable.published_at < before, OutboxTable.position < highest)
        .returning(OutboxTable.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def _events(session: Session, condition: ColumnElement[bool], limit: int) -> list[OutboxEvent]:
    rows = session.scalars(select(OutboxTable).where(condition).order_by(OutboxTable.position).limit(limit))
    return [
        OutboxEvent(
            id=row.id,
            position=row.position,
            topic=row.topic,
            type=row.type,
            event=Encoded(
                row.key.encode(),
                row.value.encode(),
                tuple((name, value.encode()) for name, value in row.headers.items()),
            ),
            created_at=row.created_at,
        )
        for row in rows
        if row.position is not None
    ]
