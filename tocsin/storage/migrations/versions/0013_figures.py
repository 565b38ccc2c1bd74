"""Figures by hour, counted beforehand, campaigns and stories of mentions; every hour that can be is counted again.

Revision ID: 0013_figures
Revises: 0012_explanation
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json, UtcDateTime, Word

revision = "0013_figures"
down_revision = "0012_explanation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    numbers = ("mentions", "negative", "neutral", "positive", "harmful")
    op.create_table(
        "hour_figures",
        sa.Column("brand", Word, nullable=False),
        sa.Column("split", Word, nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("value", Word, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.Column("engagement", sa.Float(), nullable=False),
        sa.Column("with_engagement", sa.BigInteger(), nullable=False),
        sa.Column("reach", sa.Float(), nullable=False),
        sa.Column("with_reach", sa.BigInteger(), nullable=False),
        sa.Column("authors", sa.LargeBinary(), nullable=False),
        sa.Column("slots", Json, nullable=False),
        sa.PrimaryKeyConstraint("brand", "split", "hour", "value", name=op.f("pk_hour_figures")),
    )
    op.create_table(
        "mention_campaigns",
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mentions.id"], name=op.f("fk_mention_campaigns_mention_id_mentions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mention_id", "campaign", "source", "medium", name=op.f("pk_mention_campaigns")),
    )
    op.create_index(op.f("ix_mention_campaigns_published_at"), "mention_campaigns", ["published_at"])
    op.create_table(
        "mention_stories",
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("brand", Word, nullable=False),
        sa.Column("story", Word, nullable=False),
        sa.PrimaryKeyConstraint("mention_id", "brand", name=op.f("pk_mention_stories")),
    )
    op.create_index(op.f("ix_mention_stories_brand_story"), "mention_stories", ["brand", "story"])
    sqlite = op.get_bind().dialect.name == "sqlite"
    marks = "INSERT INTO dirty_hours (brand, hour) SELECT DISTINCT brand, "
    hour = "published_at - published_at % 3600000000" if sqlite else "date_trunc('hour', published_at, 'UTC')"
    op.execute(marks + hour + " FROM mention_brands")


def downgrade() -> None:
    op.drop_table("mention_stories")
    op.drop_table("mention_campaigns")
    op.drop_table("hour_figures")
