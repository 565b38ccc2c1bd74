"""Figures of what was said: counted by span, and by hour from the baseline's memory.

Everywhere only what counts: about the brand, and in its counts; own posts are never counted (house rule).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, and_, case, cast, column, func, or_, select, values
from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, SentimentLabel
from tocsin.storage.base import UtcDateTime
from tocsin.storage.tables.mentions import HourCountTable, MentionBrandTable, MentionTable


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From the neural network's card: the risk from which a mention is harmful whatever its sentiment, and the relevance from
    which it is about the brand (both 0–1)."""

    risk: float = 0.5
    relevance: float = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What was said of a brand from `since` (included) to `until`."""

    since: datetime
    until: datetime
    mentions: int = 0
    authors: int = 0
    """Different ones; where a source names none, each mention counts as one."""
    negative: int = 0
    """Mentions of negative sentiment."""
    harmful: int = 0
    """Mentions that are negative, or of a risk at or above the threshold."""


def count_spans(session: Session, brand: str, edges: Sequence[datetime], *, thresholds: Thresholds) -> list[Figures]:
    """Figures between each two neighbours of `edges` (ascending).

    Counted from the rows in one statement, so an author who wrote twice in a span is one author there.
    """
    spans = list(itertools.pairwise(edges))
    if not spans:
        return []
    span = (
        values(
            column("position", Integer),
            column("since", UtcDateTime()),
            column("until", UtcDateTime()),
            name="span",
        )
        .data([(position, since, until) for position, (since, until) in enumerate(spans)])
        .cte()
    )
    labels = MentionBrandTable
    author = func.coalesce(MentionTable.author_key, cast(MentionTable.id, String))
    rows = session.execute(
        select(
            span.c.position,
            func.count(labels.mention_id),
            func.count(func.distinct(author)),
            func.sum(case((labels.sentiment == SentimentLabel.NEGATIVE, 1), else_=0)),
            func.sum(case((harmful(thresholds.risk), 1), else_=0)),
        )
        .select_from(span)
        .join(
            labels,
            and_(labels.brand == brand, labels.published_at >= span.c.since, labels.published_at < span.c.until),
        )
        .join(MentionTable, MentionTable.id == labels.mention_id)
        .where(labels.in_counts, labels.relevance >= thresholds.relevance, not_own())
        .group_by(span.c.position)
    ).all()
    counted = {row[0]: row for row in rows}
    return [
        Figures(since, until, *(int(number) for number in counted[position][1:]))
        if position in counted
        else Figures(since, until)
        for position, (since, until) in enumerate(spans)
    ]


def mentions_by_hour(session: Session, brand: str, since: datetime, until: datetime) -> dict[datetime, int]:
    """Mentions of each counted hour (its start, UTC), from the baseline's memory; hours without any are left out."""
    rows = session.execute(
        select(HourCountTable.hour, HourCountTable.counts).where(
            HourCountTable.brand == brand, HourCountTable.hour >= since, HourCountTable.hour < until
        )
    )
    return {row.hour: int(row.counts.get("mentions", 0)) for row in rows}


def harmful(risk: float) -> Any:
    """Whether a row of labels is harmful, `risk` being the threshold."""
    return or_(MentionBrandTable.sentiment == SentimentLabel.NEGATIVE, MentionBrandTable.risk >= risk)


def not_own() -> Any:
    """Whether a mention is not one of the brand's own posts."""
    return func.coalesce(MentionTable.author_role, AuthorRole.PUBLIC.value) != AuthorRole.OWN.value
