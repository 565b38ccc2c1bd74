"""What people set while Tocsin runs.

Revision ID: 0016_run_time_settings
Revises: 0015_privacy
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json, UtcDateTime, Word

revision = "0016_run_time_settings"
down_revision = "0015_privacy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_time_settings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("brand", Word, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("begins", UtcDateTime(), nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_time_settings")),
        sa.CheckConstraint("begins < ends", name=op.f("ck_run_time_settings_some_time")),
    )
    op.create_index("ix_run_time_settings_brand_kind_ends", "run_time_settings", ["brand", "kind", "ends"])
    version = op.create_table(
        "run_time_version",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_time_version")),
    )
    op.bulk_insert(version, [{"id": 1, "version": 0}])


def downgrade() -> None:
    op.drop_table("run_time_version")
    op.drop_table("run_time_settings")
