"""Morning digests: written once a brand, day, person and channel, and sent until they are through or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.room import DigestTable


@dataclass(frozen=True, slots=True)
class StoredDigest:
    """One mail to one person. `attempt` counts from 1."""

    id: int
    brand: str
    day: str
    person: str
    channel: str
    subject: str
    text: str
    created_at: datetime
    attempt: int


def written(session: Session, brand: str, day: str) -> bool:
    """True where the digest of that brand and day was written already."""
    return bool(
        session.execute(select(exists().where(DigestTable.brand == brand, DigestTable.day == day))).scalar_one()
    )


def write(
    session: Session, brand: str, day: str, *, person: str, channel: str, subject: str, text: str, now: datetime
) -> None:
    """Write one mail down; where it is there already, that one stands."""
    session.execute(
        upsert(session, DigestTable)
        .values(
            brand=brand,
            day=day,
            person=person,
            channel=channel,
            subject=subject,
            text=text,
            created_at=now,
            next_attempt_at=now,
            attempts=0,
        )
        .on_conflict_do_nothing()
    )


def any_due(session: Session, now: datetime) -> bool:
    """True where a mail waits that may be sent now."""
    return bool(session.execute(select(exists().where(*_claimable(now)))).scalar_one())


def claim(session: Session, now: datetime, *, owner: str, until: datetime) -> StoredDigest | None:
    """Claim the mail that has waited longest, until `until`."""
    row = session.execute(
        select(DigestTable)
        .where(*_claimable(now))
        .order_by(DigestTable.next_attempt_at, DigestTable.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        return None
    row.attempts += 1
    row.claimed_by, row.claimed_until = owner, until
    session.flush()
    return StoredDigest(
        row.id, row.brand, row.day, row.person, row.channel, row.subject, row.text, row.created_at, row.attempts
    )


def finish(
    session: Session, claimed: StoredDigest, *, owner: str, outcome: str | None, detail: str, next_at: datetime | None
) -> None:
    """Write down what came of it: an outcome, or when to try again."""
    values: dict[str, Any] = {"claimed_by": None, "claimed_until": None, "detail": detail[:500], "outcome": outcome}
    if next_at is not None:
        values["next_attempt_at"] = next_at
    session.execute(
        update(DigestTable)
        .where(DigestTable.id == claimed.id, DigestTable.claimed_by == owner)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _claimable(now: datetime) -> tuple[Any, ...]:
    return (
        DigestTable.outcome.is_(None),
        DigestTable.next_attempt_at <= now,
        or_(DigestTable.claimed_until.is_(None), DigestTable.claimed_until <= now),
    )
