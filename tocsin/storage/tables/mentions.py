"""Mentions: who they are, what they say, their labels a brand; and what detection counts of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, Index, LargeBinary, Text, Uuid, and_
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Counter, Json, Word
from tocsin.storage.text_index import Tokens

BY_MONTH = {"postgresql_partition_by": "RANGE (published_at)"}


class MentionState(StrEnum):
    """Where a mention stands; only live and deleted ones count."""

    LIVE = "live"
    DELETED = "deleted"
    """The platform deleted it: what it said and who said it is gone from the row, its counts stay."""
    UNMATCHED = "unmatched"
    """It is about no brand any more: hidden as well, and out of the counts until a higher revision."""
    ERASED = "erased"
    """A person asked: the row holds nothing but the id, stays for good, and keeps the mention out."""

    @property
    def counts(self) -> bool:
        """Whether its brand rows are in the counts."""
        return self in (MentionState.LIVE, MentionState.DELETED)


class MentionIdentityTable(Base):
    """One narrow row a mention: the lock of everything that is known of it, and what is known without its content.

    It is not partitioned, so an id is unique here and nowhere else. Without a time of publication it is a tombstone, or, when
    erased, an entry of the suppression list, which stays for good.
    """

    __tablename__ = "mention_identities"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    state: Mapped[str] = mapped_column(Word)
    published_at: Mapped[datetime | None]
    """Under which its content and labels stand in the wide tables; null where there are none."""
    removed_revision: Mapped[int | None] = mapped_column(BigInteger)
    removed_why: Mapped[str | None] = mapped_column(Word)
    removed_at: Mapped[datetime | None]
    """When the latest removal was put on the bus."""

    __table_args__ = (
        CheckConstraint("state <> 'live' OR published_at IS NOT NULL", name="live_has_content"),
        CheckConstraint("state <> 'erased' OR published_at IS NULL", name="erased_is_empty"),
        Index(
            "ix_mention_identities_tombstones",
            "removed_at",
            postgresql_where=sql("published_at IS NULL AND state <> 'erased'"),
            sqlite_where=sql("published_at IS NULL AND state <> 'erased'"),
        ),
        Index(None, "published_at"),
    )


class MentionTable(Base):
    """What a mention says and who said it: the content of its highest revision.

    On PostgreSQL it is partitioned by month of publication (`tocsin.storage.partitions`). The time is in the key because
    PostgreSQL wants it there; that there is one row a mention is the affair of its identity's lock.
    """

    __tablename__ = "mentions"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    published_at: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Word)
    """Its identity's, for whoever reads; never erased."""
    revision: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str | None] = mapped_column(Word)
    source_kind: Mapped[str | None] = mapped_column(Word)
    first_received_at: Mapped[datetime | None]
    wakes: Mapped[bool] = mapped_column(Boolean, default=False)
    """False for what came late, was imported or replayed: it teaches the baseline and wakes nobody."""
    language: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    brands: Mapped[list[str]] = mapped_column(Json, default=list)
    """Of its highest revision."""
    author_key: Mapped[str | None] = mapped_column(Text)
    """A digest of source and author id, to tell authors apart after the id itself had to go; null where none was given."""
    author_followers: Mapped[int | None] = mapped_column(BigInteger)
    author_role: Mapped[str | None] = mapped_column(Word)
    copy_key: Mapped[str] = mapped_column(Text, default="")
    crisis_words: Mapped[str] = mapped_column(Text, default="")
    """Those crisis words that its beginning has: all that is kept of a hidden text, so that its counts stay."""
    rating_value: Mapped[float | None] = mapped_column(Float)
    rating_best: Mapped[float | None] = mapped_column(Float)
    likes: Mapped[int | None] = mapped_column(BigInteger)
    reposts: Mapped[int | None] = mapped_column(BigInteger)
    replies: Mapped[int | None] = mapped_column(BigInteger)
    views: Mapped[int | None] = mapped_column(BigInteger)
    engagement_at: Mapped[datetime | None]
    """When engagement was observed; the latest observation wins, whatever the revision."""

    # What is taken out when the mention is hidden.
    native_id: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    in_reply_to: Mapped[str | None] = mapped_column(Text)
    quote_of: Mapped[str | None] = mapped_column(Text)
    repost_of: Mapped[str | None] = mapped_column(Text)
    conversation_id: Mapped[str | None] = mapped_column(Text)
    outlet: Mapped[str | None] = mapped_column(Text)
    author_id: Mapped[str | None] = mapped_column(Text)
    author_name: Mapped[str | None] = mapped_column(Text)
    """Of press, officials, watch-listed authors and those whom many follow; null of others."""
    author_name_hidden: Mapped[str | None] = mapped_column(Text)
    """The name of others: read only where somebody opens it, which the audit log tells."""
    media: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)

    __table_args__ = (BY_MONTH,)


