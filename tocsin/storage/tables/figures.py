"""Figures that were counted beforehand, for timelines and comparisons."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, LargeBinary, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Json, Word


class Sums:
    """Sums over mentions that count; a part of a table.

    `engagement` and `reach` are floating point: hostile numbers of 64 bits must not overflow a sum.
    """

    mentions: Mapped[int] = mapped_column(BigInteger)
    negative: Mapped[int] = mapped_column(BigInteger)
    neutral: Mapped[int] = mapped_column(BigInteger)
    positive: Mapped[int] = mapped_column(BigInteger)
    harmful: Mapped[int] = mapped_column(BigInteger)
    engagement: Mapped[float] = mapped_column(Float)
    with_engagement: Mapped[int] = mapped_column(BigInteger)
    reach: Mapped[float] = mapped_column(Float)
    with_reach: Mapped[int] = mapped_column(BigInteger)


class HourFiguresTable(Sums, Base):
    """What one brand had in one hour (start, UTC), as a whole (`split` and `value` empty) or of one value of a split."""

    __tablename__ = "hour_figures"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    split: Mapped[str] = mapped_column(Word, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Word, primary_key=True)
    authors: Mapped[bytes] = mapped_column(LargeBinary)
    """As `tocsin.storage.distinct` packs them: digests of keys that are digests themselves."""
    slots: Mapped[list[Any]] = mapped_column(Json)
    """The same for each five minutes: `[slot, numbers…, authors]`."""


class DayFiguresTable(Sums, Base):
    """What one brand had from one midnight of its time zone to the next, added up from the hours once the day was over.

    Like those, as a whole and by value of each split. The whole of a day stands here also where nothing was said. A day goes when one
    of its hours is counted again, and comes back when it is added up anew.
    """

    __tablename__ = "day_figures"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    split: Mapped[str] = mapped_column(Word, primary_key=True)
    begins: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Word, primary_key=True)
    ends: Mapped[datetime]
    different_authors: Mapped[int] = mapped_column(BigInteger)
    authors: Mapped[bytes] = mapped_column(LargeBinary)
    """As `tocsin.storage.distinct` packs them, to be united with those of other days."""


class MentionCampaignTable(Base):
    """A campaign that a link of a mention belongs to, by its UTM parameters; empty where they do not say.

    It stays when the platform deleted the mention (its counts do), and goes with an erasure.
    """

    __tablename__ = "mention_campaigns"

    mention_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("mention_identities.id", ondelete="CASCADE"), primary_key=True
    )
    campaign: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text, primary_key=True)
    medium: Mapped[str] = mapped_column(Text, primary_key=True)
    published_at: Mapped[datetime]

    __table_args__ = (Index(None, "published_at"),)


class MentionStoryTable(Base):
    """The story that a mention of a brand tells.

    No reference to the mention: the evaluator writes it while a handler may take the mention away. What is asked is always joined
    with the mentions that are there, and `tocsin.storage.mentions` takes away what has none.
    """

    __tablename__ = "mention_stories"

    mention_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    story: Mapped[str] = mapped_column(Word)
    """16 hexadecimal digits, as the evidence of an alert names it."""

    __table_args__ = (Index(None, "brand", "story"),)
