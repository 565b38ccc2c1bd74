"""Incidents, what happened to them, their timers, and the messages that they cause."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, Uuid, false
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Counter, Json, Word

OPEN_MAIN = "open_main"
WAITING = "outcome IS NULL"


class IncidentTable(Base):
    """One incident. Whoever changes it, its events, its timers or its notifications' existence locks this row first."""

    __tablename__ = "incidents"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word)
    main: Mapped[bool] = mapped_column(Boolean)
    exercise: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """A drill: it rings the real chain and counts in no figure about the brand."""
    state: Mapped[str] = mapped_column(Word)
    level: Mapped[str] = mapped_column(Word)
    version: Mapped[int] = mapped_column(Integer)
    """The sequence of its last event."""
    start: Mapped[int] = mapped_column(Integer)
    """How many times its escalation has begun; the sender compares it with a page's."""
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    """Everything else of `tocsin.contracts.incidents.Incident`, as it dumps itself."""

    __table_args__ = (
        Index("ix_incidents_opened_at", "opened_at", "id"),
        Index("ix_incidents_brand_opened_at", "brand", "opened_at"),
    )


class IncidentBrandTable(Base):
    """A brand that an incident is about; made equal to `Incident.brands`. One open main incident a brand at most."""

    __tablename__ = "incident_brands"

    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    open_main: Mapped[bool] = mapped_column(Boolean)
    """True while the incident is open and main."""

    __table_args__ = (
        Index(
            "uq_incident_brands_open_main",
            "brand",
            unique=True,
            postgresql_where=sql(OPEN_MAIN),
            sqlite_where=sql(OPEN_MAIN),
        ),
        Index("ix_incident_brands_brand", "brand"),
    )


class IncidentPictureTable(Base):
    """A picture that a person showed when they declared an incident, such as a screenshot."""

    __tablename__ = "incident_pictures"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), index=True)
    media_type: Mapped[str] = mapped_column(Word)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    added_by: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]


class SilenceTable(Base):
    """A silence of a whole brand: incidents of it up to `level` call nobody until `until`, or until it was ended."""

    __tablename__ = "silences"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word)
    level: Mapped[str] = mapped_column(Word)
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    begun_by: Mapped[str] = mapped_column(Text)
    begun_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_silences_brand", "brand", "until"),)


class IncidentEventTable(Base):
    """One thing that happened to an incident; the same events go into the outbox."""

    __tablename__ = "incident_events"

    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(Word)
    at: Mapped[datetime]
    level: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)
    actor: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(Json)


class TimerTable(Base):
    """Something that is to happen to an incident by itself; made equal to `Incident.timers` at every change of it."""

    __tablename__ = "timers"

    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(Word, primary_key=True)
    next_at: Mapped[datetime]

    __table_args__ = (Index(None, "next_at"),)


class NotificationTable(Base):
    """One message to one target on one channel, from the decision until it is through or given up.

    `outcome` is null while it waits; then `accepted`, `rejected`, `superseded`, `unknown` or `dead`.
    """

    __tablename__ = "notifications"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    """Follows from the unique key; what receivers deduplicate on."""
    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    start: Mapped[int] = mapped_column(Integer)
    step: Mapped[int] = mapped_column(Integer)
    loop: Mapped[int] = mapped_column(Integer)
    round: Mapped[int] = mapped_column(Integer)
    target: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Word)
    kind: Mapped[str] = mapped_column(Word)
    language: Mapped[str] = mapped_column(Word)
    time_zone: Mapped[str] = mapped_column(Text)
    level: Mapped[str] = mapped_column(Word)
    urgency: Mapped[int] = mapped_column(Integer)
    """What is sent first where many wait: 0 the first page of an incident, 1 other pages, 2 the rest."""
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """When it is to go out first, where that is later; `next_attempt_at` moves on from there."""
    next_attempt_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Word)
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint(
            "incident_id", "start", "step", "loop", "round", "target", "channel", "kind", name="uq_notifications_key"
        ),
        Index(
            "ix_notifications_waiting",
            "next_attempt_at",
            postgresql_where=sql(WAITING),
            sqlite_where=sql(WAITING),
        ),
        Index("ix_notifications_incident_id", "incident_id", "created_at"),
    )


class NotificationAttemptTable(Base):
    """One try to bring a message through. Written before it begins: an outcome that stays null is one nobody knows."""

    __tablename__ = "notification_attempts"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    notification_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Word)
    """accepted, delivered, answered, acknowledged, retry, rejected, gone, unknown, superseded."""
    detail: Mapped[str | None] = mapped_column(Text)
    """What the other side said, without secrets: `HTTP 503`."""

    __table_args__ = (UniqueConstraint("notification_id", "number"),)


class DisabledChannelTable(Base):
    """A channel whose other side said that it is gone (HTTP 410); works again when its address in the configuration changes."""

    __tablename__ = "disabled_channels"

    channel: Mapped[str] = mapped_column(Word, primary_key=True)
    address_hash: Mapped[str] = mapped_column(Text)
    disabled_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
