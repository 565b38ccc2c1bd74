"""Incidents as a record: those of a span of time, and who opened each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState
from tocsin.storage.tables.incidents import IncidentEventTable, IncidentTable


def opened_between(session: Session, brand: str, since: datetime, until: datetime) -> list[tuple[Incident, str]]:
    """A brand's incidents that were opened from `since` (included) to `until`, the oldest first, each with who opened it."""
    rows = session.execute(
        select(IncidentTable.details, IncidentEventTable.actor)
        .join(
            IncidentEventTable,
            and_(
                IncidentEventTable.incident_id == IncidentTable.id,
                IncidentEventTable.type == IncidentEventType.OPENED.value,
            ),
        )
        .where(IncidentTable.brand == brand, IncidentTable.opened_at >= since, IncidentTable.opened_at < until)
        .order_by(IncidentTable.opened_at, IncidentTable.id, IncidentEventTable.sequence)
    )
    found: dict[UUID, tuple[Incident, str]] = {}
    for details, actor in rows:
        incident = Incident.model_validate(details)
        found.setdefault(incident.id, (incident, actor))
    return list(found.values())


def active_between(session: Session, brand: str, since: datetime, until: datetime) -> list[Incident]:
    """A brand's incidents that were open at some time from `since` to `until`, the oldest first; no exercises."""
    still_open = [state.value for state in IncidentState if state.open]
    rows = session.scalars(
        select(IncidentTable.details)
        .where(
            IncidentTable.brand == brand,
            IncidentTable.opened_at < until,
            ~IncidentTable.exercise,
            or_(IncidentTable.state.in_(still_open), IncidentTable.resolved_at >= since),
        )
        .order_by(IncidentTable.opened_at, IncidentTable.id)
    )
    return [Incident.model_validate(details) for details in rows]
