"""Silences of whole brands: begun and ended by people, kept for good, looked at by whoever opens an incident.

Whoever begins or ends one locks the brand (`tocsin.storage.brands.lock`), as the evaluator does, so that no incident opens
beside it unseen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Level, Silence
from tocsin.storage.tables.incidents import SilenceTable


@dataclass(frozen=True, slots=True)
class BrandSilence:
    """A silence of a brand; incidents up to `level` call nobody until `until`, unless it was ended before."""

    id: UUID
    brand: str
    level: Level
    until: datetime
    reason: str
    begun_by: str
    begun_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None

    def of_incident(self) -> Silence:
        """What an incident that begins meanwhile keeps of it."""
        return Silence(until=self.until, level=self.level, by=self.begun_by, at=self.begun_at, brand_silence=self.id)


def begin(session: Session, silence: BrandSilence) -> None:
    """Write down a new silence."""
    session.execute(
        insert(SilenceTable).values(
            id=silence.id,
            brand=silence.brand,
            level=silence.level.value,
            until=silence.until,
            reason=silence.reason,
            begun_by=silence.begun_by,
            begun_at=silence.begun_at,
        )
    )


def end(session: Session, silence_id: UUID, *, by: str, at: datetime) -> BrandSilence | None:
    """End a silence that is still in force; None where there is none such."""
    row = session.execute(
        update(SilenceTable)
        .where(SilenceTable.id == silence_id, SilenceTable.ended_at.is_(None), SilenceTable.until > at)
        .values(ended_by=by, ended_at=at)
        .returning(SilenceTable)
    ).scalar_one_or_none()
    return _silence(row) if row is not None else None


def find(session: Session, silence_id: UUID) -> BrandSilence | None:
    """A silence by its id."""
    row = session.get(SilenceTable, silence_id)
    return _silence(row) if row is not None else None


def in_force(session: Session, brand: str, now: datetime) -> BrandSilence | None:
    """The silence of a brand that reaches furthest up, then longest; None where there is none now."""
    found = [silence for silence in listed(session, brands=[brand], now=now) if silence.brand == brand]
    return max(found, key=lambda silence: (silence.level.rank, silence.until), default=None)


def listed(
    session: Session, *, brands: Collection[str] | None = None, now: datetime | None = None, limit: int = 200
) -> list[BrandSilence]:
    """Silences, the newest first: of these brands (None: of all), in force at `now` (None: also those that are over)."""
    query = select(SilenceTable).order_by(SilenceTable.begun_at.desc(), SilenceTable.id).limit(limit)
    if brands is not None:
        query = query.where(SilenceTable.brand.in_(brands))
    if now is not None:
        query = query.where(SilenceTable.ended_at.is_(None), SilenceTable.until > now)
    return [_silence(row) for row in session.scalars(query)]


def _silence(row: SilenceTable) -> BrandSilence:
    return BrandSilence(
        id=row.id,
        brand=row.brand,
        level=Level(row.level),
        until=row.until,
        reason=row.reason,
        begun_by=row.begun_by,
        begun_at=row.begun_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
    )
