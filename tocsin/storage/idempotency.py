"""Requests that carry a key of their sender: claimed before they are done, answered again when they come again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.access import IdempotencyTable

KEPT = timedelta(hours=24)
"""How long an answer is remembered."""
UNDER_WAY = timedelta(minutes=1)
"""A claim without an answer that is older belongs to a process that died; whoever comes then does the request anew."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class OtherRequest(ValueError):
    """The key was used for another request before."""


class StillUnderWay(RuntimeError):
    """The same request is being done at this moment."""


def claim(session: Session, actor: str, key: str, request: str, now: datetime) -> Answer | None:
    """Claim a request for doing it now (None), or get the answer that it had. Raises OtherRequest and StillUnderWay."""
    session.execute(delete(IdempotencyTable).where(IdempotencyTable.begun_at < now - KEPT))
    claimed = session.execute(
        upsert(session, IdempotencyTable)
        .values(actor=actor, key=key, request=request, begun_at=now)
        .on_conflict_do_nothing()
        .returning(IdempotencyTable.key)
    ).one_or_none()
    if claimed is not None:
        return None
    row = session.scalars(
        select(IdempotencyTable)
        .where(IdempotencyTable.actor == actor, IdempotencyTable.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if row.request != request:
        raise OtherRequest("this Idempotency-Key was used for another request; make a new key for each new request")
    if row.status is not None:
        return Answer(row.status, tuple((name, value) for name, value in row.headers or ()), row.body or b"")
    if row.begun_at > now - UNDER_WAY:
        raise StillUnderWay("the request with this Idempotency-Key is being done at this moment; ask again in a second")
    row.begun_at = now
    return None


def keep(session: Session, actor: str, key: str, answer: Answer) -> None:
    """Remember what a claimed request was answered with."""
    session.execute(
        update(IdempotencyTable)
        .where(IdempotencyTable.actor == actor, IdempotencyTable.key == key)
        .values(status=answer.status, headers=[list(pair) for pair in answer.headers], body=answer.body)
    )


def give_back(session: Session, actor: str, key: str) -> None:
    """Let the next one do a request that failed and changed nothing."""
    session.execute(
        delete(IdempotencyTable).where(
            IdempotencyTable.actor == actor, IdempotencyTable.key == key, IdempotencyTable.status.is_(None)
        )
    )