class MentionBrandTable(Base):
    """A mention's labels for one brand; scores are 0–1, null without labels.

    `published_at` is the mention's, by which it is partitioned as well; whoever joins the two names both (`LABELS_OF_MENTION`).
    """

    __tablename__ = "mention_brands"

    mention_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    published_at: Mapped[datetime] = mapped_column(primary_key=True)
    in_counts: Mapped[bool] = mapped_column(Boolean)
    """False while the mention is unmatched. Own posts stay true: who counts knows the author's role."""
    revision: Mapped[int] = mapped_column(BigInteger)
    """Of the mention, when these labels were made."""
    labels: Mapped[str] = mapped_column(Word)
    relevance: Mapped[float] = mapped_column(Float)
    sentiment: Mapped[str | None] = mapped_column(Word)
    negative: Mapped[float | None] = mapped_column(Float)
    neutral: Mapped[float | None] = mapped_column(Float)
    positive: Mapped[float | None] = mapped_column(Float)
    risk: Mapped[float | None] = mapped_column(Float)
    risk_kinds: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """`{kind, score}`, most probable first."""
    toxicity: Mapped[float | None] = mapped_column(Float)
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    """384 signed bytes; taken out when the mention is hidden, because it says roughly what the text said."""
    explanation: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    """`{start, end, weight}` of the words that moved the risk, places in the mention's text; taken out when it is hidden."""
    model_name: Mapped[str | None] = mapped_column(Text)
    model_revision: Mapped[str | None] = mapped_column(Text)

    correction: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """A person's word, and under `network` what it stands over; null where nobody has corrected (see `merging.correct`)."""
    tokens: Mapped[str | None] = mapped_column(Tokens)
    """What it is found by (`tocsin.storage.text_index`); made of the rows whenever they are written."""
    search_number: Mapped[int | None] = mapped_column(BigInteger)
    """Its number in SQLite's full-text index; null on PostgreSQL, which needs none."""

    __table_args__ = (
        Index(None, "brand", "published_at"),
        Index("ix_mention_brands_tokens", "tokens", postgresql_using="gin").ddl_if(dialect="postgresql"),
        Index(
            "ix_mention_brands_corrected",
            "brand",
            "published_at",
            postgresql_where=sql("correction IS NOT NULL"),
            sqlite_where=sql("correction IS NOT NULL"),
        ),
        Index("uq_mention_brands_search_number", "search_number", unique=True).ddl_if(dialect="sqlite"),
        BY_MONTH,
    )


LABELS_OF_MENTION = and_(
    MentionTable.id == MentionBrandTable.mention_id,
    MentionTable.published_at.between(MentionBrandTable.published_at, MentionBrandTable.published_at),
)
"""What joins a mention with its labels: the time as well, so that PostgreSQL looks for the one in the month of the other.

The time as a span, which comes to the same: of two equalities PostgreSQL would believe that each leaves out most rows by itself,
expect a single row of the two, and read all months to find the first fifty.
"""


class DirtyHourTable(Base):
    """A brand's hour that must be counted again. Marks are only ever added, and taken away by id by who has counted.

    So a mark that is set while somebody counts survives, and setting one never waits for anybody.
    """

    __tablename__ = "dirty_hours"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    brand: Mapped[str] = mapped_column(Word)
    hour: Mapped[datetime]

    __table_args__ = (Index(None, "brand", "hour"),)


class HourCountTable(Base):
    """What one brand had in one hour (start, UTC), as detection counts it; its `HourCount` as JSON."""

    __tablename__ = "hour_counts"

    brand: Mapped[str] = mapped_column(Word, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    counts: Mapped[dict[str, Any]] = mapped_column(Json)
