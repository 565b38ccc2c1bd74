"""What moves the work on: brands that are due, ticks, leases, and the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Counter, Json, Word


class BrandStateTable(Base):
    """A brand: when it is due to be judged, who is at it, and what was found last."""

    __tablename__ = "brand_states"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    due_at: Mapped[datetime]
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None]
    state: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Detection's own memory, opaque to storage; null until the first evaluation."""
    level: Mapped[str] = mapped_column(Word, default="green")
    score: Mapped[float] = mapped_column(Float, default=0.0)
    """0–100."""
    evaluated_at: Mapped[datetime | None]
    """The latest evaluation instant that was judged."""
    complete_up_to: Mapped[datetime | None]
    reasons: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """A sentence a language."""
    evidence: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    __table_args__ = (Index(None, "due_at"),)


class TickProgressTable(Base):
    """The newest tick that came through one pair of partitions; there, everything before `at` has been handled."""

    __tablename__ = "tick_progress"

    classified_partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    mentions_partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]


class LeaseTable(Base):
    """Work that only one process at a time may do, by name, and until when it is whose."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Word, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]


class SourceLeaseTable(Base):
    """A source: which ingest process reads it, and how far everything has been published."""

    __tablename__ = "source_leases"

    source: Mapped[str] = mapped_column(Word, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]
    cursor: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The source's own; null before the first is saved."""


class OutboxTable(Base):
    """Events that were decided in a transaction and are still to be, or have been, published."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    """Grows in each incident's order, but a smaller one may become visible later: readers go by `position`."""
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    """The relay's number, without gaps in the order of publishing; the live stream's event id."""
    topic: Mapped[str] = mapped_column(Word)
    key: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text, unique=True)
    type: Mapped[str] = mapped_column(Word)
    headers: Mapped[dict[str, str]] = mapped_column(Json)
    value: Mapped[str] = mapped_column(Text)
    """The event's JSON, as it goes on the bus."""
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_outbox_waiting",
            "id",
            postgresql_where=sql("published_at IS NULL"),
            sqlite_where=sql("published_at IS NULL"),
        ),
    )
