"""Which words moved a mention's risk: places in its text, with a weight each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tocsin.storage.base import Json

revision = "0012_explanation"
down_revision = "0011_oncall"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mention_brands", sa.Column("explanation", Json, nullable=True))


def downgrade() -> None:
    op.drop_column("mention_brands", "explanation")
