"""Answers that people gave with a prepared text, and how long those who asked had waited."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.storage.base import upsert
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable
from tocsin.storage.tables.room import AnswerUseTable


@dataclass(frozen=True, slots=True)
class Answerable:
    """A mention that can be read, with what an answer to it depends on."""

    id: UUID
    brand: str
    text: str
    author: str | None
    language: str | None
    source: str
    published_at: datetime
    risk_kinds: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class AnswerUse:
    """Somebody answered a mention with a prepared text."""

    mention_id: UUID
    answer: str
    version: int
    actor: str
    published_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """How fast a brand answered with prepared texts in a span of time; seconds, None where nothing was answered."""

    answered: int
    median: float | None
    ninetieth: float | None
    by_answer: dict[str, int]


def find_answerable(session: Session, mention_id: UUID, brand: str) -> Answerable | None:
    """A mention of a brand by its id; None where it is not there or its text is gone."""
    row = session.execute(
        select(
            MentionTable.text,
            MentionTable.author_name,
            MentionTable.language,
            MentionTable.source,
            MentionBrandTable.published_at,
            MentionBrandTable.risk_kinds,
        )
        .join(MentionBrandTable, LABELS_OF_MENTION)
        .where(
            MentionTable.id == mention_id,
            MentionBrandTable.brand == brand,
            MentionTable.state == MentionState.LIVE,
        )
    ).one_or_none()
    if row is None:
        return None
    return Answerable(
        id=mention_id,
        brand=brand,
        text=row.text or "",
        author=row.author_name,
        language=row.language,
        source=row.source or "",
        published_at=row.published_at,
        risk_kinds=tuple((str(kind["kind"]), float(kind["score"])) for kind in row.risk_kinds),
    )


def note_use(session: Session, brand: str, use: AnswerUse) -> bool:
    """Somebody has answered; False where the same answer to the same mention was noted before, which then stands."""
    noted = session.execute(
        upsert(session, AnswerUseTable)
        .values(
            mention_id=use.mention_id,
            brand=brand,
            answer=use.answer,
            answer_version=use.version,
            actor=use.actor,
            published_at=use.published_at,
            answered_at=use.answered_at,
        )
        .on_conflict_do_nothing()
        .returning(AnswerUseTable.mention_id)
    )
    return noted.first() is not None


def uses(session: Session, brand: str, mention_ids: Collection[UUID]) -> dict[UUID, list[AnswerUse]]:
    """What was answered to these mentions, the first answer first."""
    rows = session.scalars(
        select(AnswerUseTable)
        .where(AnswerUseTable.brand == brand, AnswerUseTable.mention_id.in_(mention_ids))
        .order_by(AnswerUseTable.answered_at, AnswerUseTable.answer)
    )
    found: dict[UUID, list[AnswerUse]] = {}
    for row in rows:
        found.setdefault(row.mention_id, []).append(
            AnswerUse(row.mention_id, row.answer, row.answer_version, row.actor, row.published_at, row.answered_at)
        )
    return found


def first_answer(session: Session, brand: str, since: datetime, until: datetime | None) -> datetime | None:
    """When the brand answered first from `since` on (and up to `until`), with a prepared text."""
    chosen = select(func.min(AnswerUseTable.answered_at)).where(
        AnswerUseTable.brand == brand, AnswerUseTable.answered_at >= since
    )
    if until is not None:
        chosen = chosen.where(AnswerUseTable.answered_at <= until)
    found: datetime | None = session.execute(chosen).scalar_one_or_none()
    return found


def answer_times(session: Session, brand: str, since: datetime, until: datetime) -> AnswerTimes:
    """From a mention's publication to its first answer, of the mentions that were answered from `since` to `until`."""
    rows = session.execute(
        select(
            AnswerUseTable.mention_id, AnswerUseTable.answer, AnswerUseTable.published_at, AnswerUseTable.answered_at
        )
        .where(AnswerUseTable.brand == brand, AnswerUseTable.answered_at >= since, AnswerUseTable.answered_at < until)
        .order_by(AnswerUseTable.answered_at)
    ).all()
    seconds: dict[UUID, float] = {}
    by_answer: dict[str, int] = {}
    for row in rows:
        seconds.setdefault(row.mention_id, max(0.0, (row.answered_at - row.published_at).total_seconds()))
        by_answer[row.answer] = by_answer.get(row.answer, 0) + 1
    known = sorted(seconds.values())
    return AnswerTimes(
        answered=len(known),
        median=statistics.median(known) if known else None,
        ninetieth=known[max(0, -(-9 * len(known) // 10) - 1)] if known else None,
        by_answer=by_answer,
    )
