"""API keys, links, sessions, passwords, and who did what. No secret stands here, only hashes (see tocsin/access/secrets.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Counter, Json, Word

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


class PasswordTable(Base):
    """The password of one person, as argon2 hashed it; who has none signs in by a link or through the identity provider."""

    __tablename__ = "passwords"

    person: Mapped[str] = mapped_column(Word, primary_key=True)
    hashed: Mapped[str] = mapped_column(Text)
    set_at: Mapped[datetime]


class FailedSignInTable(Base):
    """One wrong password, counted against the person that was named and against the address that it came from."""

    __tablename__ = "failed_sign_ins"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    subject: Mapped[str] = mapped_column(Fingerprint)
    """Fingerprint of `person:<id>` or `address:<ip>`, so that the table names nobody."""
    at: Mapped[datetime]

    __table_args__ = (Index(None, "subject", "at"),)


class AuditTable(Base):
    """One command that somebody gave: who, what, to what, why. Written in the command's own transaction, never changed."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(Text)
    """`person:<id>`, `key:<prefix>`, or `command line`."""
    action: Mapped[str] = mapped_column(Word)
    target: Mapped[str] = mapped_column(Text)
    brand: Mapped[str | None] = mapped_column(Word)
    """NULL: it concerns no single brand."""
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    """What was asked for; never a secret, never a mention's text."""

    __table_args__ = (Index(None, "at"), Index(None, "brand", "id"))


class IdempotencyTable(Base):
    """A request that was given a key by its sender, and its answer once there is one."""

    __tablename__ = "idempotency_keys"

    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request: Mapped[str] = mapped_column(Fingerprint)
    """Of method, path and body: the same key with another request is a mistake."""
    begun_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    """NULL while the request is under way."""
    headers: Mapped[list[Any] | None] = mapped_column(Json)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
