"""A person's word over the network's.

Revision ID: 0014_corrections
Revises: 0013_figures
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json

revision = "0014_corrections"
down_revision = "0013_figures"
branch_labels = None
depends_on = None

_CORRECTED = sa.text("correction IS NOT NULL")


def upgrade() -> None:
    op.add_column("mention_brands", sa.Column("correction", Json, nullable=True))
    op.create_index(
        "ix_mention_brands_corrected",
        "mention_brands",
        ["brand", "published_at"],
        postgresql_where=_CORRECTED,
        sqlite_where=_CORRECTED,
    )


def downgrade() -> None:
    op.drop_index("ix_mention_brands_corrected", "mention_brands")
    op.drop_column("mention_brands", "correction")
