"""The crisis room: rooms, approvals beforehand, used answers, cards, near misses, digests.

Revision ID: 0008_room
Revises: 0007_search
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Counter, Json, UtcDateTime, Word

revision = "0008_room"
down_revision = "0007_search"
branch_labels = None
depends_on = None

_WAITING = sa.text("outcome IS NULL")


def _of_incident(table: str) -> list[sa.Column[object] | sa.ForeignKeyConstraint]:
    return [
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f(f"fk_{table}_incident_id_incidents"), ondelete="CASCADE"
        ),
    ]


def _sending() -> list[sa.Column[object]]:
    return [
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("outcome", Word, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
    ]


def _waiting(table: str) -> None:
    op.create_index(f"ix_{table}_waiting", table, ["next_attempt_at"], postgresql_where=_WAITING, sqlite_where=_WAITING)


def upgrade() -> None:
    op.create_table(
        "rooms",
        *_of_incident("rooms"),
        sa.Column("seen_version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("carded", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("details", Json, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_rooms")),
    )
    op.create_index(op.f("ix_rooms_next_at"), "rooms", ["next_at"])
    op.create_table(
        "holding_approvals",
        sa.Column("statement", Word, nullable=False),
        sa.Column("language", Word, nullable=False),
        sa.Column("fingerprint", Word, nullable=False),
        sa.Column("role", Word, nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("statement", "language", "fingerprint", name=op.f("pk_holding_approvals")),
    )
    op.create_table(
        "answer_uses",
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("brand", Word, nullable=False),
        sa.Column("answer", Word, nullable=False),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mention_id", "brand", "answer", name=op.f("pk_answer_uses")),
    )
    op.create_index(op.f("ix_answer_uses_brand_answered_at"), "answer_uses", ["brand", "answered_at"])
    op.create_table(
        "cards",
        *_of_incident("cards"),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("board", Word, nullable=False),
        sa.Column("wanted", Json, nullable=False),
        sa.Column("sent", Json, nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        *_sending(),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "step", "board", name=op.f("pk_cards")),
    )
    _waiting("cards")
    op.create_table(
        "near_misses",
        sa.Column("brand", Word, nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("level", Word, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("why_not", Word, nullable=False),
        sa.PrimaryKeyConstraint("brand", "hour", name=op.f("pk_near_misses")),
    )
    op.create_table(
        "digests",
        sa.Column("id", Counter, nullable=False, autoincrement=True),
        sa.Column("brand", Word, nullable=False),
        sa.Column("day", Word, nullable=False),
        sa.Column("person", Word, nullable=False),
        sa.Column("channel", Word, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        *_sending(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digests")),
    )
    op.create_index("uq_digests_key", "digests", ["brand", "day", "person", "channel"], unique=True)
    _waiting("digests")


def downgrade() -> None:
    for table in ("digests", "near_misses", "cards", "answer_uses", "holding_approvals", "rooms"):
        op.drop_table(table)
