"""Notifications: an outbox of messages that senders claim with a lease, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.decisions import Notification, NotificationKind
from tocsin.contracts.incidents import Incident
from tocsin.storage.base import upsert
from tocsin.storage.tables.incidents import (
    DisabledChannelTable,
    IncidentTable,
    NotificationAttemptTable,
    NotificationTable,
)


class AttemptOutcome(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    """The channel took it; that is not yet read, let alone answered."""
    DELIVERED = "delivered"
    """It arrived at the telephone, says the carrier."""
    ANSWERED = "answered"
    """Somebody, or a mailbox, picked up."""
    ACKNOWLEDGED = "acknowledged"
    """Its receiver acknowledged by it."""
    RETRY = "retry"
    """It did not take it, and may later."""
    REJECTED = "rejected"
    """It never will."""
    GONE = "gone"
    """Nobody is there any more; the channel is disabled."""
    UNKNOWN = "unknown"
    """Nobody knows: it was begun, and no answer came."""
    SUPERSEDED = "superseded"
    """It was not begun: by then somebody had the incident in hand, or it was over, or nobody had been called there."""


class NotificationOutcome(StrEnum):
    """What became of a message in the end; None while it waits."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"
    DEAD = "dead"
    """Every attempt failed, or its channel is gone; it can be sent again by hand."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this sender alone may try until its lease ends. `attempt` counts from 1."""

    notification: Notification
    attempt: int
    possible_duplicate: bool
    """An attempt before this one may have come through."""


@dataclass(frozen=True, slots=True)
class NotificationStatus:
    """A message and how far it is."""

    notification: Notification
    outcome: NotificationOutcome | None
    attempts: int
    detail: str | None
    """What came of the last attempt, in words."""
    next_attempt_at: datetime | None
    finished_at: datetime | None


def oldest_due(session: Session, now: datetime) -> datetime | None:
    """Since when the longest waiting message that may be tried now has been waiting."""
    return session.execute(select(func.min(NotificationTable.next_attempt_at)).where(*_claimable(now))).scalar_one()


