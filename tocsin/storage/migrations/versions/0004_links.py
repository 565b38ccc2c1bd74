"""Links that work without an account.

Revision ID: 0004_links
Revises: 0003_access
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json, UtcDateTime, Word

revision = "0004_links"
down_revision = "0003_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("purpose", Word, nullable=False),
        sa.Column("actor", Word, nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("subject", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_links_incident_id_incidents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_incident_id"), "links", ["incident_id"])
    op.create_index(op.f("ix_links_expires_at"), "links", ["expires_at"])


def downgrade() -> None:
    op.drop_table("links")
