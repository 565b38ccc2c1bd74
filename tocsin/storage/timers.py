"""Timers that are due. A timer's row is never locked itself, only its incident's, so that commands and timers cannot deadlock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Incident, TimerKind
from tocsin.storage.tables.incidents import IncidentTable, TimerTable


def oldest(session: Session) -> datetime | None:
    """When the earliest timer is or was due; None where there is none."""
    return session.execute(select(func.min(TimerTable.next_at))).scalar_one()


def lock_due(session: Session, now: datetime, limit: int) -> list[tuple[Incident, TimerKind]]:
    """Incidents with a timer that is due, the most overdue first, locked; those that somebody else has locked are left out.

    One that was changed at the same moment may come without being due any more; the decision then changes nothing.
    """
    rows = session.execute(
        select(IncidentTable.details, TimerTable.kind)
        .join(TimerTable, TimerTable.incident_id == IncidentTable.id)
        .where(TimerTable.next_at <= now)
        .order_by(TimerTable.next_at)
        .limit(limit)
        .with_for_update(of=IncidentTable, skip_locked=True)
    )
    return [(Incident.model_validate(details), TimerKind(kind)) for details, kind in rows]
