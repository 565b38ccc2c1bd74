"""Exercises: which are under way, and when each person last answered one. Read from the incidents and their events themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState
from tocsin.storage.tables.incidents import IncidentEventTable, IncidentTable

_OPEN = [state.value for state in IncidentState if state.open]


@dataclass(frozen=True, slots=True)
class AnsweredDrill:
    """The last exercise that somebody acknowledged."""

    at: datetime
    opened_at: datetime
    incident_id: UUID


def open_exercises(session: Session) -> list[Incident]:
    """Exercises that have not ended."""
    rows = session.scalars(select(IncidentTable.details).where(IncidentTable.exercise, IncidentTable.state.in_(_OPEN)))
    return [Incident.model_validate(details) for details in rows]


def last_answered(session: Session) -> dict[str, AnsweredDrill]:
    """The last exercise that each person (`person:…`) acknowledged."""
    rows = session.execute(
        select(IncidentEventTable.actor, IncidentEventTable.at, IncidentTable.opened_at, IncidentEventTable.incident_id)
        .join(IncidentTable, IncidentTable.id == IncidentEventTable.incident_id)
        .where(
            IncidentTable.exercise,
            IncidentEventTable.type == IncidentEventType.ACKNOWLEDGED.value,
            IncidentEventTable.actor.startswith("person:"),
        )
        .order_by(IncidentEventTable.at)
    )
    return {row.actor: AnsweredDrill(row.at, row.opened_at, row.incident_id) for row in rows}
