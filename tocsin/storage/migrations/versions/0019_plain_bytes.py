"""Story books and blocks of hours are kept as they are on PostgreSQL: to compress them cost more than to write them.

Revision ID: 0019_plain_bytes
Revises: 0018_day_figures
"""

from __future__ import annotations

from alembic import op

revision = "0019_plain_bytes"
down_revision = "0018_day_figures"
branch_labels = None
depends_on = None

_TABLES = ("story_books", "hour_blocks")


def upgrade() -> None:
    _store("EXTERNAL")


def downgrade() -> None:
    _store("EXTENDED")


def _store(how: str) -> None:
    """How the bytes are kept that are written from now on."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE {how}")
