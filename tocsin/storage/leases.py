"""Leases: rows that say which process does what, and until when. Whoever holds one renews it well before it ends.

A lease is a promise about time, not a lock: its holder must stop by itself when it could not renew. `owner` is unique to a
process (host, process id and a random part), so that a process that comes back is not taken for the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.flow import LeaseTable, SourceLeaseTable


@dataclass(frozen=True, slots=True)
class SourceLease:
    """A source that is ours until `expires_at`, and where its last reader stopped (None: at the beginning)."""

    source: str
    expires_at: datetime
    cursor: dict[str, Any] | None


def acquire(session: Session, name: str, owner: str, *, now: datetime, length: timedelta) -> bool:
    """Take a lease that is free, has expired, or is ours already (then it is renewed); true when it is ours now."""
    statement = upsert(session, LeaseTable).values(name=name, owner=owner, expires_at=now + length)
    taken = statement.on_conflict_do_update(
        index_elements=[LeaseTable.name],
        set_={"owner": owner, "expires_at": now + length},
        where=or_(LeaseTable.owner == owner, LeaseTable.expires_at <= now),
    ).returning(LeaseTable.name)
    return session.execute(taken).first() is not None


def release(session: Session, name: str, owner: str) -> None:
    """Give a lease back, if it is still ours, so that another may go on at once."""
    session.execute(delete(LeaseTable).where(LeaseTable.name == name, LeaseTable.owner == owner))


def acquire_source(
    session: Session, source: str, owner: str, *, now: datetime, length: timedelta
) -> SourceLease | None:
    """Take, or renew, the lease of a source; None while another process has it."""
    statement = upsert(session, SourceLeaseTable).values(source=source, owner=owner, expires_at=now + length)
    taken = statement.on_conflict_do_update(
        index_elements=[SourceLeaseTable.source],
        set_={"owner": owner, "expires_at": now + length},
        where=or_(SourceLeaseTable.owner == owner, SourceLeaseTable.expires_at <= now),
    ).returning(SourceLeaseTable.cursor)
    row = session.execute(taken).first()
    return None if row is None else SourceLease(source, now + length, row.cursor)


def save_cursor(session: Session, source: str, owner: str, cursor: dict[str, Any]) -> bool:
    """Remember that everything up to `cursor` has been published; false, and nothing saved, when the source is another's now."""
    saved = session.execute(
        update(SourceLeaseTable)
        .where(SourceLeaseTable.source == source, SourceLeaseTable.owner == owner)
        .values(cursor=cursor)
        .returning(SourceLeaseTable.source)
        .execution_options(synchronize_session=False)
    )
    return saved.first() is not None


def release_source(session: Session, source: str, owner: str, *, now: datetime) -> None:
    """Give a source back, if it is still ours; its cursor stays for the next."""
    session.execute(
        update(SourceLeaseTable)
        .where(SourceLeaseTable.source == source, SourceLeaseTable.owner == owner)
        .values(expires_at=now)
        .execution_options(synchronize_session=False)
    )


def holder(session: Session, name: str, *, now: datetime) -> str | None:
    """Who holds a lease at this moment, for people who look."""
    return session.scalar(select(LeaseTable.owner).where(LeaseTable.name == name, LeaseTable.expires_at > now))
