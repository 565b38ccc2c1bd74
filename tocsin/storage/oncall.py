"""Overrides of schedules, the secrets of calendar feeds, and how often people were called: what the statement is made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from tocsin.access.secrets import fingerprint
from tocsin.contracts.decisions import NotificationKind
from tocsin.contracts.oncall import Override
from tocsin.storage.tables.incidents import IncidentEventTable, NotificationAttemptTable, NotificationTable
from tocsin.storage.tables.oncall import FeedTable, OverrideTable


@dataclass(frozen=True, slots=True)
class Feed:
    """What a calendar feed shows: one schedule, or one person's shifts."""

    id: UUID
    schedule: str | None
    person: str | None
    made_by: str
    made_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallOuts:
    """How often a person was called in some time: `steps` of escalations that rang them, in how many `incidents`."""

    steps: int
    incidents: int


def add_override(session: Session, override: Override) -> None:
    """Write down that a shift is another's."""
    session.execute(insert(OverrideTable).values(**override.model_dump(exclude={"ended_by", "ended_at"})))


def end_override(session: Session, override_id: UUID, *, by: str, at: datetime) -> Override | None:
    """Take an override back that has not passed; None where there is none such."""
    row = session.execute(
        update(OverrideTable)
        .where(OverrideTable.id == override_id, OverrideTable.ended_at.is_(None), OverrideTable.until > at)
        .values(ended_by=by, ended_at=at)
        .returning(OverrideTable)
    ).scalar_one_or_none()
    return Override.model_validate(row, from_attributes=True) if row is not None else None


def find_override(session: Session, override_id: UUID) -> Override | None:
    """An override by its id."""
    row = session.get(OverrideTable, override_id)
    return Override.model_validate(row, from_attributes=True) if row is not None else None


def overrides(
    session: Session, since: datetime, *, until: datetime | None = None, taken_back: bool = False, limit: int = 5000
) -> list[Override]:
    """Overrides that reach beyond `since` (and begin before `until`), by their beginning.

    One that was taken back counts until then, and ends there. `taken_back`: those that never counted, too, and each as it
    was written.
    """
    ends = func.coalesce(OverrideTable.ended_at, OverrideTable.until)
    query = select(OverrideTable).order_by(OverrideTable.since, OverrideTable.id).limit(limit)
    query = query.where(OverrideTable.until > since)
    if until is not None:
        query = query.where(OverrideTable.since < until)
    if not taken_back:
        query = query.where(ends > since, ends > OverrideTable.since)
    found = [Override.model_validate(row, from_attributes=True) for row in session.scalars(query)]
    if taken_back:
        return found
    return [item.model_copy(update={"until": item.ended_at or item.until}) for item in found]


def add_feed(session: Session, feed: Feed, token: str) -> None:
    """Keep a feed; its secret stands nowhere but in its address."""
    session.execute(
        insert(FeedTable).values(
            id=feed.id,
            token_hash=fingerprint(token),
            schedule=feed.schedule,
            person=feed.person,
            made_by=feed.made_by,
            made_at=feed.made_at,
        )
    )


def feed_of(session: Session, token: str) -> Feed | None:
    """What the feed with that secret shows; None where there is none, or it was revoked."""
    row = session.scalar(
        select(FeedTable).where(FeedTable.token_hash == fingerprint(token), FeedTable.revoked_at.is_(None))
    )
    return _feed(row) if row is not None else None


def feeds(session: Session) -> list[Feed]:
    """Every feed, the newest first."""
    return [_feed(row) for row in session.scalars(select(FeedTable).order_by(FeedTable.made_at.desc(), FeedTable.id))]


def revoke_feed(session: Session, feed_id: UUID, at: datetime) -> bool:
    """Let a feed show nothing any more; False where there is none, or it was revoked before."""
    revoked = session.execute(
        update(FeedTable)
        .where(FeedTable.id == feed_id, FeedTable.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(FeedTable.id)
    )
    return revoked.first() is not None


def call_outs(session: Session, since: datetime, until: datetime) -> dict[str, CallOuts]:
    """By target (`person:…`): the steps in which a page was really tried, decided in [since, until). Exercises count, too."""
    tried = (
        select(NotificationAttemptTable.id)
        .where(
            NotificationAttemptTable.notification_id == NotificationTable.id,
            NotificationAttemptTable.outcome.is_distinct_from("superseded"),
        )
        .exists()
    )
    steps = (
        select(
            NotificationTable.target,
            NotificationTable.incident_id,
            NotificationTable.start,
            NotificationTable.loop,
            NotificationTable.step,
        )
        .where(
            NotificationTable.kind == NotificationKind.PAGE.value,
            NotificationTable.target.startswith("person:"),
            NotificationTable.created_at >= since,
            NotificationTable.created_at < until,
            tried,
        )
        .distinct()
        .subquery()
    )
    rows = session.execute(
        select(steps.c.target, func.count(), func.count(steps.c.incident_id.distinct())).group_by(steps.c.target)
    )
    return {target: CallOuts(number, incidents) for target, number, incidents in rows}


def acknowledgements(session: Session, since: datetime, until: datetime, types: Collection[str]) -> dict[str, int]:
    """By actor: how many events of these types they caused in [since, until)."""
    rows = session.execute(
        select(IncidentEventTable.actor, func.count().label("number"))
        .where(IncidentEventTable.type.in_(types), IncidentEventTable.at >= since, IncidentEventTable.at < until)
        .group_by(IncidentEventTable.actor)
    )
    return {row.actor: row.number for row in rows}


def _feed(row: FeedTable) -> Feed:
    return Feed(row.id, row.schedule, row.person, row.made_by, row.made_at, row.revoked_at)
