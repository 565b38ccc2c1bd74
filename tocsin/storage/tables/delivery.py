"""What answers to messages need: the key that their links are made with, and calls back that were heard."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.storage.base import Base, Word


class SigningKeyTable(Base):
    """A key that this installation made for itself, so that nobody has to configure one."""

    __tablename__ = "signing_keys"

    name: Mapped[str] = mapped_column(Word, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    """256 random bits, hexadecimal."""
    created_at: Mapped[datetime]


class HeardCallbackTable(Base):
    """A call back of another service that had its effect, so that the same one said again has none."""

    __tablename__ = "heard_callbacks"

    origin: Mapped[str] = mapped_column(Word, primary_key=True)
    """The id of the channel."""
    identifier: Mapped[str] = mapped_column(Text, primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(index=True)
