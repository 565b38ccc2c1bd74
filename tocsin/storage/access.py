"""Keys, sign-in links and sessions: every query about access. Secrets come in as fingerprints, and nothing else is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tocsin.access.principals import Scope
from tocsin.storage.tables.access import ApiKeyTable, FailedSignInTable, PasswordTable, SessionTable, SignInLinkTable


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of an API key; all times in UTC."""

    prefix: str
    """What the key is found by and shown as; unique."""
    secret_hash: str
    name: str
    scopes: frozenset[Scope]
    brands: frozenset[str] | None
    """None: every brand."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """About a minute exact."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link or a session lets its person do, until `expires_at` (UTC)."""

    person: str
    scopes: frozenset[Scope]
    brands: frozenset[str] | None
    expires_at: datetime


def add_key(session: Session, key: StoredKey) -> None:
    """Keep a new key."""
    session.add(
        ApiKeyTable(
            prefix=key.prefix,
            secret_hash=key.secret_hash,
            name=key.name,
            scopes=_written(key.scopes),
            brands=None if key.brands is None else _written(key.brands),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )
    )


def key_by_prefix(session: Session, prefix: str) -> StoredKey | None:
    """The key with this prefix, whatever its state; None where there is none."""
    row = session.get(ApiKeyTable, prefix)
    return None if row is None else _key(row)


def list_keys(session: Session) -> Sequence[StoredKey]:
    """Every key, the newest first."""
    rows = session.scalars(select(ApiKeyTable).order_by(ApiKeyTable.created_at.desc(), ApiKeyTable.prefix))
    return [_key(row) for row in rows]


def revoke_key(session: Session, prefix: str, at: datetime) -> bool:
    """Revoke a key; a second time changes nothing. False where there is none with this prefix."""
    row = session.get(ApiKeyTable, prefix)
    if row is None:
        return False
    row.revoked_at = row.revoked_at or at
    return True


def note_use(session: Session, prefix: str, at: datetime) -> None:
    """A key was used at `at`."""
    session.execute(update(ApiKeyTable).where(ApiKeyTable.prefix == prefix).values(last_used_at=at))


def add_link(session: Session, token_hash: str, grant: Grant, at: datetime) -> None:
    """Keep a new sign-in link."""
    session.add(SignInLinkTable(token_hash=token_hash, created_at=at, **_columns(grant)))


def redeem_link(session: Session, token_hash: str, at: datetime) -> Grant | None:
    """Use a link up: what it grants, or None where it is unknown, used or expired.

    One statement both asks and marks, so that of two at the same moment only one succeeds.
    """
    row = session.execute(
        update(SignInLinkTable)
        .where(
            SignInLinkTable.token_hash == token_hash,
            SignInLinkTable.used_at.is_(None),
            SignInLinkTable.expires_at > at,
        )
        .values(used_at=at)
        .returning(SignInLinkTable.person, SignInLinkTable.scopes, SignInLinkTable.brands, SignInLinkTable.expires_at)
    ).one_or_none()
    return None if row is None else _grant(row.person, row.scopes, row.brands, row.expires_at)


def add_session(session: Session, token_hash: str, grant: Grant, at: datetime) -> None:
    """Keep a new session."""
    session.add(SessionTable(token_hash=token_hash, created_at=at, **_columns(grant)))


def session_grant(session: Session, token_hash: str, at: datetime) -> Grant | None:
    """What a session lets its person do, or None where it is unknown or has ended by `at`."""
    row = session.get(SessionTable, token_hash)
    if row is None or row.expires_at <= at:
        return None
    return _grant(row.person, row.scopes, row.brands, row.expires_at)


def end_session(session: Session, token_hash: str) -> None:
    """Forget a session."""
    session.execute(delete(SessionTable).where(SessionTable.token_hash == token_hash))


def end_sessions_of(session: Session, person: str) -> None:
    """End every session of a person."""
    session.execute(delete(SessionTable).where(SessionTable.person == person))


def set_password(session: Session, person: str, hashed: str, at: datetime) -> None:
    """Keep the hash of a person's password, in place of an earlier one."""
    session.merge(PasswordTable(person=person, hashed=hashed, set_at=at))


def password_of(session: Session, person: str) -> str | None:
    """The hash of a person's password; None where there is none."""
    row = session.get(PasswordTable, person)
    return None if row is None else row.hashed


def remove_password(session: Session, person: str) -> bool:
    """Forget a person's password; False where there was none."""
    return (
        session.execute(
            delete(PasswordTable).where(PasswordTable.person == person).returning(PasswordTable.person)
        ).one_or_none()
        is not None
    )


def people_with_password(session: Session) -> set[str]:
    """Everybody who can sign in with a password."""
    return set(session.scalars(select(PasswordTable.person)))


def note_failed_sign_in(session: Session, subjects: Iterable[str], at: datetime, *, forget_before: datetime) -> None:
    """Count a wrong password against each subject, and forget those that are older than anybody counts."""
    session.execute(delete(FailedSignInTable).where(FailedSignInTable.at < forget_before))
    session.add_all(FailedSignInTable(subject=subject, at=at) for subject in subjects)


def failed_sign_ins(session: Session, subjects: Sequence[str], *, since: datetime) -> dict[str, list[datetime]]:
    """When each subject had wrong passwords since then, in order."""
    found: dict[str, list[datetime]] = {subject: [] for subject in subjects}
    rows = session.scalars(
        select(FailedSignInTable)
        .where(FailedSignInTable.subject.in_(subjects), FailedSignInTable.at >= since)
        .order_by(FailedSignInTable.at)
    )
    for row in rows:
        found[row.subject].append(row.at)
    return found


def forget_failed_sign_ins(session: Session, subject: str) -> None:
    """A right password: begin to count anew."""
    session.execute(delete(FailedSignInTable).where(FailedSignInTable.subject == subject))


def anybody_can_come_in(session: Session) -> bool:
    """True where a key or a password exists, so that the first start need not say how to make the first."""
    return any(
        session.scalar(select(column).limit(1)) is not None for column in (ApiKeyTable.prefix, PasswordTable.person)
    )


def forget_expired(session: Session, at: datetime) -> None:
    """Forget links and sessions that had expired by `at`; they work no more in any case."""
    session.execute(delete(SignInLinkTable).where(SignInLinkTable.expires_at <= at))
    session.execute(delete(SessionTable).where(SessionTable.expires_at <= at))


def _key(row: ApiKeyTable) -> StoredKey:
    return StoredKey(
        prefix=row.prefix,
        secret_hash=row.secret_hash,
        name=row.name,
        scopes=_known_scopes(row.scopes),
        brands=None if row.brands is None else frozenset(row.brands),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _grant(person: str, scopes: Sequence[str], brands: Sequence[str] | None, expires_at: datetime) -> Grant:
    return Grant(person, _known_scopes(scopes), None if brands is None else frozenset(brands), expires_at)


def _columns(grant: Grant) -> dict[str, object]:
    return {
        "person": grant.person,
        "scopes": _written(grant.scopes),
        "brands": None if grant.brands is None else _written(grant.brands),
        "expires_at": grant.expires_at,
    }


def _written(names: Iterable[str]) -> list[str]:
    return sorted(str(name) for name in names)


def _known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    # A scope that a newer Tocsin wrote grants nothing here.
    return frozenset(Scope(name) for name in names if name in set(Scope))
