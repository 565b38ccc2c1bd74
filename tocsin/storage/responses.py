"""How fast people were: figures of incidents. docs/figures.md defines each."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.contracts.alert_quality import counts_for_quality
from tocsin.contracts.events import AuthorRole
from tocsin.contracts.incidents import Incident, IncidentEventType, Verdict
from tocsin.contracts.room import Room
from tocsin.storage import answers
from tocsin.storage.tables.incidents import IncidentEventTable, IncidentTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable
from tocsin.storage.tables.room import RoomTable


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """Seconds of one incident; None where it did not happen (yet), or is not known."""

    incident_id: uuid.UUID
    brand: str
    opened_at: datetime
    verdict: Verdict | None
    opened_by: str
    """The actor; a person or key where the bell had not rung."""
    notice: float | None
    """From the first mention of its main story to its opening."""
    acknowledge: float | None
    """From its opening to the first acknowledgement."""
    first_answer: float | None
    """From its opening to the first post of an account of the brand's own, or the first prepared answer that was used."""
    first_statement: float | None
    """From its opening to the first statement that went out."""


def response_times(session: Session, brands: Collection[str], since: datetime, until: datetime) -> list[ResponseTimes]:
    """For each incident of these brands that opened from `since` (included) to `until`, the oldest first.

    Exercises are left out, and so is what went on as part of another incident.
    """
    rows = session.execute(
        select(IncidentTable.id, IncidentTable.brand, IncidentTable.opened_at, IncidentTable.details)
        .where(
            IncidentTable.brand.in_(sorted(brands)),
            IncidentTable.opened_at >= since,
            IncidentTable.opened_at < until,
            ~IncidentTable.exercise,
        )
        .order_by(IncidentTable.opened_at, IncidentTable.id)
    ).all()
    incidents = (Incident.model_validate(row.details) for row in rows)
    return [_times(session, incident) for incident in incidents if counts_for_quality(incident)]


def _times(session: Session, incident: Incident) -> ResponseTimes:
    opener, acknowledged = _events(session, incident.id)
    return ResponseTimes(
        incident_id=incident.id,
        brand=incident.brand,
        opened_at=incident.opened_at,
        verdict=incident.verdict,
        opened_by=opener,
        notice=_seconds(_beginning(incident), incident.opened_at),
        acknowledge=_seconds(incident.opened_at, acknowledged),
        first_answer=_seconds(incident.opened_at, _first_answer(session, incident)),
        first_statement=_seconds(incident.opened_at, _first_statement(session, incident.id)),
    )


def _events(session: Session, incident_id: uuid.UUID) -> tuple[str, datetime | None]:
    rows = session.execute(
        select(IncidentEventTable.type, IncidentEventTable.at, IncidentEventTable.actor)
        .where(
            IncidentEventTable.incident_id == incident_id,
            IncidentEventTable.type.in_((IncidentEventType.OPENED, IncidentEventType.ACKNOWLEDGED)),
        )
        .order_by(IncidentEventTable.sequence)
    ).all()
    opener = next((row.actor for row in rows if row.type == IncidentEventType.OPENED), "")
    return opener, next((row.at for row in rows if row.type == IncidentEventType.ACKNOWLEDGED), None)


def _beginning(incident: Incident) -> datetime | None:
    """When its main story's first mention was published, as the evidence says it."""
    stories = incident.evidence.get("stories") or []
    first = stories[0].get("first_at") if stories and isinstance(stories[0], dict) else None
    try:
        return datetime.fromisoformat(first) if isinstance(first, str) else None
    except ValueError:
        return None


def _first_answer(session: Session, incident: Incident) -> datetime | None:
    """The first post of an own account that a source delivered, or the first prepared answer that a person says they used."""
    posted = _first_own_post(session, incident)
    used = answers.first_answer(session, incident.brand, incident.opened_at, incident.resolved_at)
    return min((at for at in (posted, used) if at is not None), default=None)


def _first_own_post(session: Session, incident: Incident) -> datetime | None:
    until = incident.resolved_at
    chosen = (
        select(func.min(MentionBrandTable.published_at))
        .join(MentionTable, LABELS_OF_MENTION)
        .where(
            MentionBrandTable.brand == incident.brand,
            MentionBrandTable.published_at >= incident.opened_at,
            MentionBrandTable.in_counts,
            MentionTable.author_role == AuthorRole.OWN,
        )
    )
    if until is not None:
        chosen = chosen.where(MentionBrandTable.published_at <= until)
    found: datetime | None = session.execute(chosen).scalar_one_or_none()
    return found


def _first_statement(session: Session, incident_id: uuid.UUID) -> datetime | None:
    details = session.execute(
        select(RoomTable.details).where(RoomTable.incident_id == incident_id)
    ).scalar_one_or_none()
    statements = Room.model_validate(details).statements if details else ()
    return min((item.published_at for item in statements if item.published_at is not None), default=None)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else max(0.0, (until - since).total_seconds())
