"""Calls back of other services that had an effect, so that the same one said again has none."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.delivery import HeardCallbackTable


def first_heard(session: Session, origin: str, identifier: str, now: datetime) -> bool:
    """Keep that this was heard; False where it was heard before. Of two at the same moment one is the first."""
    kept = session.execute(
        upsert(session, HeardCallbackTable)
        .values(origin=origin, identifier=identifier[:200], heard_at=now)
        .on_conflict_do_nothing()
        .returning(HeardCallbackTable.identifier)
    ).scalar_one_or_none()
    return kept is not None


def forget(session: Session, before: datetime) -> None:
    """Forget what was heard before an instant; nobody repeats it any more."""
    session.execute(
        delete(HeardCallbackTable)
        .where(HeardCallbackTable.heard_at < before)
        .execution_options(synchronize_session=False)
    )
