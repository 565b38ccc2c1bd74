"""Links that work without an account. Whoever acts by one uses it up in the transaction of what
it does, so that both happen or neither.

GET only shows what a link is for (mail scanners follow links); the POST behind it uses it. A link for reading is looked at as
often as its reader likes until it expires, and never used up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tocsin.access.secrets import fingerprint, new_token
from tocsin.storage.base import upsert
from tocsin.storage.tables.links import LinkTable

PREFIX = "/by-link/"
"""What the paths of all routes begin with that a link opens; the gate lets them pass to their link."""


class LinkPurpose(StrEnum):
    """What a link is for; one for another purpose opens nothing."""

    ACKNOWLEDGE = "acknowledge"
    """Take an incident in hand."""
    APPROVE = "approve"
    """Approve or refuse one version of a statement."""
    HAND_OVER = "hand-over"
    """Take an incident over at the end of somebody's shift."""
    READ_UPDATE = "update"
    """Read a situation update, until the link expires."""


class WhyLinkRefused(StrEnum):
    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"


class LinkRefused(PermissionError):
    """A link that opens nothing: the message says why and what to do, and never repeats its secret."""

    def __init__(self, why: WhyLinkRefused) -> None:
        self.why = why
        said = {
            WhyLinkRefused.UNKNOWN: "there is no such link; open it as it stands in the message, whole",
            WhyLinkRefused.USED: "this link was used already; sign in to see what came of it",
            WhyLinkRefused.EXPIRED: "this link has expired; sign in, or ask for another",
        }
        super().__init__(said[why])


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens, and for whom."""

    purpose: LinkPurpose
    actor: str
    incident_id: UUID | None
    subject: Mapping[str, Any]
    expires_at: datetime


def issue(
    session: Session,
    purpose: LinkPurpose,
    *,
    actor: str,
    now: datetime,
    expires_at: datetime,
    incident_id: UUID | None = None,
    subject: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> str:
    """The path of a new link, such as `/by-link/approve?link=…`; its secret stands nowhere else.

    A `token` that is given (it must be as hard to guess) and known already changes nothing, so that a message that is sent
    again says the same.
    """
    token = token or new_token()
    session.execute(
        upsert(session, LinkTable)
        .values(
            token_hash=fingerprint(token),
            purpose=purpose.value,
            actor=actor,
            incident_id=incident_id,
            subject=dict(subject or {}),
            created_at=now,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing()
    )
    return f"{PREFIX}{purpose.value}?link={token}"


def look(session: Session, token: str, purpose: LinkPurpose, now: datetime) -> Link:
    """What a link opens, without using it up. Raises LinkRefused where it was used, has expired, or is for something else."""
    row = session.execute(select(LinkTable).where(LinkTable.token_hash == fingerprint(token))).scalar_one_or_none()
    if row is None or row.purpose != purpose.value:
        raise LinkRefused(WhyLinkRefused.UNKNOWN)
    if row.used_at is not None:
        raise LinkRefused(WhyLinkRefused.USED)
    if row.expires_at <= now:
        raise LinkRefused(WhyLinkRefused.EXPIRED)
    return Link(purpose, row.actor, row.incident_id, row.subject, row.expires_at)


def use(session: Session, token: str, purpose: LinkPurpose, now: datetime) -> Link:
    """Use a link up, once: of two at the same moment only one succeeds. Raises LinkRefused."""
    used = session.execute(
        update(LinkTable)
        .where(
            LinkTable.token_hash == fingerprint(token),
            LinkTable.purpose == purpose.value,
            LinkTable.used_at.is_(None),
            LinkTable.expires_at > now,
        )
        .values(used_at=now)
        .returning(LinkTable.actor, LinkTable.incident_id, LinkTable.subject, LinkTable.expires_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if used is None:
        look(session, token, purpose, now)
        raise LinkRefused(WhyLinkRefused.USED)
    return Link(purpose, used.actor, used.incident_id, used.subject, used.expires_at)


def forget_expired(session: Session, before: datetime) -> int:
    """Forget links that had expired by `before`; they open nothing in any case."""
    gone = session.execute(
        delete(LinkTable)
        .where(LinkTable.expires_at <= before)
        .returning(LinkTable.token_hash)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
