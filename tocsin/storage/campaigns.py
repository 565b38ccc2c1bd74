"""Figures by campaign, source and medium, as the UTM parameters in the links of mentions name them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Float, String, and_, case, cast, delete, func, insert, select, update
from sqlalchemy.orm import Session

from tocsin.contracts.events import SentimentLabel
from tocsin.storage.base import plain
from tocsin.storage.figures import harmful, not_own
from tocsin.storage.link_parts import CampaignTag
from tocsin.storage.tables.figures import MentionCampaignTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable
from tocsin.storage.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """What was said with the links of one campaign, source and medium; empty where the links do not say."""

    campaign: str
    source: str
    medium: str
    mentions: int
    authors: int
    negative: int
    positive: int
    harmful: int
    engagement: float
    reach: float


def write(session: Session, tags: Mapping[tuple[uuid.UUID, datetime], Collection[CampaignTag]]) -> None:
    """These mentions (by id and time of publication) have these tags, and no others."""
    identifiers = [identifier for identifier, _ in tags]
    for start in range(0, len(identifiers), 500):
        session.execute(
            delete(MentionCampaignTable)
            .where(MentionCampaignTable.mention_id.in_(identifiers[start : start + 500]))
            .execution_options(synchronize_session=False)
        )
    rows = [
        {"mention_id": identifier, "published_at": at, **tag._asdict()}
        for (identifier, at), found in tags.items()
        for tag in found
    ]
    if rows:
        session.execute(insert(plain(MentionCampaignTable)), rows)


def move(session: Session, times: Mapping[uuid.UUID, datetime]) -> None:
    """These mentions' times of publication were corrected; their tags go along."""
    for identifier, at in times.items():
        session.execute(
            update(MentionCampaignTable).where(MentionCampaignTable.mention_id == identifier).values(published_at=at)
        )


def campaign_figures(
    session: Session, brand: str, since: datetime, until: datetime, *, thresholds: Thresholds, limit: int
) -> Sequence[CampaignFigures]:
    """Figures of the campaigns of a brand's mentions, the most mentioned first; a mention with links of two counts in both."""
    labels, mention, tag = MentionBrandTable, MentionTable, MentionCampaignTable
    engagement = [cast(func.coalesce(part, 0), Float) for part in (mention.likes, mention.reposts, mention.replies)]
    rows = session.execute(
        select(
            tag.campaign,
            tag.source,
            tag.medium,
            func.count().label("mentions"),
            func.count(func.distinct(func.coalesce(mention.author_key, cast(mention.id, String)))).label("authors"),
            func.sum(case((labels.sentiment == SentimentLabel.NEGATIVE, 1), else_=0)).label("negative"),
            func.sum(case((labels.sentiment == SentimentLabel.POSITIVE, 1), else_=0)).label("positive"),
            func.sum(case((harmful(thresholds.risk), 1), else_=0)).label("harmful"),
            func.sum(engagement[0] + engagement[1] + engagement[2]).label("engagement"),
            func.sum(cast(func.coalesce(mention.views, mention.author_followers, 0), Float)).label("reach"),
        )
        .join(
            labels,
            and_(labels.mention_id == tag.mention_id, labels.published_at.between(tag.published_at, tag.published_at)),
        )
        .join(mention, LABELS_OF_MENTION)
        .where(
            labels.brand == brand,
            tag.published_at >= since,
            tag.published_at < until,
            labels.in_counts,
            labels.relevance >= thresholds.relevance,
            not_own(),
        )
        .group_by(tag.campaign, tag.source, tag.medium)
        .order_by(func.count().desc(), tag.campaign, tag.source, tag.medium)
        .limit(limit)
    )
    return [CampaignFigures(*row[:3], *map(int, row[3:8]), *map(float, row[8:])) for row in rows]
