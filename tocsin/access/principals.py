"""Somebody who asks, and what they may: the words that keys, sessions, routes and ingest share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key or a session is for; flat, but for `admin`, which may do everything."""

    SEND = "send"
    """Put mentions in (`POST /v1/mentions`)."""
    READ = "read"
    """Look at mentions, brands and incidents."""
    ACT = "act"
    """Acknowledge and resolve incidents."""
    ADMIN = "admin"
    """Everything, also what concerns access itself."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever was recognised by a key or a session."""

    actor: str
    """As incident events name it: `key:<prefix>` or `person:<id>`."""
    scopes: frozenset[Scope]
    brands: frozenset[str] | None = None
    """The brands that this one may see and touch; None: all."""

    def may(self, scope: Scope) -> bool:
        """True where `scope` is given, or `admin`."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, brand: str) -> bool:
        """True where the brand is one of this principal's."""
        return self.brands is None or brand in self.brands


class AccessDenied(Exception):
    """Somebody may not do what they ask; the message says why and how to mend it, and never repeats a secret."""


class NotRecognised(AccessDenied):
    """No valid key or session was shown (HTTP 401)."""


class NotAllowed(AccessDenied):
    """The key or session is valid, but not for this (HTTP 403)."""
