"""Watch rules that rang: noticed in the transaction that writes the mention, handled once, whoever does it and however often."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Text, cast, func, select, update
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.counts import OPENING, kinds_from
from tocsin.storage.tables.detection import WatchRingTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable


class WatchedRow(NamedTuple):
    """A mention as watch rules look at it."""

    mention_id: str
    at: datetime
    source: str
    source_kind: str
    outlet: str | None
    text: str
    """Its opening."""
    author_id: str | None
    author_name: str | None
    author_role: str
    followers: int | None
    risk: float
    risk_kinds: tuple[str, ...]
    relevance: float
    author_key: str | None


def notice(session: Session, rings: Iterable[tuple[str, str, uuid.UUID]], *, at: datetime) -> set[str]:
    """Write down that a mention met a rule, as (brand, rule, mention), where it is in force; returns the brands with new ones.

    The same again changes nothing: a rule rings once for a mention, also after a restart.
    """
    wanted = sorted(set(rings))
    if not wanted:
        return set()
    live = set(
        session.scalars(
            select(MentionTable.id).where(
                MentionTable.id.in_({mention for _, _, mention in wanted}), MentionTable.state == MentionState.LIVE
            )
        )
    )
    new: set[str] = set()
    for brand, rule, mention in wanted:
        if mention in live:
            statement = upsert(session, WatchRingTable).values(
                brand=brand, rule=rule, mention_id=mention, noticed_at=at
            )
            new.update(session.scalars(statement.on_conflict_do_nothing().returning(WatchRingTable.brand)))
    return new


def waiting_brands(session: Session) -> list[str]:
    """The brands whose incident does not know of a ring yet."""
    waiting = select(WatchRingTable.brand).where(WatchRingTable.handled_at.is_(None)).distinct()
    return sorted(session.scalars(waiting))


def waiting(session: Session, brand: str) -> list[tuple[str, uuid.UUID]]:
    """The rings of a brand that are to be handled, as (rule, mention), the earliest first. The brand must be locked."""
    rows = session.execute(
        select(WatchRingTable.rule, WatchRingTable.mention_id)
        .where(WatchRingTable.brand == brand, WatchRingTable.handled_at.is_(None))
        .order_by(WatchRingTable.noticed_at, WatchRingTable.rule, WatchRingTable.mention_id)
    )
    return [(row.rule, row.mention_id) for row in rows]


def handled(session: Session, brand: str, rings: Collection[tuple[str, uuid.UUID]], *, at: datetime) -> None:
    """These have had their effect."""
    for rule in sorted({rule for rule, _ in rings}):
        session.execute(
            update(WatchRingTable)
            .where(
                WatchRingTable.brand == brand,
                WatchRingTable.rule == rule,
                WatchRingTable.mention_id.in_([mention for other, mention in rings if other == rule]),
            )
            .values(handled_at=at)
            .execution_options(synchronize_session=False)
        )


def watched(session: Session, brand: str, identifiers: Collection[uuid.UUID]) -> dict[uuid.UUID, WatchedRow]:
    """These mentions of a brand; what was removed since is left out."""
    rows = session.execute(
        select(
            MentionTable.id,
            MentionBrandTable.published_at,
            MentionTable.source,
            MentionTable.source_kind,
            MentionTable.outlet,
            func.substr(func.coalesce(MentionTable.text, ""), 1, OPENING),
            MentionTable.author_id,
            MentionTable.author_name,
            MentionTable.author_role,
            MentionTable.author_followers,
            func.coalesce(MentionBrandTable.risk, 0.0),
            cast(MentionBrandTable.risk_kinds, Text),
            MentionBrandTable.relevance,
            MentionTable.author_key,
        )
        .join(MentionBrandTable, LABELS_OF_MENTION)
        .where(
            MentionBrandTable.brand == brand,
            MentionTable.id.in_(sorted(identifiers)),
            MentionTable.state == MentionState.LIVE,
        )
    )
    return {row[0]: WatchedRow._make((str(row[0]), *row[1:11], kinds_from(row[11]), *row[12:])) for row in rows.all()}
