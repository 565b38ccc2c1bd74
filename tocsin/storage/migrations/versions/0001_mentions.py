"""Mentions and their labels, the counts of hours, brands, ticks, leases and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Counter, Json, UtcDateTime

revision = "0001_mentions"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brand_states",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("state", Json, nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evaluated_at", UtcDateTime(), nullable=True),
        sa.Column("complete_up_to", UtcDateTime(), nullable=True),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("evidence", Json, nullable=False),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_brand_states")),
    )
    op.create_index(op.f("ix_brand_states_due_at"), "brand_states", ["due_at"])
    op.create_table(
        "dirty_hours",
        sa.Column("id", Counter, autoincrement=True, nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dirty_hours")),
    )
    op.create_index(op.f("ix_dirty_hours_brand_hour"), "dirty_hours", ["brand", "hour"])
    op.create_table(
        "hour_counts",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.PrimaryKeyConstraint("brand", "hour", name=op.f("pk_hour_counts")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "mentions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("removed_revision", sa.BigInteger(), nullable=True),
        sa.Column("removed_why", sa.Text(), nullable=True),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_kind", sa.Text(), nullable=True),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("first_received_at", UtcDateTime(), nullable=True),
        sa.Column("wakes", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("brands", Json, nullable=False),
        sa.Column("author_key", sa.Text(), nullable=True),
        sa.Column("author_followers", sa.BigInteger(), nullable=True),
        sa.Column("author_role", sa.Text(), nullable=True),
        sa.Column("copy_key", sa.Text(), nullable=False),
        sa.Column("crisis_words", sa.Text(), nullable=False),
        sa.Column("rating_value", sa.Float(), nullable=True),
        sa.Column("rating_best", sa.Float(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("reposts", sa.BigInteger(), nullable=True),
        sa.Column("replies", sa.BigInteger(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("engagement_at", UtcDateTime(), nullable=True),
        sa.Column("native_id", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("quote_of", sa.Text(), nullable=True),
        sa.Column("repost_of", sa.Text(), nullable=True),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("outlet", sa.Text(), nullable=True),
        sa.Column("author_id", sa.Text(), nullable=True),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("media", Json, nullable=True),
        sa.CheckConstraint("state <> 'erased' OR revision IS NULL", name=op.f("ck_mentions_erased_is_empty")),
        sa.CheckConstraint("state <> 'live' OR revision IS NOT NULL", name=op.f("ck_mentions_live_has_content")),
        sa.CheckConstraint("(revision IS NULL) = (published_at IS NULL)", name=op.f("ck_mentions_content_is_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentions")),
    )
    op.create_index("ix_mentions_published_at", "mentions", ["published_at"])
    op.create_index(
        "ix_mentions_tombstones",
        "mentions",
        ["removed_at"],
        postgresql_where=sa.text("revision IS NULL AND state <> 'erased'"),
        sqlite_where=sa.text("revision IS NULL AND state <> 'erased'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", Counter, autoincrement=True, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("headers", Json, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
        sa.UniqueConstraint("position", name=op.f("uq_outbox_position")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["id"],
        postgresql_where=sa.text("published_at IS NULL"),
        sqlite_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "source_leases",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("cursor", Json, nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_leases")),
    )
    op.create_table(
        "tick_progress",
        sa.Column("classified_partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mentions_partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("classified_partition", "mentions_partition", name=op.f("pk_tick_progress")),
    )
    op.create_table(
        "mention_brands",
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("in_counts", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("relevance", sa.Float(), nullable=False),
        sa.Column("sentiment", sa.Text(), nullable=True),
        sa.Column("negative", sa.Float(), nullable=True),
        sa.Column("neutral", sa.Float(), nullable=True),
        sa.Column("positive", sa.Float(), nullable=True),
        sa.Column("risk", sa.Float(), nullable=True),
        sa.Column("risk_kinds", Json, nullable=False),
        sa.Column("toxicity", sa.Float(), nullable=True),
        sa.Column("embedding", sa.LargeBinary(), nullable=True),
        sa.Column("model_name", sa.Text(), nullable=True),
        sa.Column("model_revision", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mentions.id"], name=op.f("fk_mention_brands_mention_id_mentions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mention_id", "brand", name=op.f("pk_mention_brands")),
    )
    op.create_index(op.f("ix_mention_brands_brand_published_at"), "mention_brands", ["brand", "published_at"])


def downgrade() -> None:
    # Indexes go with their tables.
    op.drop_table("mention_brands")
    op.drop_table("tick_progress")
    op.drop_table("source_leases")
    op.drop_table("outbox")
    op.drop_table("mentions")
    op.drop_table("leases")
    op.drop_table("hour_counts")
    op.drop_table("dirty_hours")
    op.drop_table("brand_states")
