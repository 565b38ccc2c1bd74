"""The past as it came: what the database holds of a brand, mention by mention, in the order in which it was received.

For commands that look back. Rows are streamed, so memory does not grow with the past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, cast, func, or_, select, text
from sqlalchemy.orm import Session

from tocsin.contracts.incidents import Level
from tocsin.storage.counts import OPENING, kinds_from
from tocsin.storage.tables.flow import TickProgressTable
from tocsin.storage.tables.incidents import IncidentBrandTable, IncidentEventTable, IncidentTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable

_AT_ONCE = 1000


class PastRow(NamedTuple):
    """One mention of one brand as it stands now, with when it first came. Scores are 0–1, null without labels."""

    mention_id: str
    at: datetime
    received_at: datetime
    wakes: bool
    """False for what was late, imported or replayed."""
    author_key: str | None
    author_id: str | None
    author_name: str | None
    """Where it is kept in the open."""
    sentiment: str | None
    risk: float | None
    risk_kinds: tuple[str, ...]
    toxicity: float | None
    relevance: float
    language: str | None
    followers: int | None
    role: str
    source: str
    source_kind: str
    outlet: str | None
    text: str
    """Its first `OPENING` characters; of a hidden mention, the crisis words that were in them."""
    copy_key: str
    embedding: bytes | None
    repost: bool
    engagement: int


class PastIncident(NamedTuple):
    """An incident that was really opened; drills are none."""

    id: UUID
    brand: str
    opened_at: datetime
    level: Level
    """The highest that it reached."""


def brands_with_mentions(session: Session) -> list[str]:
    """The brands of which the database holds mentions that count."""
    found = session.scalars(select(MentionBrandTable.brand).where(MentionBrandTable.in_counts).distinct())
    return sorted(found)


def known_until(session: Session) -> datetime | None:
    """Up to when the past is known: the last receipt of all, or further where ticks say so; None where it is empty."""
    last = session.scalar(select(func.max(MentionTable.first_received_at)))
    ticked = session.scalar(select(func.min(TickProgressTable.at)))
    return max((at for at in (last, ticked) if at is not None), default=None)


def last_published(session: Session) -> datetime | None:
    """The latest time of publication of what counts; None where there is nothing."""
    newest = select(func.max(MentionBrandTable.published_at)).where(MentionBrandTable.in_counts)
    return session.scalar(newest)


def received(session: Session, brand: str, *, since: datetime | None = None) -> Iterator[PastRow]:
    """The mentions of a brand that are in its counts, own posts too, in the order in which they came.

    With `since`, those published from then on. A few at a time are held; the transaction stays open until the last was taken.
    """
    came = func.coalesce(MentionTable.first_received_at, MentionBrandTable.published_at)
    statement = _rows(brand, since).order_by(came, MentionBrandTable.published_at, MentionBrandTable.mention_id)
    return _streamed(session, statement)


def published(session: Session, brand: str, *, since: datetime | None = None) -> Iterator[PastRow]:
    """As `received`, in the order in which they were published."""
    statement = _rows(brand, since)
    return _streamed(session, statement.order_by(MentionBrandTable.published_at, MentionBrandTable.mention_id))


def opened_incidents(session: Session, brands: Sequence[str]) -> list[PastIncident]:
    """What was really opened about these brands, by time; drills are left out."""
    rows = session.execute(
        select(IncidentTable.id, IncidentBrandTable.brand, IncidentTable.opened_at, IncidentTable.level)
        .join(IncidentBrandTable, IncidentBrandTable.incident_id == IncidentTable.id)
        .where(IncidentBrandTable.brand.in_(brands), IncidentTable.exercise.is_(False))
        .order_by(IncidentTable.opened_at, IncidentTable.id)
    ).all()
    highest: dict[UUID, Level] = {}
    events = select(IncidentEventTable.incident_id, IncidentEventTable.level).where(
        IncidentEventTable.incident_id.in_(select(IncidentTable.id).where(IncidentTable.exercise.is_(False)))
    )
    for incident, level in session.execute(events.distinct()):
        highest[incident] = max(highest.get(incident, Level.GREEN), Level(level))
    return [
        PastIncident(row.id, row.brand, row.opened_at, max(Level(row.level), highest.get(row.id, Level.GREEN)))
        for row in rows
    ]


def _rows(brand: str, since: datetime | None) -> Any:
    link, mention = MentionBrandTable, MentionTable
    conditions = [link.brand == brand, link.in_counts]
    if since is not None:
        conditions.append(link.published_at >= since)
    return (
        select(
            link.mention_id,
            link.published_at,
            func.coalesce(mention.first_received_at, link.published_at),
            mention.wakes,
            mention.author_key,
            mention.author_id,
            mention.author_name,
            link.sentiment,
            link.risk,
            cast(link.risk_kinds, Text),
            link.toxicity,
            link.relevance,
            mention.language,
            mention.author_followers,
            mention.author_role,
            mention.source,
            mention.source_kind,
            mention.outlet,
            func.substr(func.coalesce(mention.text, mention.crisis_words), 1, OPENING),
            mention.copy_key,
            link.embedding,
            or_(mention.repost_of.is_not(None), func.lower(func.substr(mention.text, 1, 4)).like("rt @")),
            func.coalesce(mention.likes, 0) + func.coalesce(mention.reposts, 0) + func.coalesce(mention.replies, 0),
        )
        .join(mention, LABELS_OF_MENTION)
        .where(*conditions)
    )


def _streamed(session: Session, statement: Any) -> Iterator[PastRow]:
    if session.get_bind().dialect.name == "postgresql":
        # Whoever judges between two fetches may take longer than a process that died may hold its locks; this one holds none.
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    rows = session.execute(statement, execution_options={"yield_per": _AT_ONCE})
    for row in rows:
        yield PastRow._make((str(row[0]), *row[1:9], kinds_from(row[9]), *row[10:]))
