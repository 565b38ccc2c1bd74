"""Links that work without an account: each for one purpose, on one thing, until it expires. No secret stands here."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Json, Word


class LinkTable(Base):
    """One link; what it opens is in `subject`, as its purpose reads it."""

    __tablename__ = "links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the secret that the link carries (see tocsin/access/secrets.py)."""
    purpose: Mapped[str] = mapped_column(Word)
    actor: Mapped[str] = mapped_column(Word)
    """Whom it was made for, as incident events name them: `person:lea`."""
    incident_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), index=True)
    subject: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
