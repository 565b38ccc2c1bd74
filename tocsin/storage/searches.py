"""What people ask of the mentions: lists in pages, figures over time, and the riskiest of them.

Everywhere only what counts: about the brand, and in its counts; own posts are listed and never counted (house rule).
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Row, Select, String, and_, case, cast, column, func, or_, select, values
from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, SentimentLabel
from tocsin.storage.base import UtcDateTime
from tocsin.storage.tables.mentions import HourCountTable, MentionBrandTable, MentionState, MentionTable


@dataclass(frozen=True, slots=True)
class MentionFilter:
    """Which mentions of one brand; `since` is included, `until` is not. None: whatever it is."""

    brand: str
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    language: str | None = None
    """The primary tag, such as `pt`: finds `pt-BR` too."""
    sentiment: SentimentLabel | None = None
    risk_at_least: float | None = None


@dataclass(frozen=True, slots=True)
class FoundMention:
    """A mention with its labels for one brand. What the platform deleted has neither text nor author left."""

    id: uuid.UUID
    brand: str
    state: MentionState
    source: str
    source_kind: str | None
    native_id: str | None
    published_at: datetime
    text: str | None
    url: str | None
    language: str | None
    outlet: str | None
    author_name: str | None
    author_followers: int | None
    author_role: str | None
    likes: int | None
    reposts: int | None
    replies: int | None
    views: int | None
    rating_value: float | None
    rating_best: float | None
    labels: str
    relevance: float
    sentiment: str | None
    negative: float | None
    neutral: float | None
    positive: float | None
    risk: float | None
    risk_kinds: Sequence[dict[str, Any]]
    toxicity: float | None
    copy_key: str


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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From the neural network's card: the risk from which a mention is harmful whatever its sentiment, and the relevance from
    which it is about the brand (both 0–1)."""

    risk: float = 0.5
    relevance: float = 0.5


def find_mentions(
    session: Session, wanted: MentionFilter, *, limit: int, before: tuple[datetime, uuid.UUID] | None = None
) -> list[FoundMention]:
    """At most `limit` mentions, the newest first, from behind the place `before` (time and id) on."""
    chosen = _chosen(wanted)
    if before is not None:
        at, identifier = before
        # The first condition alone already uses the index; the second then decides among equals. Spelt out, because values in
        # a tuple would not be bound as the columns' types, and SQLite would compare instants with words.
        behind = and_(MentionBrandTable.published_at == at, MentionBrandTable.mention_id < identifier)
        chosen = chosen.where(MentionBrandTable.published_at <= at, or_(MentionBrandTable.published_at < at, behind))
    ordered = chosen.order_by(MentionBrandTable.published_at.desc(), MentionBrandTable.mention_id.desc())
    return [_found(row) for row in session.execute(ordered.limit(limit))]


def find_risky(
    session: Session, brand: str, since: datetime, until: datetime, *, thresholds: Thresholds, limit: int
) -> list[FoundMention]:
    """At most `limit` harmful mentions of a span of time that can be read and are not the brand's own, the riskiest first."""
    chosen = _chosen(MentionFilter(brand, since, until)).where(
        MentionTable.state == MentionState.LIVE,
        _not_own(),
        MentionBrandTable.relevance >= thresholds.relevance,
        _harmful(thresholds.risk),
    )
    ordered = chosen.order_by(
        func.coalesce(MentionBrandTable.risk, 0.0).desc(),
        MentionBrandTable.published_at.desc(),
        MentionBrandTable.mention_id,
    )
    return [_found(row) for row in session.execute(ordered.limit(limit))]


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
            func.sum(case((_harmful(thresholds.risk), 1), else_=0)),
        )
        .select_from(span)
        .join(
            labels,
            and_(labels.brand == brand, labels.published_at >= span.c.since, labels.published_at < span.c.until),
        )
        .join(MentionTable, MentionTable.id == labels.mention_id)
        .where(labels.in_counts, labels.relevance >= thresholds.relevance, _not_own())
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


_COLUMNS = (
    MentionTable.id,
    MentionBrandTable.brand,
    MentionTable.state,
    MentionTable.source,
    MentionTable.source_kind,
    MentionTable.native_id,
    MentionBrandTable.published_at,
    MentionTable.text,
    MentionTable.url,
    MentionTable.language,
    MentionTable.outlet,
    MentionTable.author_name,
    MentionTable.author_followers,
    MentionTable.author_role,
    MentionTable.likes,
    MentionTable.reposts,
    MentionTable.replies,
    MentionTable.views,
    MentionTable.rating_value,
    MentionTable.rating_best,
    MentionBrandTable.labels,
    MentionBrandTable.relevance,
    MentionBrandTable.sentiment,
    MentionBrandTable.negative,
    MentionBrandTable.neutral,
    MentionBrandTable.positive,
    MentionBrandTable.risk,
    MentionBrandTable.risk_kinds,
    MentionBrandTable.toxicity,
    MentionTable.copy_key,
)


def _chosen(wanted: MentionFilter) -> Select[Any]:
    labels = MentionBrandTable
    chosen = (
        select(*_COLUMNS)
        .join(MentionTable, MentionTable.id == labels.mention_id)
        .where(labels.brand == wanted.brand, labels.in_counts)
    )
    if wanted.since is not None:
        chosen = chosen.where(labels.published_at >= wanted.since)
    if wanted.until is not None:
        chosen = chosen.where(labels.published_at < wanted.until)
    if wanted.source is not None:
        chosen = chosen.where(MentionTable.source == wanted.source)
    if wanted.language is not None:
        tag = func.lower(MentionTable.language)
        chosen = chosen.where(
            or_(tag == wanted.language.lower(), tag.startswith(f"{wanted.language.lower()}-", autoescape=True))
        )
    if wanted.sentiment is not None:
        chosen = chosen.where(labels.sentiment == wanted.sentiment)
    if wanted.risk_at_least is not None:
        chosen = chosen.where(labels.risk >= wanted.risk_at_least)
    return chosen


def _harmful(risk: float) -> Any:
    return or_(MentionBrandTable.sentiment == SentimentLabel.NEGATIVE, MentionBrandTable.risk >= risk)


def _not_own() -> Any:
    return func.coalesce(MentionTable.author_role, AuthorRole.PUBLIC.value) != AuthorRole.OWN.value


def _found(row: Row[Any]) -> FoundMention:
    fields = dict(row._mapping)
    return FoundMention(**{**fields, "state": MentionState(fields["state"]), "risk_kinds": fields["risk_kinds"] or ()})
