"""Answers to messages: the key of links, calls back, when a page of a person's chain is due, exercises."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import UtcDateTime, Word

revision = "0005_delivery"
down_revision = "0004_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notifications", sa.Column("due_at", UtcDateTime(), nullable=True))
    op.add_column("incidents", sa.Column("exercise", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_notification_attempts_started_at", "notification_attempts", ["started_at"])
    op.create_table(
        "signing_keys",
        sa.Column("name", Word, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "heard_callbacks",
        sa.Column("origin", Word, nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "identifier", name=op.f("pk_heard_callbacks")),
    )
    op.create_index(op.f("ix_heard_callbacks_heard_at"), "heard_callbacks", ["heard_at"])


def downgrade() -> None:
    op.drop_table("heard_callbacks")
    op.drop_table("signing_keys")
    op.drop_index("ix_notification_attempts_started_at", "notification_attempts")
    op.drop_column("incidents", "exercise")
    op.drop_column("notifications", "due_at")
