"""Cards on boards of other services: what each should say, what was sent last, and who is just sending it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.room import CardTable


class CardOutcome(StrEnum):
    """How a card stands; None while there is something to send."""

    DONE = "done"
    """It is there and says what it should."""
    GONE = "gone"
    """A person has deleted it there."""
    REJECTED = "rejected"
    """The service refuses it; the next change of the step tries again."""


@dataclass(frozen=True, slots=True)
class ClaimedCard:
    """A card that this keeper alone may send until its lease ends. `attempt` counts from 1 since it was last in step."""

    incident_id: UUID
    step: int
    board: str
    wanted: dict[str, Any]
    sent: dict[str, Any] | None
    external_id: str | None
    attempt: int
    look: bool
    """An earlier attempt may have created it: look for it first."""


def want(session: Session, incident_id: UUID, step: int, board: str, *, wanted: dict[str, Any], now: datetime) -> None:
    """What a card should say from now on; the same again changes nothing, and what a person deleted stays deleted."""
    session.execute(
        upsert(session, CardTable)
        .values(
            incident_id=incident_id,
            step=step,
            board=board,
            wanted=wanted,
            created_at=now,
            next_attempt_at=now,
            attempts=0,
            uncertain=False,
        )
        .on_conflict_do_nothing()
    )
    row = _locked(session, incident_id, step, board)
    if row.wanted != wanted:
        row.wanted = wanted
        if row.outcome != CardOutcome.GONE:
            row.outcome, row.attempts, row.next_attempt_at = None, 0, now
    session.flush()


def any_due(session: Session, now: datetime) -> bool:
    """True where a card waits that may be sent now."""
    return bool(session.execute(select(exists().where(*_claimable(now)))).scalar_one())


def claim(session: Session, now: datetime, *, owner: str, until: datetime) -> ClaimedCard | None:
    """Claim the card that has waited longest, until `until`, and write down that an attempt begins."""
    row = session.execute(
        select(CardTable)
        .where(*_claimable(now))
        .order_by(CardTable.next_attempt_at, CardTable.incident_id, CardTable.step, CardTable.board)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        return None
    look = row.uncertain
    row.attempts += 1
    row.claimed_by, row.claimed_until = owner, until
    # Until the answer is written down, nobody knows whether this attempt created it.
    row.uncertain = row.external_id is None
    session.flush()
    return ClaimedCard(
        incident_id=row.incident_id,
        step=row.step,
        board=row.board,
        wanted=row.wanted,
        sent=row.sent,
        external_id=row.external_id,
        attempt=row.attempts,
        look=look,
    )


def done(session: Session, claimed: ClaimedCard, external_id: str, now: datetime, *, owner: str) -> None:
    """It was sent. Where the step has changed meanwhile, there is something to send again at once."""
    row = _locked(session, claimed.incident_id, claimed.step, claimed.board)
    row.external_id = row.external_id or external_id
    row.uncertain = False
    if row.claimed_by != owner:
        return
    row.sent = claimed.wanted
    row.claimed_by = row.claimed_until = row.detail = None
    row.attempts = 0
    if row.sent == row.wanted:
        row.outcome = CardOutcome.DONE.value
    else:
        row.next_attempt_at = now


def later(session: Session, claimed: ClaimedCard, at: datetime, detail: str, *, owner: str, uncertain: bool) -> None:
    """It was not done, or nobody knows; try again at `at`."""
    row = _locked(session, claimed.incident_id, claimed.step, claimed.board)
    if row.claimed_by != owner:
        return
    row.claimed_by = row.claimed_until = None
    row.next_attempt_at, row.detail = at, detail[:500]
    row.uncertain = uncertain and row.external_id is None


def give_up(session: Session, claimed: ClaimedCard, outcome: CardOutcome, detail: str, *, owner: str) -> None:
    """It will not be done."""
    row = _locked(session, claimed.incident_id, claimed.step, claimed.board)
    if row.claimed_by != owner:
        return
    row.claimed_by = row.claimed_until = None
    row.outcome, row.detail, row.uncertain = outcome.value, detail[:500], False


def postpone_board(session: Session, board: str, until: datetime) -> None:
    """The service asked to wait: none of the board's cards is tried before."""
    session.execute(
        update(CardTable)
        .where(CardTable.board == board, CardTable.outcome.is_(None), CardTable.next_attempt_at < until)
        .values(next_attempt_at=until)
        .execution_options(synchronize_session=False)
    )


def of_incident(session: Session, incident_id: UUID) -> list[CardTable]:
    """The cards of an incident's steps, in the order of steps and boards."""
    return list(
        session.scalars(
            select(CardTable).where(CardTable.incident_id == incident_id).order_by(CardTable.step, CardTable.board)
        )
    )


def _locked(session: Session, incident_id: UUID, step: int, board: str) -> CardTable:
    return session.execute(
        select(CardTable)
        .where(CardTable.incident_id == incident_id, CardTable.step == step, CardTable.board == board)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _claimable(now: datetime) -> tuple[Any, ...]:
    return (
        CardTable.outcome.is_(None),
        CardTable.next_attempt_at <= now,
        or_(CardTable.claimed_until.is_(None), CardTable.claimed_until <= now),
    )
