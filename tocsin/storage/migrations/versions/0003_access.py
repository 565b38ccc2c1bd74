"""API keys, sign-in links and sessions.

Revision ID: 0003_access
Revises: 0002_incidents
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json, UtcDateTime, Word

revision = "0003_access"
down_revision = "0002_incidents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("prefix", Word, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("brands", Json, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_api_keys")),
    )
    for name, used in (("sign_in_links", True), ("sessions", False)):
        op.create_table(
            name,
            sa.Column("token_hash", sa.String(64), nullable=False),
            sa.Column("person", Word, nullable=False),
            sa.Column("scopes", Json, nullable=False),
            sa.Column("brands", Json, nullable=True),
            sa.Column("created_at", UtcDateTime(), nullable=False),
            sa.Column("expires_at", UtcDateTime(), nullable=False),
            *([sa.Column("used_at", UtcDateTime(), nullable=True)] if used else []),
            sa.PrimaryKeyConstraint("token_hash", name=op.f(f"pk_{name}")),
        )
        op.create_index(op.f(f"ix_{name}_expires_at"), name, ["expires_at"])


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_table("sign_in_links")
    op.drop_table("api_keys")
