"""Legal hold: a sealed copy of an incident with its history, its messages and the mentions that it shows, until a date.

The copy is exempt from erasure, because evidence that can vanish is none; that is why it is for few eyes, has an end, and
every look at it stands in the audit log.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tocsin.storage.base import Base
from tocsin.storage.tables.incidents import IncidentEventTable, IncidentTable, NotificationTable
from tocsin.storage.tables.mentions import MentionBrandTable, MentionTable
from tocsin.storage.tables.privacy import LegalHoldTable

_LEFT_OUT = {"embedding", "tokens", "search_number"}
"""Columns that say nothing to a court."""


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A sealed copy, without its content."""

    id: uuid.UUID
    incident_id: uuid.UUID
    brand: str
    by: str
    reason: str
    sealed_at: datetime
    until: datetime
    sha256: str


def seal(
    session: Session, incident_id: uuid.UUID, *, by: str, reason: str, now: datetime, until: datetime
) -> LegalHold | None:
    """Seal a copy of an incident as it is now; None where there is no such incident."""
    incident = session.get(IncidentTable, incident_id)
    if incident is None:
        return None
    shown = list(dict.fromkeys(_identifiers(incident.details)))
    copy = {
        "incident": _plain(incident),
        "events": _all(session, IncidentEventTable, IncidentEventTable.incident_id, [incident_id]),
        "notifications": _all(session, NotificationTable, NotificationTable.incident_id, [incident_id]),
        "mentions": _all(session, MentionTable, MentionTable.id, shown),
        "labels": _all(session, MentionBrandTable, MentionBrandTable.mention_id, shown),
        "sealed_at": now.isoformat(),
        "sealed_by": by,
        "reason": reason,
    }
    # No time in the gzip header, so that the same copy always has the same hash.
    content = gzip.compress(json.dumps(copy, default=str, ensure_ascii=False, sort_keys=True).encode(), mtime=0)
    row = LegalHoldTable(
        id=uuid.uuid4(),
        incident_id=incident_id,
        brand=incident.brand,
        by=by,
        reason=reason,
        sealed_at=now,
        until=until,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )
    session.add(row)
    session.flush()
    return _hold(row)


def holds(session: Session, incident_id: uuid.UUID) -> list[LegalHold]:
    """The sealed copies of an incident, the oldest first."""
    rows = session.scalars(
        select(LegalHoldTable).where(LegalHoldTable.incident_id == incident_id).order_by(LegalHoldTable.sealed_at)
    )
    return [_hold(row) for row in rows]


def content(session: Session, hold_id: uuid.UUID) -> tuple[LegalHold, bytes] | None:
    """A sealed copy with its bytes; None where there is none."""
    row = session.get(LegalHoldTable, hold_id)
    return None if row is None else (_hold(row), row.content)


def forget_ended(session: Session, now: datetime) -> int:
    """Delete the copies whose date has come; returns how many."""
    gone = session.execute(delete(LegalHoldTable).where(LegalHoldTable.until <= now).returning(LegalHoldTable.id))
    return len(gone.all())


def _all(session: Session, table: type[Base], key: Any, values: Sequence[uuid.UUID]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start in range(0, len(values), 500):
        rows = session.scalars(select(table).where(key.in_(values[start : start + 500])))
        found += [_plain(row) for row in rows]
    return found


def _plain(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in _LEFT_OUT}


def _identifiers(value: Any) -> Iterator[uuid.UUID]:
    match value:
        case dict():
            for item in value.values():
                yield from _identifiers(item)
        case list():
            for item in value:
                yield from _identifiers(item)
        case str() if len(value) == 36:
            try:
                yield uuid.UUID(value)
            except ValueError:
                return


def _hold(row: LegalHoldTable) -> LegalHold:
    return LegalHold(row.id, row.incident_id, row.brand, row.by, row.reason, row.sealed_at, row.until, row.sha256)
