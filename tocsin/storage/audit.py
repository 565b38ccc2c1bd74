"""The audit log: each command, in the transaction of the command, so that neither is there without the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import IncidentEvent
from tocsin.storage.tables.access import AuditTable

_WITHOUT_WORDS = {
    "role", "roles", "holding", "giver", "taker", "owner", "playbook", "language", "approved_by",
    "person", "verdict", "until", "from", "to", "into", "incident", "split_from",
}  # fmt: skip
"""Of what events say, that which is an id, a level, an instant or the like."""

COMMAND_LINE = "command line"
"""The actor of what is done on the machine itself, where no principal was recognised."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and when (UTC); `id` grows in the order of writing."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    brand: str | None
    details: Mapping[str, Any]


def record(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    target: str,
    brand: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down a command. `action` is `noun.verb` such as `key.created`; `details` hold no secret and nobody's words."""
    session.add(AuditTable(at=at, actor=actor, action=action, target=target, brand=brand, details=dict(details or {})))


def record_events(session: Session, events: Iterable[IncidentEvent]) -> None:
    """Write down what was done to incidents, without anybody's words; the incident's own record has those."""
    for event in events:
        record(
            session,
            at=event.at,
            actor=event.actor,
            action=event.type.value,
            target=str(event.incident_id),
            brand=event.brand,
            details={
                name: value for name, value in event.data.items() if isinstance(value, int) or name in _WITHOUT_WORDS
            },
        )


def by_somebody(actor: str) -> bool:
    """True for people and keys (`person:lea`, `key:…`, `slack:…`), false for Tocsin's own parts (`timer`, `evaluator`)."""
    return ":" in actor


def entries(
    session: Session,
    *,
    brands: Collection[str] | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[AuditEntry]:
    """Entries, the newest first; `brands` limits to those and to what concerns no single brand, `before` is an id."""
    wanted = select(AuditTable)
    if brands is not None:
        wanted = wanted.where(or_(AuditTable.brand.in_(brands), AuditTable.brand.is_(None)))
    if actor is not None:
        wanted = wanted.where(AuditTable.actor == actor)
    if action is not None:
        wanted = wanted.where(AuditTable.action == action)
    if since is not None:
        wanted = wanted.where(AuditTable.at >= since)
    if until is not None:
        wanted = wanted.where(AuditTable.at < until)
    if before is not None:
        wanted = wanted.where(AuditTable.id < before)
    rows = session.scalars(wanted.order_by(AuditTable.id.desc()).limit(limit))
    return [AuditEntry(r.id, r.at, r.actor, r.action, r.target, r.brand, r.details) for r in rows]
