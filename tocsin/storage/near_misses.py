"""What almost rang: the most suspicious moment of each hour in which nothing did, and why it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Level
from tocsin.storage.base import upsert
from tocsin.storage.tables.room import NearMissTable


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A moment that looked bad and woke nobody. `why_not`: `buzz`, `campaign`, `planned`, `unconfirmed` or `below`."""

    brand: str
    at: datetime
    level: Level
    score: float
    reasons: Mapping[str, str]
    why_not: str


def note(session: Session, miss: NearMiss) -> None:
    """Keep it, where it is the worst of its hour so far."""
    values = {
        "at": miss.at,
        "level": miss.level.value,
        "score": miss.score,
        "reasons": dict(miss.reasons),
        "why_not": miss.why_not,
    }
    hour = miss.at.replace(minute=0, second=0, microsecond=0)
    session.execute(
        upsert(session, NearMissTable)
        .values(brand=miss.brand, hour=hour, **values)
        .on_conflict_do_update(
            index_elements=[NearMissTable.brand, NearMissTable.hour],
            set_=values,
            where=NearMissTable.score < miss.score,
        )
    )


def worst(session: Session, brand: str, since: datetime, until: datetime, limit: int) -> list[NearMiss]:
    """The most suspicious moments from `since` to `until`, the worst first."""
    rows = session.scalars(
        select(NearMissTable)
        .where(NearMissTable.brand == brand, NearMissTable.at >= since, NearMissTable.at < until)
        .order_by(NearMissTable.score.desc(), NearMissTable.at)
        .limit(limit)
    )
    return [NearMiss(row.brand, row.at, Level(row.level), row.score, row.reasons, row.why_not) for row in rows]


def forget_before(session: Session, before: datetime) -> None:
    """Forget what no digest tells any more."""
    session.execute(delete(NearMissTable).where(NearMissTable.at < before).execution_options(synchronize_session=False))
