"""Keys that an installation makes for itself the first time that it needs them, shared by all its processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.delivery import SigningKeyTable

ANSWERS = "answers"
"""The key that the tokens of acknowledge links are made with."""
AUTHORS = "authors"
"""The key of the digests that authors are told apart by."""
_TOKEN_BYTES = 16


def signing_key(session: Session, name: str, now: datetime) -> bytes:
    """The key of that name; made where there is none yet, and of two that make it at the same moment one wins."""
    session.execute(
        upsert(session, SigningKeyTable)
        .values(name=name, value=secrets.token_hex(32), created_at=now)
        .on_conflict_do_nothing()
    )
    value = session.execute(select(SigningKeyTable.value).where(SigningKeyTable.name == name)).scalar_one()
    return bytes.fromhex(value)


def derived_token(key: bytes, subject: str) -> str:
    """A secret of 128 bits that always is the same for the same subject: 22 characters that a URL takes as they are."""
    digest = hmac.new(key, subject.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).rstrip(b"=").decode()
