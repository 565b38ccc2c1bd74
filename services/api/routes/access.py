"""`/v1/keys` and `/v1/audit`: who may come in, and who did what. For administrators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.context import Context
from services.api.instants import SentInstant
from services.api.one_turn import OneTurnRoute
from services.api.permission import Admin
from services.api.schemas import Answer
from tocsin.access import commands
from tocsin.access.principals import Principal, Scope
from tocsin.contracts.events import Instant
from tocsin.contracts.settings.base import Identifier
from tocsin.problems import Problem
from tocsin.storage import access, audit

router = APIRouter(tags=["access"], route_class=OneTurnRoute)


class KeyAnswer(Answer):
    """A key without its secret."""

    prefix: str
    name: str
    scopes: tuple[Scope, ...]
    brands: tuple[str, ...] | None = Field(description="null: every brand.")
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None = Field(description="About a minute exact.")


class NewKeyAnswer(KeyAnswer):
    """A key that was just made. `key` is shown this once: only its fingerprint is kept."""

    key: str


class KeyList(Answer):
    """Every key, the newest first, also revoked and expired ones."""

    keys: tuple[KeyAnswer, ...]


class KeyRequest(BaseModel):
    """A key to make: for some brands or, without any, for all; for ever or some days."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "review importer", "scopes": ["send"], "expires_in_days": 90}]},
    )

    name: str = Field(min_length=1, max_length=200)
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=4)
    brands: tuple[Identifier, ...] = Field(default=(), max_length=500)
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class AuditAnswer(Answer):
    """One command that somebody gave. What happened to an incident stands in its `events`."""

    id: int
    at: Instant
    actor: str
    action: str
    target: str
    brand: str | None
    details: dict[str, Any]


class AuditPage(Answer):
    """Entries, the newest first."""

    entries: tuple[AuditAnswer, ...]
    next: int | None = Field(description="Give it back as `before` for the page after this one; null on the last.")


@router.get("/v1/keys", summary="Keys of the API")
def list_keys(*, context: Context, principal: Admin) -> KeyList:
    """Every key that concerns your brands; never a secret."""
    stored = commands.list_keys(context.database)
    return KeyList(keys=tuple(KeyAnswer(**_plain(key)) for key in stored if _concerns(principal, key)))


@router.post("/v1/keys", status_code=201, summary="Make a key, shown once")
def create_key(*, context: Context, principal: Admin, wanted: KeyRequest) -> NewKeyAnswer:
    """A key may do and see at most what you may."""
    brands = wanted.brands
    if principal.brands is not None:
        beyond = sorted(set(brands) - principal.brands)
        if beyond or not brands:
            message = f"choose among your own brands: {', '.join(sorted(principal.brands))}"
            raise Problem(422, detail=f"brands: {message}", errors=[{"field": "brands", "message": message}])
    try:
        made = commands.create_key(
            context.database,
            context.people_clock,
            context.configuration,
            name=wanted.name,
            scopes=wanted.scopes,
            brands=brands,
            lifetime=timedelta(days=wanted.expires_in_days) if wanted.expires_in_days else None,
            actor=principal.actor,
        )
    except commands.WrongRequest as error:
        raise Problem(422, detail=str(error), errors=[{"field": "body", "message": str(error)}]) from error
    return NewKeyAnswer(**_plain(made.stored), key=made.text)


@router.delete(
    "/v1/keys/{prefix}",
    status_code=204,
    summary="Revoke a key",
    responses={404: {"description": "No such key"}},
)
def revoke_key(*, context: Context, principal: Admin, prefix: Annotated[str, Path(max_length=20)]) -> Response:
    """It works no more: at once here, within 30 s in other processes."""
    with context.database.read() as session:
        stored = access.key_by_prefix(session, prefix)
    if stored is None or not _concerns(principal, stored):
        raise Problem(404, detail="there is no such key that you may see; GET /v1/keys lists them")
    commands.revoke_key(context.database, context.people_clock, prefix, actor=principal.actor)
    return Response(status_code=204)


@router.get("/v1/audit", summary="Who did what")
def read_audit(
    *,
    context: Context,
    principal: Admin,
    actor: Annotated[str | None, Query(max_length=200, examples=["person:lea"])] = None,
    action: Annotated[str | None, Query(max_length=100, examples=["key.created"])] = None,
    since: SentInstant | None = None,
    until: SentInstant | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Commands about access, settings, corrections and privacy, and every command to an incident."""
    with context.database.read() as session:
        found = audit.entries(
            session,
            brands=principal.brands,
            actor=actor,
            action=action,
            since=since,
            until=until,
            before=before,
            limit=limit + 1,
        )
    page = found[:limit]
    return AuditPage(
        entries=tuple(
            AuditAnswer(
                id=entry.id,
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                target=entry.target,
                brand=entry.brand,
                details=dict(entry.details),
            )
            for entry in page
        ),
        next=page[-1].id if len(found) > limit else None,
    )


def _concerns(principal: Principal, key: access.StoredKey) -> bool:
    return principal.brands is None or (key.brands is not None and key.brands <= principal.brands)


def _plain(key: access.StoredKey) -> dict[str, Any]:
    moments: dict[str, datetime | None] = {
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": tuple(sorted(key.scopes)),
        "brands": None if key.brands is None else tuple(sorted(key.brands)),
        "created_at": key.created_at,
        **moments,
    }
