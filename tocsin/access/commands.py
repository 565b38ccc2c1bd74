"""What `tocsin keys create|list|revoke` and `tocsin sign-in` do; the command line asks and prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.access.principals import Scope
from tocsin.access.secrets import KeyText, fingerprint
from tocsin.access.sessions import LINK_LIFETIME, PERSON_SCOPES, Sessions, sign_in_path
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.storage import access, audit
from tocsin.storage.database import Database


class WrongRequest(ValueError):
    """What was asked for cannot be; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `text` is shown once: only its fingerprint is kept."""

    text: str
    stored: access.StoredKey


def create_key(
    database: Database,
    clock: Clock,
    configuration: Configuration,
    *,
    name: str,
    scopes: Iterable[str],
    brands: Iterable[str] = (),
    lifetime: timedelta | None = None,
    actor: str = audit.COMMAND_LINE,
) -> NewKey:
    """Make an API key for `scopes` (send, read, act, admin), for some `brands` or, without any, for all.

    Raises WrongRequest for an unknown scope or brand, for none, or for a lifetime that is not above 0.
    """
    if not name.strip():
        raise WrongRequest("a key needs a name, so that it is known later what it is for: --name 'review importer'")
    limits = _brands(configuration, brands)
    if lifetime is not None and lifetime <= timedelta(0):
        raise WrongRequest("a key must live longer than nothing; write --expires like '90 d', or leave it out")
    key = KeyText.generate()
    now = clock.now()
    stored = access.StoredKey(
        prefix=key.prefix,
        secret_hash=fingerprint(key.secret),
        name=name.strip(),
        scopes=_scopes(scopes),
        brands=limits,
        created_at=now,
        expires_at=now + lifetime if lifetime is not None else None,
    )
    with database.unit_of_work() as session:
        access.add_key(session, stored)
        audit.record(
            session,
            at=now,
            actor=actor,
            action="key.created",
            target=f"key:{key.prefix}",
            details={
                "name": stored.name,
                "scopes": sorted(stored.scopes),
                "brands": None if limits is None else sorted(limits),
            },
        )
    return NewKey(str(key), stored)


def list_keys(database: Database) -> Sequence[access.StoredKey]:
    """Every key, the newest first, also revoked and expired ones; never a secret."""
    with database.read() as session:
        return access.list_keys(session)


def revoke_key(database: Database, clock: Clock, prefix: str, *, actor: str = audit.COMMAND_LINE) -> None:
    """Let a key, named by its prefix (or by all of it), work no more: at once here, within 30 s in other processes.

    Raises WrongRequest where there is no such key.
    """
    parsed = KeyText.parse(prefix)
    name = parsed.prefix if parsed else prefix.removeprefix("tocsin_").split("_", 1)[0]
    with database.unit_of_work() as session:
        if not access.revoke_key(session, name, clock.now()):
            raise WrongRequest(f"there is no key with the prefix {name!r}; `tocsin keys list` shows them")
        audit.record(session, at=clock.now(), actor=actor, action="key.revoked", target=f"key:{name}")


def sign_in_link(
    database: Database,
    clock: Clock,
    *,
    base_url: str,
    person: str,
    scopes: frozenset[Scope] = PERSON_SCOPES,
    brands: frozenset[str] | None = None,
    lifetime: timedelta = LINK_LIFETIME,
) -> str:
    """A link that signs `person` in to the page, once. `base_url` is `api.public_url` or where the server listens."""
    if not person.strip():
        raise WrongRequest("say who signs in, by the id in tocsin.yaml: --person lea")
    sessions = Sessions(database, clock, timedelta(0))
    return base_url.rstrip("/") + sign_in_path(
        sessions.new_link(person.strip(), scopes=scopes, brands=brands, lifetime=lifetime)
    )


def _scopes(names: Iterable[str]) -> frozenset[Scope]:
    wanted = set(names)
    unknown = wanted - set(Scope)
    if unknown or not wanted:
        said = f"{', '.join(sorted(unknown))} is no scope" if unknown else "a key needs at least one scope"
        raise WrongRequest(f"{said}; choose among {', '.join(Scope)}")
    return frozenset(Scope(name) for name in wanted)


def _brands(configuration: Configuration, names: Iterable[str]) -> frozenset[str] | None:
    wanted = frozenset(names)
    known = {brand.id for brand in configuration.brands}
    if wanted - known:
        raise WrongRequest(
            f"{', '.join(sorted(wanted - known))}: no such brand in tocsin.yaml; known are {', '.join(sorted(known)) or 'none'}"
        )
    return wanted or None
