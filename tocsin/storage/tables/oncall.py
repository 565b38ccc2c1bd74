"""Shifts that people took from each other or gave away, and the secrets of their calendar feeds."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Word


class OverrideTable(Base):
    """One shift that is another's than the rotation says. Rows are never changed but for being taken back, and never deleted."""

    __tablename__ = "overrides"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    schedule: Mapped[str] = mapped_column(Word)
    person: Mapped[str] = mapped_column(Word)
    since: Mapped[datetime]
    until: Mapped[datetime]
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("since < until", "some_time"), Index("ix_overrides_until", "until"))


class FeedTable(Base):
    """A calendar feed: whoever knows its secret reads one schedule, or one person's shifts in all of them, until it is revoked."""

    __tablename__ = "feeds"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the feed's address (see tocsin/access/secrets.py)."""
    schedule: Mapped[str | None] = mapped_column(Word)
    person: Mapped[str | None] = mapped_column(Word)
    made_by: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
