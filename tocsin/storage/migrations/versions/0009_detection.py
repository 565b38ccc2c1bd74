"""Hours in columns, stories, and watch rules that rang.

Revision ID: 0009_detection
Revises: 0008_room
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import UtcDateTime, Word

revision = "0009_detection"
down_revision = "0008_room"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hour_blocks",
        sa.Column("brand", Word, nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "hour", name=op.f("pk_hour_blocks")),
    )
    op.create_table(
        "story_books",
        sa.Column("brand", Word, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_story_books")),
    )
    op.create_table(
        "watch_rings",
        sa.Column("brand", Word, nullable=False),
        sa.Column("rule", Word, nullable=False),
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("noticed_at", UtcDateTime(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("brand", "rule", "mention_id", name=op.f("pk_watch_rings")),
    )
    op.create_index(
        op.f("ix_watch_rings_waiting"),
        "watch_rings",
        ["noticed_at"],
        postgresql_where=sa.text("handled_at IS NULL"),
        sqlite_where=sa.text("handled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("watch_rings")
    op.drop_table("story_books")
    op.drop_table("hour_blocks")
