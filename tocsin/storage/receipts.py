"""What becomes of a message after its channel took it, and what a message that did not arrive sets going."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.decisions import Notification
from tocsin.storage.notifications import AttemptOutcome, notification_of
from tocsin.storage.tables.incidents import NotificationAttemptTable, NotificationTable

_FARTHER = {"accepted": 0, "delivered": 1, "answered": 2, "acknowledged": 3}
"""How far a message has come."""


def note_receipt(session: Session, notification_id: UUID, receipt: AttemptOutcome, detail: str, now: datetime) -> None:
    """Note what became of a message after its channel took it: delivered, answered, acknowledged, or rejected after all.

    News only ever goes forward: what was answered is not merely delivered because the carrier says so later. A message that
    did not arrive lets the next link of its receiver's chain ring at once.
    """
    row = session.execute(
        select(NotificationTable).where(NotificationTable.id == notification_id).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        return
    known = _FARTHER.get(row.outcome or "", -1 if receipt is not AttemptOutcome.ACKNOWLEDGED else 0)
    if receipt is AttemptOutcome.REJECTED:
        if row.outcome != AttemptOutcome.ACCEPTED.value:
            return
        bring_forward(session, notification_of(row), now)
    elif not 0 <= known < _FARTHER[receipt.value]:
        return
    row.outcome, row.finished_at = receipt.value, now
    session.execute(
        update(NotificationAttemptTable)
        .where(
            NotificationAttemptTable.notification_id == notification_id,
            NotificationAttemptTable.number == row.attempts,
        )
        .values(outcome=receipt.value, detail=detail[:500], finished_at=now)
    )


def bring_forward(session: Session, failed: Notification, now: datetime) -> None:
    """Let the next link of a person's chain be rung now, because this one did not get through."""
    following = (
        NotificationTable.incident_id == failed.incident_id,
        NotificationTable.start == failed.start,
        NotificationTable.step == failed.step,
        NotificationTable.loop == failed.loop,
        NotificationTable.target == failed.target,
        NotificationTable.kind == failed.kind.value,
    )
    next_round = (
        select(func.min(NotificationTable.round)).where(*following, NotificationTable.round > failed.round)
    ).scalar_subquery()
    session.execute(
        update(NotificationTable)
        .where(
            *following,
            NotificationTable.round == next_round,
            NotificationTable.outcome.is_(None),
            NotificationTable.attempts == 0,
            NotificationTable.next_attempt_at > now,
        )
        .values(next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )
