"""What detection keeps beside the counts: the last day's mentions in columns, the stories that may go on, and rules that rang."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Index, LargeBinary, Uuid
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Word


class HourBlockTable(Base):
    """The mentions of one brand and clock hour (start, UTC) as an evaluation looks at them; made again whenever the hour is counted.

    Opaque to storage; about 100 bytes a mention, and only for the hours that a window reaches.
    """

    __tablename__ = "hour_blocks"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class StoryBookTable(Base):
    """The stories of one brand that a new mention may join; opaque to storage, bounded (`detection.stories`)."""

    __tablename__ = "story_books"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class WatchRingTable(Base):
    """A watch rule that a mention met, once for good: written with the mention, `handled_at` when the incident knows of it."""

    __tablename__ = "watch_rings"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    rule: Mapped[str] = mapped_column(Word, primary_key=True)
    mention_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    """No reference: an erased mention has rung all the same, and its id is kept for good anyway."""
    noticed_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_watch_rings_waiting",
            "noticed_at",
            postgresql_where=sql("handled_at IS NULL"),
            sqlite_where=sql("handled_at IS NULL"),
        ),
    )
