"""Brands: which are due to be judged, and what was found last."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Level
from tocsin.storage.base import upsert
from tocsin.storage.tables.flow import BrandStateTable


@dataclass(frozen=True, slots=True)
class BrandStatus:
    """What is known of a brand since its last evaluation. `state` is detection's own; `score` is 0–100."""

    brand: str
    due_at: datetime
    level: Level
    score: float
    evaluated_at: datetime | None
    complete_up_to: datetime | None
    reasons: dict[str, Any]
    evidence: dict[str, Any]
    state: dict[str, Any] | None


def ensure(session: Session, brands: Iterable[str], *, due_at: datetime) -> None:
    """Make sure that each brand has its row; those that have one are left as they are."""
    for brand in sorted(set(brands)):
        statement = upsert(session, BrandStateTable).values(
            brand=brand, due_at=due_at, level=Level.GREEN, score=0.0, reasons={}, evidence={}
        )
        session.execute(statement.on_conflict_do_nothing())


def claim_due(session: Session, owner: str, *, now: datetime, length: timedelta, limit: int = 10) -> list[str]:
    """Take up to `limit` brands that are due and that nobody is at, the longest due first; they are ours for `length`.

    The claim only keeps others from doing the same work: `lock` is what makes it right.
    """
    due = (
        select(BrandStateTable.brand)
        .where(
            BrandStateTable.due_at <= now,
            or_(BrandStateTable.claimed_until.is_(None), BrandStateTable.claimed_until <= now),
        )
        .order_by(BrandStateTable.due_at, BrandStateTable.brand)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")  # PostgreSQL may run a plain subquery more than once, and then claims more than the limit
    )
    claimed = session.execute(
        update(BrandStateTable)
        .where(BrandStateTable.brand.in_(select(due.c.brand)))
        .values(claimed_by=owner, claimed_until=now + length)
        .returning(BrandStateTable.brand)
        .execution_options(synchronize_session=False)
    )
    return sorted(claimed.scalars())


def lock(session: Session, brand: str, *, now: datetime) -> BrandStatus:
    """The brand's status, locked until the transaction ends; a brand without a row gets one that is due now."""
    locked = (
        select(BrandStateTable)
        .where(BrandStateTable.brand == brand)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = session.execute(locked).scalar_one_or_none()
    if row is None:
        ensure(session, [brand], due_at=now)
        row = session.execute(locked).scalar_one()
    return _status(row)


def save(
    session: Session,
    brand: str,
    *,
    due_at: datetime,
    state: dict[str, Any],
    level: Level,
    score: float,
    evaluated_at: datetime,
    complete_up_to: datetime | None,
    reasons: dict[str, Any],
    evidence: dict[str, Any],
) -> None:
    """Write down a judgement, when the next is due, and let go of the claim. The brand must be locked."""
    session.execute(
        update(BrandStateTable)
        .where(BrandStateTable.brand == brand)
        .values(
            due_at=due_at,
            claimed_by=None,
            claimed_until=None,
            state=state,
            level=level,
            score=score,
            evaluated_at=evaluated_at,
            complete_up_to=complete_up_to,
            reasons=reasons,
            evidence=evidence,
        )
        .execution_options(synchronize_session=False)
    )


def raise_level(
    session: Session,
    brand: str,
    *,
    state: dict[str, Any],
    level: Level,
    reasons: dict[str, Any],
    evidence: dict[str, Any],
) -> None:
    """Write down what happened between two evaluations; when it is due, and whose, stays as it is. The brand must be locked."""
    session.execute(
        update(BrandStateTable)
        .where(BrandStateTable.brand == brand)
        .values(state=state, level=level, reasons=reasons, evidence=evidence)
        .execution_options(synchronize_session=False)
    )


def postpone(session: Session, brand: str, owner: str, *, due_at: datetime) -> None:
    """Let go of a claim without a judgement, and look again at `due_at`."""
    session.execute(
        update(BrandStateTable)
        .where(BrandStateTable.brand == brand, BrandStateTable.claimed_by == owner)
        .values(due_at=due_at, claimed_by=None, claimed_until=None)
        .execution_options(synchronize_session=False)
    )


def hurry(session: Session, brands: Collection[str], *, due_at: datetime) -> None:
    """Have brands judged at `due_at` if they would be later."""
    session.execute(
        update(BrandStateTable)
        .where(BrandStateTable.brand.in_(sorted(brands)), BrandStateTable.due_at > due_at)
        .values(due_at=due_at)
        .execution_options(synchronize_session=False)
    )


def board(session: Session, brands: Collection[str] | None = None) -> list[BrandStatus]:
    """The status of every brand (or of these), by id."""
    query = select(BrandStateTable).order_by(BrandStateTable.brand)
    if brands is not None:
        query = query.where(BrandStateTable.brand.in_(brands))
    return [_status(row) for row in session.scalars(query)]


def levels(session: Session) -> dict[str, tuple[Level, float, datetime | None]]:
    """Level, score and latest evaluation instant of every brand, without the evidence, which is long."""
    rows = session.execute(
        select(BrandStateTable.brand, BrandStateTable.level, BrandStateTable.score, BrandStateTable.evaluated_at)
    )
    return {row.brand: (Level(row.level), row.score, row.evaluated_at) for row in rows}


def _status(row: BrandStateTable) -> BrandStatus:
    return BrandStatus(
        brand=row.brand,
        due_at=row.due_at,
        level=Level(row.level),
        score=row.score,
        evaluated_at=row.evaluated_at,
        complete_up_to=row.complete_up_to,
        reasons=row.reasons,
        evidence=row.evidence,
        state=row.state,
    )