def claim(
    session: Session,
    now: datetime,
    *,
    owner: str,
    until: Callable[[str], datetime],
    busy_channels: Collection[str] = (),
    in_hand: Collection[UUID] = (),
) -> Claimed | None:
    """Claim the most urgent message that is due, `until` when its channel says, and write down that an attempt begins.

    Nothing on `busy_channels`, and none of those that the sender has `in_hand` already.

    Two senders never get the same one at the same time, but one whose sender died is given again after its lease.
    """
    row = session.execute(
        select(NotificationTable)
        .where(*_claimable(now), NotificationTable.channel.not_in(busy_channels), NotificationTable.id.not_in(in_hand))
        .order_by(NotificationTable.urgency, NotificationTable.next_attempt_at, NotificationTable.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        return None
    # An attempt without an outcome is one whose sender died; what it did, nobody knows.
    session.execute(
        update(NotificationAttemptTable)
        .where(NotificationAttemptTable.notification_id == row.id, NotificationAttemptTable.outcome.is_(None))
        .values(outcome=AttemptOutcome.UNKNOWN.value, finished_at=now, detail="the sender ended before an answer came")
    )
    uncertain = session.execute(
        select(
            exists().where(
                NotificationAttemptTable.notification_id == row.id,
                NotificationAttemptTable.outcome == AttemptOutcome.UNKNOWN.value,
            )
        )
    ).scalar_one()
    row.attempts += 1
    row.claimed_by = owner
    row.claimed_until = until(row.channel)
    session.execute(
        insert(NotificationAttemptTable).values(notification_id=row.id, number=row.attempts, started_at=now)
    )
    return Claimed(notification_of(row), row.attempts, uncertain)


def still_wanted(session: Session, notification: Notification) -> bool:
    """Ask right before sending.

    A page is wanted only while its escalation goes on, a state message only where a page was tried, an assignment always.
    """
    if notification.kind is NotificationKind.PAGE:
        details = session.execute(
            select(IncidentTable.details).where(IncidentTable.id == notification.incident_id)
        ).scalar_one()
        incident = Incident.model_validate(details)
        return incident.pages and incident.start == notification.start
    if notification.kind is NotificationKind.ASSIGNED:
        return True
    tried = (
        select(NotificationAttemptTable.id)
        .join(NotificationTable, NotificationTable.id == NotificationAttemptTable.notification_id)
        .where(
            NotificationTable.incident_id == notification.incident_id,
            NotificationTable.kind == NotificationKind.PAGE.value,
            NotificationTable.target == notification.target,
            NotificationTable.channel == notification.channel,
            or_(
                NotificationAttemptTable.outcome.is_(None),
                NotificationAttemptTable.outcome != AttemptOutcome.SUPERSEDED.value,
            ),
        )
    )
    return session.execute(select(tried.exists())).scalar_one()


def finish(
    session: Session,
    claimed: Claimed,
    now: datetime,
    attempt: AttemptOutcome,
    detail: str,
    *,
    owner: str,
    outcome: NotificationOutcome | None,
    next_attempt_at: datetime | None = None,
) -> None:
    """Write down what came of an attempt: an `outcome`, or when to try again.

    Where the lease had ended and somebody else took over, only the attempt is noted, so that nothing is overwritten.
    """
    notification_id = claimed.notification.id
    session.execute(
        update(NotificationAttemptTable)
        .where(
            NotificationAttemptTable.notification_id == notification_id,
            NotificationAttemptTable.number == claimed.attempt,
        )
        .values(outcome=attempt.value, finished_at=now, detail=detail[:500])
    )
    values: dict[str, Any] = {"claimed_by": None, "claimed_until": None}
    if outcome is not None:
        values |= {"outcome": outcome.value, "finished_at": now}
    else:
        values["next_attempt_at"] = next_attempt_at or now
    session.execute(
        update(NotificationTable)
        .where(
            NotificationTable.id == notification_id,
            NotificationTable.claimed_by == owner,
            NotificationTable.attempts == claimed.attempt,
            # It may have been acknowledged before the channel said that it took it.
            NotificationTable.outcome.is_(None),
        )
        .values(**values)
    )


def postpone(session: Session, claimed: Claimed, until: datetime, *, owner: str) -> None:
    """Give a claimed message back untried, to be tried `until`; as if it had not been claimed."""
    session.execute(
        delete(NotificationAttemptTable).where(
            NotificationAttemptTable.notification_id == claimed.notification.id,
            NotificationAttemptTable.number == claimed.attempt,
        )
    )
    session.execute(
        update(NotificationTable)
        .where(
            NotificationTable.id == claimed.notification.id,
            NotificationTable.claimed_by == owner,
            NotificationTable.attempts == claimed.attempt,
        )
        .values(claimed_by=None, claimed_until=None, next_attempt_at=until, attempts=claimed.attempt - 1)
    )


def latest_attempts(
    session: Session, target: str, channels: Collection[str], *, since: datetime, limit: int, but: UUID
) -> list[datetime]:
    """When a target's latest messages on some channels began, `limit` of them at most, the latest first; all `but` one's."""
    return list(
        session.scalars(
            select(NotificationAttemptTable.started_at)
            .join(NotificationTable, NotificationTable.id == NotificationAttemptTable.notification_id)
            .where(
                NotificationTable.target == target,
                NotificationTable.channel.in_(channels),
                NotificationTable.id != but,
                NotificationAttemptTable.started_at > since,
                or_(
                    NotificationAttemptTable.outcome.is_(None),
                    NotificationAttemptTable.outcome != AttemptOutcome.SUPERSEDED.value,
                ),
            )
            .order_by(NotificationAttemptTable.started_at.desc())
            .limit(limit)
        )
    )


def send_again(session: Session, notification_id: UUID, now: datetime) -> bool:
    """Let a message that was given up be tried once more; False where there is none such."""
    found = session.execute(
        update(NotificationTable)
        .where(
            NotificationTable.id == notification_id,
            NotificationTable.outcome.in_([outcome.value for outcome in _GIVEN_UP]),
        )
        .values(outcome=None, finished_at=None, next_attempt_at=now)
        .returning(NotificationTable.id)
    ).scalar_one_or_none()
    return found is not None


def find(session: Session, notification_id: UUID) -> NotificationStatus | None:
    """One message and how far it is; None where there is none such."""
    found = session.execute(
        select(NotificationTable, _last_detail())
        .where(NotificationTable.id == notification_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return _status(*found) if found is not None else None


def notifications(session: Session, incident_id: UUID) -> list[NotificationStatus]:
    """Every message of an incident, in the order in which they were decided."""
    rows = session.execute(
        select(NotificationTable, _last_detail())
        .where(NotificationTable.incident_id == incident_id)
        .order_by(
            NotificationTable.created_at,
            NotificationTable.loop,
            NotificationTable.step,
            NotificationTable.target,
            NotificationTable.channel,
        )
    )
    return [_status(row, detail) for row, detail in rows]


_GIVEN_UP = (NotificationOutcome.DEAD, NotificationOutcome.REJECTED, NotificationOutcome.UNKNOWN)


def given_up(session: Session, limit: int = 200) -> list[NotificationStatus]:
    """Messages that were given up and can be sent again, the newest first."""
    rows = session.execute(
        select(NotificationTable, _last_detail())
        .where(NotificationTable.outcome.in_([outcome.value for outcome in _GIVEN_UP]))
        .order_by(NotificationTable.created_at.desc(), NotificationTable.id)
        .limit(limit)
    )
    return [_status(row, detail) for row, detail in rows]


def disable_channel(session: Session, channel: str, address_hash: str, now: datetime, reason: str) -> None:
    """Send nothing on a channel any more, until its address changes."""
    values = {"address_hash": address_hash, "disabled_at": now, "reason": reason}
    session.execute(
        upsert(session, DisabledChannelTable)
        .values(channel=channel, **values)
        .on_conflict_do_update(index_elements=[DisabledChannelTable.channel], set_=values)
    )


def why_disabled(session: Session, channel: str, address_hash: str) -> str | None:
    """Why a channel with this address is disabled; None where it is not."""
    return session.execute(
        select(DisabledChannelTable.reason).where(
            DisabledChannelTable.channel == channel, DisabledChannelTable.address_hash == address_hash
        )
    ).scalar_one_or_none()


def _claimable(now: datetime) -> tuple[Any, ...]:
    return (
        NotificationTable.outcome.is_(None),
        NotificationTable.next_attempt_at <= now,
        or_(NotificationTable.claimed_until.is_(None), NotificationTable.claimed_until <= now),
    )


def _last_detail() -> ScalarSelect[str | None]:
    return (
        select(NotificationAttemptTable.detail)
        .where(NotificationAttemptTable.notification_id == NotificationTable.id)
        .order_by(NotificationAttemptTable.number.desc())
        .limit(1)
        .scalar_subquery()
    )


def _status(row: NotificationTable, detail: str | None) -> NotificationStatus:
    return NotificationStatus(
        notification=notification_of(row),
        outcome=NotificationOutcome(row.outcome) if row.outcome else None,
        attempts=row.attempts,
        detail=detail,
        next_attempt_at=None if row.outcome else row.next_attempt_at,
        finished_at=row.finished_at,
    )


def notification_of(row: NotificationTable) -> Notification:
    return Notification.model_validate(
        {name: getattr(row, name) for name in Notification.model_fields}  # content is validated from its JSON
    )
