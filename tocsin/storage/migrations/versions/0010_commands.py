"""Incidents over several brands, pictures of what was declared, and silences of brands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import UtcDateTime

revision = "0010_commands"
down_revision = "0009_detection"
branch_labels = None
depends_on = None

OPEN_MAIN = "main AND state NOT IN ('resolved', 'reviewed')"


def upgrade() -> None:
    op.create_table(
        "incident_brands",
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("open_main", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_brands_incident_id_incidents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "brand", name=op.f("pk_incident_brands")),
    )
    op.create_index("ix_incident_brands_brand", "incident_brands", ["brand"])
    op.execute(
        "INSERT INTO incident_brands (incident_id, brand, open_main) "
        "SELECT id, brand, (main AND state NOT IN ('resolved', 'reviewed')) FROM incidents"
    )
    op.create_index(
        "uq_incident_brands_open_main",
        "incident_brands",
        ["brand"],
        unique=True,
        postgresql_where=sa.text("open_main"),
        sqlite_where=sa.text("open_main"),
    )
    op.drop_index("uq_incidents_open_main", table_name="incidents")
    op.create_table(
        "incident_pictures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.id"],
            name=op.f("fk_incident_pictures_incident_id_incidents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_pictures")),
    )
    op.create_index(op.f("ix_incident_pictures_incident_id"), "incident_pictures", ["incident_id"])
    op.create_table(
        "silences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_by", sa.Text(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index("ix_silences_brand", "silences", ["brand", "until"])


def downgrade() -> None:
    op.drop_table("silences")
    op.drop_table("incident_pictures")
    # An incident over several brands keeps its first one; the old rule holds for those.
    op.create_index(
        "uq_incidents_open_main",
        "incidents",
        ["brand"],
        unique=True,
        postgresql_where=sa.text(OPEN_MAIN),
        sqlite_where=sa.text(OPEN_MAIN),
    )
    op.drop_table("incident_brands")
