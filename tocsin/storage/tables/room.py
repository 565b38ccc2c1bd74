"""The crisis room: one row an incident, what was approved beforehand, answers that were used, cards, and what almost rang."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, Text, Uuid
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Counter, Json, Word

WAITING_CARD = "outcome IS NULL"


class RoomTable(Base):
    """The room of one incident. Whoever changes it locks the incident's row first."""

    __tablename__ = "rooms"

    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    seen_version: Mapped[int] = mapped_column(Integer)
    """The incident's version that the room has taken note of; the keeper looks for those that differ."""
    revision: Mapped[int] = mapped_column(Integer)
    """Counts every change of the room; the cards of a room are made equal to it, up to `carded`."""
    carded: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime | None]
    """When something is to happen by itself."""
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    """A `tocsin.contracts.room.Room`, as it dumps itself."""

    __table_args__ = (Index(None, "next_at"),)


class HoldingApprovalTable(Base):
    """Somebody approved one text of a holding statement beforehand. A changed text has another fingerprint, and no approval."""

    __tablename__ = "holding_approvals"

    statement: Mapped[str] = mapped_column(Word, primary_key=True)
    language: Mapped[str] = mapped_column(Word, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Word, primary_key=True)
    role: Mapped[str] = mapped_column(Word)
    approved_by: Mapped[str] = mapped_column(Text)
    approved_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AnswerUseTable(Base):
    """A person said that they answered a mention, with which prepared answer, and when."""

    __tablename__ = "answer_uses"

    mention_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    answer: Mapped[str] = mapped_column(Word, primary_key=True)
    answer_version: Mapped[int] = mapped_column(Integer)
    actor: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime]
    """The mention's; the response time is from here to `answered_at`."""
    answered_at: Mapped[datetime]

    __table_args__ = (Index(None, "brand", "answered_at"),)


class CardTable(Base):
    """One playbook step on one board of another service, as it should be and as it was sent last."""

    __tablename__ = "cards"

    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    board: Mapped[str] = mapped_column(Word, primary_key=True)
    wanted: Mapped[dict[str, Any]] = mapped_column(Json)
    sent: Mapped[dict[str, Any] | None] = mapped_column(Json)
    external_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    """Where the order of several counts: the oldest goes first."""
    next_attempt_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """Since it was last in step."""
    uncertain: Mapped[bool] = mapped_column(default=False)
    """An attempt to create it was begun, and nobody knows what came of it: look before creating it again."""
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Word)
    """Null while there is something to send; `done` while it is in step, else `gone` or `rejected`."""
    detail: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(
            "ix_cards_waiting", "next_attempt_at", postgresql_where=sql(WAITING_CARD), sqlite_where=sql(WAITING_CARD)
        ),
    )


class NearMissTable(Base):
    """The most suspicious moment of a brand's hour in which nothing rang, and why it did not."""

    __tablename__ = "near_misses"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    level: Mapped[str] = mapped_column(Word)
    score: Mapped[float] = mapped_column(Float)
    reasons: Mapped[dict[str, Any]] = mapped_column(Json)
    why_not: Mapped[str] = mapped_column(Word)
    """The gate that stayed shut; a key of the digest's words."""


class DigestTable(Base):
    """One morning's mail to one person: written once, sent until it is through or given up."""

    __tablename__ = "digests"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    brand: Mapped[str] = mapped_column(Word)
    day: Mapped[str] = mapped_column(Word)
    """The date, on the clock of the brand."""
    person: Mapped[str] = mapped_column(Word)
    channel: Mapped[str] = mapped_column(Word)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Word)
    detail: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("uq_digests_key", "brand", "day", "person", "channel", unique=True),
        Index(
            "ix_digests_waiting", "next_attempt_at", postgresql_where=sql(WAITING_CARD), sqlite_where=sql(WAITING_CARD)
        ),
    )
