"""Names that are kept apart, and sealed copies of incidents.

Revision ID: 0015_privacy
Revises: 0014_corrections
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import UtcDateTime, Word

revision = "0015_privacy"
down_revision = "0014_corrections"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mentions", sa.Column("author_name_hidden", sa.Text(), nullable=True))
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("brand", Word, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    op.create_index(op.f("ix_legal_holds_incident_id"), "legal_holds", ["incident_id"])
    op.create_index(op.f("ix_legal_holds_until"), "legal_holds", ["until"])


def downgrade() -> None:
    op.drop_table("legal_holds")
    op.drop_column("mentions", "author_name_hidden")
