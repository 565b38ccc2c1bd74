"""What people set while Tocsin runs, and the number by which processes see that something was set."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Json, Word


class RunTimeSettingTable(Base):
    """One setting of one brand. Rows are never changed but for being withdrawn, and never deleted: they are the history."""

    __tablename__ = "run_time_settings"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    brand: Mapped[str] = mapped_column(Word)
    kind: Mapped[str] = mapped_column(Word)
    value: Mapped[dict[str, Any]] = mapped_column(Json)
    """As `tocsin.contracts.settings.run_time.SettingValue`."""
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    withdrawn_by: Mapped[str | None] = mapped_column(Text)
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("begins < ends", "some_time"),
        Index("ix_run_time_settings_brand_kind_ends", "brand", "kind", "ends"),
    )


class RunTimeVersionTable(Base):
    """One row: a number that grows with every change. Whoever changes a setting locks it, so numbers are in the order of commits."""

    __tablename__ = "run_time_version"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer)
