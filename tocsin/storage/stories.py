"""Which mention tells which story, as the evaluator gave it; and the largest stories of a stretch of time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Float, String, case, cast, delete, func, select
from sqlalchemy.orm import Session

from tocsin.contracts.events import SentimentLabel
from tocsin.storage.base import upsert
from tocsin.storage.figures import harmful, not_own
from tocsin.storage.tables.figures import MentionStoryTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable
from tocsin.storage.thresholds import Thresholds

_AT_ONCE = 500
_TITLE = 140
"""Characters of a story's title."""


@dataclass(frozen=True, slots=True)
class StoryFigures:
    """What one story had in a stretch of time. `title` is how its loudest mention begins; None where none can be read."""

    story: str
    title: str | None
    example: uuid.UUID | None
    """The mention that the title is of."""
    mentions: int
    authors: int
    negative: int
    positive: int
    harmful: int
    engagement: float
    reach: float
    first_at: datetime
    last_at: datetime


def write(session: Session, brand: str, given: Mapping[str, str]) -> None:
    """These mentions (by id) of a brand tell these stories."""
    rows = [{"mention_id": uuid.UUID(item), "brand": brand, "story": story} for item, story in sorted(given.items())]
    if rows:
        statement = upsert(session, MentionStoryTable)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[MentionStoryTable.mention_id, MentionStoryTable.brand],
                set_={"story": statement.excluded.story},
            ),
            rows,
        )


def of_mentions(session: Session, brand: str, identifiers: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The story of each of these mentions of a brand that was given one."""
    wanted = sorted(set(identifiers))
    found: dict[uuid.UUID, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = session.execute(
            select(MentionStoryTable.mention_id, MentionStoryTable.story).where(
                MentionStoryTable.brand == brand,
                MentionStoryTable.mention_id.in_(wanted[start : start + _AT_ONCE]),
            )
        )
        found |= {row.mention_id: row.story for row in rows}
    return found


def tellers(session: Session, brand: str, told: Collection[str]) -> dict[str, str]:
    """The mentions of a brand, by id, that tell one of these stories, and which."""
    rows = session.execute(
        select(MentionStoryTable.mention_id, MentionStoryTable.story).where(
            MentionStoryTable.brand == brand, MentionStoryTable.story.in_(sorted(told))
        )
    )
    return {str(row.mention_id): row.story for row in rows}


def forget(session: Session, identifiers: Iterable[uuid.UUID]) -> None:
    """These mentions are gone; the story that one told says nothing any more."""
    gone = sorted(set(identifiers))
    for start in range(0, len(gone), _AT_ONCE):
        session.execute(
            delete(MentionStoryTable)
            .where(MentionStoryTable.mention_id.in_(gone[start : start + _AT_ONCE]))
            .execution_options(synchronize_session=False)
        )


def top_stories(
    session: Session, brand: str, since: datetime, until: datetime, *, thresholds: Thresholds, limit: int
) -> Sequence[StoryFigures]:
    """The first `limit` stories by different authors, of the mentions that count from `since` (included) to `until`."""
    labels, mention, told = MentionBrandTable, MentionTable, MentionStoryTable
    engagement = [cast(func.coalesce(part, 0), Float) for part in (mention.likes, mention.reposts, mention.replies)]
    authors = func.count(func.distinct(func.coalesce(mention.author_key, cast(mention.id, String))))
    rows = session.execute(
        select(
            told.story,
            func.count(),
            authors,
            func.sum(case((labels.sentiment == SentimentLabel.NEGATIVE, 1), else_=0)),
            func.sum(case((labels.sentiment == SentimentLabel.POSITIVE, 1), else_=0)),
            func.sum(case((harmful(thresholds.risk), 1), else_=0)),
            func.sum(engagement[0] + engagement[1] + engagement[2]),
            func.sum(cast(func.coalesce(mention.views, mention.author_followers, 0), Float)),
            func.min(labels.published_at),
            func.max(labels.published_at),
        )
        .select_from(labels)
        .join(mention, LABELS_OF_MENTION)
        .join(told, (told.mention_id == labels.mention_id) & (told.brand == labels.brand))
        .where(*_counted(brand, since, until, thresholds))
        .group_by(told.story)
        .order_by(authors.desc(), func.count().desc(), told.story)
        .limit(limit)
    ).all()
    found = []
    for row in rows:
        example, title = _loudest(session, row[0], _counted(brand, since, until, thresholds))
        found.append(
            StoryFigures(
                story=row[0],
                title=title,
                example=example,
                mentions=row[1],
                authors=row[2],
                negative=int(row[3]),
                positive=int(row[4]),
                harmful=int(row[5]),
                engagement=float(row[6]),
                reach=float(row[7]),
                first_at=row[8],
                last_at=row[9],
            )
        )
    return found


def _counted(brand: str, since: datetime, until: datetime, thresholds: Thresholds) -> list[Any]:
    labels = MentionBrandTable
    return [
        labels.brand == brand,
        labels.published_at >= since,
        labels.published_at < until,
        labels.in_counts,
        labels.relevance >= thresholds.relevance,
        not_own(),
    ]


def _loudest(session: Session, story: str, counted: Sequence[Any]) -> tuple[uuid.UUID | None, str | None]:
    labels, mention, told = MentionBrandTable, MentionTable, MentionStoryTable
    row = session.execute(
        select(mention.id, func.substr(mention.text, 1, _TITLE))
        .select_from(told)
        .join(labels, (labels.mention_id == told.mention_id) & (labels.brand == told.brand))
        .join(mention, LABELS_OF_MENTION)
        .where(told.story == story, mention.state == MentionState.LIVE, *counted)
        .order_by(func.coalesce(mention.views, mention.author_followers, 0).desc(), labels.published_at, mention.id)
        .limit(1)
    ).first()
    return (row[0], " ".join((row[1] or "").split()) or None) if row else (None, None)
