"""Shifts that people take from each other or give away."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tocsin.contracts.events import Instant


class Override(BaseModel):
    """`person` is on call for `schedule` from `since` to `until`, whoever the rotation names; the last one that was written wins."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    schedule: str
    person: str
    since: Instant
    until: Instant
    by: str
    """Who wrote it down, as events name them: themselves (taken) or somebody else (given)."""
    at: Instant
    ended_by: str | None = None
    ended_at: Instant | None = None
    """When it was taken back."""
