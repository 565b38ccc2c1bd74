"""API keys, sign-in links and sessions. No secret stands here, only SHA-256 of random ones (see tocsin/access/secrets.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Json, Word

Fingerprint = String(64)


class ApiKeyTable(Base):
    """One API key; kept after it was revoked or has expired, so that what it did can still be told."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(Word, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(Fingerprint)
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[Any]] = mapped_column(Json)
    brands: Mapped[list[Any] | None] = mapped_column(Json)
    """NULL: every brand."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class SignInLinkTable(Base):
    """One link that signs a person in, once."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[str] = mapped_column(Fingerprint, primary_key=True)
    person: Mapped[str] = mapped_column(Word)
    scopes: Mapped[list[Any]] = mapped_column(Json)
    brands: Mapped[list[Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class SessionTable(Base):
    """One session of the page, from signing in to signing out."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(Fingerprint, primary_key=True)
    person: Mapped[str] = mapped_column(Word)
    scopes: Mapped[list[Any]] = mapped_column(Json)
    brands: Mapped[list[Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
