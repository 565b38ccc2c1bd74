"""Figures by day, added up from those by hour; `alert` adds up the days that are over in its own time.

Revision ID: 0018_day_figures
Revises: 0017_months
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import UtcDateTime, Word

revision = "0018_day_figures"
down_revision = "0017_months"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "day_figures",
        sa.Column("brand", Word, nullable=False),
        sa.Column("split", Word, nullable=False),
        sa.Column("begins", UtcDateTime(), nullable=False),
        sa.Column("value", Word, nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=False),
        sa.Column("different_authors", sa.BigInteger(), nullable=False),
        sa.Column("authors", sa.LargeBinary(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("mentions", "negative", "neutral", "positive", "harmful")
        ),
        sa.Column("engagement", sa.Float(), nullable=False),
        sa.Column("with_engagement", sa.BigInteger(), nullable=False),
        sa.Column("reach", sa.Float(), nullable=False),
        sa.Column("with_reach", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "split", "begins", "value", name=op.f("pk_day_figures")),
    )


def downgrade() -> None:
    op.drop_table("day_figures")
