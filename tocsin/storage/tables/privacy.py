"""Sealed copies of incidents that must be kept as evidence, whatever else is erased."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import LargeBinary, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Word


class LegalHoldTable(Base):
    """One sealed copy. It has no reference to the incident, so that nothing takes it along before it ends."""

    __tablename__ = "legal_holds"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    incident_id: Mapped[uuid.UUID] = mapped_column(Uuid, index=True)
    brand: Mapped[str] = mapped_column(Word)
    by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    sealed_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of `content` as it stands here, in hexadecimal digits."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """JSON, compressed with gzip."""
