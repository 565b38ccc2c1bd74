"""Passwords, failed sign-ins, the audit log, and requests that must not be done twice.

Revision ID: 0006_accounts
Revises: 0005_delivery
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Counter, Json, UtcDateTime, Word

revision = "0006_accounts"
down_revision = "0005_delivery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "passwords",
        sa.Column("person", Word, nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_passwords")),
    )
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", Counter, autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_sign_ins")),
    )
    op.create_index(op.f("ix_failed_sign_ins_subject_at"), "failed_sign_ins", ["subject", "at"])
    op.create_table(
        "audit_entries",
        sa.Column("id", Counter, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", Word, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("brand", Word, nullable=True),
        sa.Column("details", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_at"), "audit_entries", ["at"])
    op.create_index(op.f("ix_audit_entries_brand_id"), "audit_entries", ["brand", "id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", Json, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_begun_at"), "idempotency_keys", ["begun_at"])


def downgrade() -> None:
    for table in ("idempotency_keys", "audit_entries", "failed_sign_ins", "passwords"):
        op.drop_table(table)
