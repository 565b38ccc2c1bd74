"""Random secrets and their fingerprints: what is handed out, and what is kept of it.

Only SHA-256 of a secret is stored. A slow hash (argon2, bcrypt) is for passwords, which can be guessed; these secrets are 256
random bits, which nobody can try out, so that a slow hash would only make every request slow.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_KEY = re.compile(r"tocsin_(?P<prefix>[a-z2-7]{8})_(?P<secret>[0-9a-f]{64})")
_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class KeyText:
    """An API key taken apart: `tocsin_<prefix>_<secret>`. The prefix finds it and may be shown; the secret may not."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"tocsin_{self.prefix}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText(prefix={self.prefix!r})"

    @classmethod
    def generate(cls) -> KeyText:
        """A new key: 40 random bits to find it by, 256 to prove it."""
        return cls("".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8)), secrets.token_hex(32))

    @classmethod
    def parse(cls, text: str) -> KeyText | None:
        """The parts of a key, or None where `text` has not the form of one."""
        found = _KEY.fullmatch(text.strip())
        return cls(found["prefix"], found["secret"]) if found else None


def new_token() -> str:
    """256 random bits for a session or a sign-in link, safe in a URL and a cookie."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """What is stored of a secret: its SHA-256, as 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two fingerprints in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def form_token(session_token: str) -> str:
    """What a form must send along to prove that it came from a page of this session (cross-site request forgery).

    Derived from the session's own secret, so that nothing more is stored and another session's token does not fit.
    """
    return hmac.new(session_token.encode("utf-8", "replace"), b"tocsin form token", hashlib.sha256).hexdigest()
