"""Who speaks of a brand: its loudest detractors, its ambassadors, and the press. docs/figures.md defines the ranking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, Select, case, cast, func, or_, select
from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, SentimentLabel, SourceKind
from tocsin.storage.figures import harmful, not_own
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable
from tocsin.storage.thresholds import Thresholds

_CANDIDATES = 500
"""How many of the most active and of the most followed are compared with each other."""


class AuthorRank(StrEnum):
    """Whom a list is of."""

    DETRACTORS = "detractors"
    """With at least one harmful mention; by harmful mentions × log10(10 + followers)."""
    AMBASSADORS = "ambassadors"
    """With more positive mentions than negative ones; by positive mentions × log10(10 + followers)."""
    PRESS = "press"
    """Outlets, or authors whose role is press; by mentions × log10(10 + followers)."""


@dataclass(frozen=True, slots=True)
class RankedAuthor:
    """One author and what they said of a brand in a stretch of time. `weight` is what the list is sorted by."""

    key: str
    name: str | None
    followers: int | None
    """The most that were seen."""
    mentions: int
    negative: int
    positive: int
    harmful: int
    engagement: float
    last_at: datetime
    weight: float


def top_authors(
    session: Session,
    brand: str,
    since: datetime,
    until: datetime,
    *,
    rank: AuthorRank,
    thresholds: Thresholds,
    limit: int,
) -> list[RankedAuthor]:
    """The first `limit` of a list, for the mentions that count from `since` (included) to `until`; press by outlet where known."""
    labels, mention = MentionBrandTable, MentionTable
    press = or_(mention.author_role == AuthorRole.PRESS, mention.source_kind == SourceKind.PRESS)
    # A name is no key: where the author is not known, the outlet or the source stands for the press.
    key: Any = mention.author_key
    name: Any = mention.author_name
    if rank is AuthorRank.PRESS:
        key = func.coalesce(mention.outlet, mention.author_key, mention.source)
        name = func.coalesce(mention.outlet, mention.author_name, mention.source)
    negative = func.sum(case((labels.sentiment == SentimentLabel.NEGATIVE, 1), else_=0))
    positive = func.sum(case((labels.sentiment == SentimentLabel.POSITIVE, 1), else_=0))
    harm = func.sum(case((harmful(thresholds.risk), 1), else_=0))
    mentions, followers = func.count(), func.max(mention.author_followers)
    counted = {AuthorRank.DETRACTORS: harm, AuthorRank.AMBASSADORS: positive, AuthorRank.PRESS: mentions}[rank]
    engagement = func.sum(
        cast(func.coalesce(mention.likes, 0), Float)
        + cast(func.coalesce(mention.reposts, 0), Float)
        + cast(func.coalesce(mention.replies, 0), Float)
    )
    chosen: Select[Any] = (
        select(
            key.label("key"),
            func.max(name).label("name"),
            followers.label("followers"),
            mentions.label("mentions"),
            negative.label("negative"),
            positive.label("positive"),
            harm.label("harmful"),
            engagement.label("engagement"),
            func.max(labels.published_at).label("last_at"),
        )
        .select_from(labels)
        .join(mention, LABELS_OF_MENTION)
        .where(
            labels.brand == brand,
            labels.published_at >= since,
            labels.published_at < until,
            labels.in_counts,
            labels.relevance >= thresholds.relevance,
            not_own(),
            key.is_not(None),
        )
        .group_by(key)
    )
    if rank is AuthorRank.PRESS:
        chosen = chosen.where(press)
    elif rank is AuthorRank.DETRACTORS:
        chosen = chosen.having(harm > 0)
    else:
        chosen = chosen.having(positive > negative)
    rows = {
        row.key: row
        for order in (counted.desc(), func.coalesce(followers, 0).desc())
        for row in session.execute(chosen.order_by(order, key).limit(_CANDIDATES))
    }
    ranked = [_ranked(row, rank) for row in rows.values()]
    return sorted(ranked, key=lambda author: (-author.weight, author.key))[:limit]


def _ranked(row: Any, rank: AuthorRank) -> RankedAuthor:
    counted = {
        AuthorRank.DETRACTORS: row.harmful,
        AuthorRank.AMBASSADORS: row.positive,
        AuthorRank.PRESS: row.mentions,
    }[rank]
    return RankedAuthor(
        key=row.key,
        name=row.name,
        followers=row.followers,
        mentions=int(row.mentions),
        negative=int(row.negative),
        positive=int(row.positive),
        harmful=int(row.harmful),
        engagement=float(row.engagement),
        last_at=row.last_at,
        weight=round(int(counted) * math.log10(10 + (row.followers or 0)), 3),
    )
