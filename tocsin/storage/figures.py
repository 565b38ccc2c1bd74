"""Figures of what was said: counted by span, and by hour from the baseline's memory.

Everywhere only what counts: about the brand, and in its counts; own posts are never counted (house rule).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, SentimentLabel
from tocsin.storage import timelines
from tocsin.storage.tables.mentions import HourCountTable, MentionBrandTable, MentionTable
from tocsin.storage.tallies import Split, Tally
from tocsin.storage.thresholds import Thresholds

__all__ = ["Figures", "Thresholds", "count_spans", "harmful", "mentions_by_hour", "not_own", "split_spans"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was said of a brand from `since` (included) to `until`; docs/figures.md defines each figure."""

    since: datetime
    until: datetime
    mentions: int = 0
    authors: int = 0
    """Different ones; where a source names none, each mention counts as one."""
    negative: int = 0
    """Mentions of negative sentiment."""
    harmful: int = 0
    """Mentions that are negative, or of a risk at or above the threshold."""
    neutral: int = 0
    positive: int = 0
    engagement: float = 0.0
    with_engagement: int = 0
    reach: float = 0.0
    with_reach: int = 0

    @property
    def net_sentiment(self) -> float | None:
        """(positive − negative) ÷ labelled mentions, −1 to 1; None without labelled mentions."""
        labelled = self.negative + self.neutral + self.positive
        return (self.positive - self.negative) / labelled if labelled else None


def count_spans(session: Session, brand: str, edges: Sequence[datetime], *, thresholds: Thresholds) -> list[Figures]:
    """Figures between each two neighbours of `edges` (ascending); an author who wrote twice in a span is one author there."""
    spans = timelines.tally_spans(session, brand, edges, split=None, thresholds=thresholds)
    return [
        _figures(since, until, tallies.get("", Tally()))
        for (since, until), tallies in zip(itertools.pairwise(edges), spans, strict=True)
    ]


def split_spans(
    session: Session, brand: str, edges: Sequence[datetime], *, split: Split, thresholds: Thresholds
) -> list[tuple[Figures, dict[str, Figures]]]:
    """The same, and apart by value of a split; a value without a mention in a span is left out there."""
    spans = timelines.tally_spans(session, brand, edges, split=split, thresholds=thresholds)
    wholes = count_spans(session, brand, edges, thresholds=thresholds)
    return [
        (whole, {value: _figures(whole.since, whole.until, tally) for value, tally in sorted(tallies.items())})
        for whole, tallies in zip(wholes, spans, strict=True)
    ]


def _figures(since: datetime, until: datetime, tally: Tally) -> Figures:
    return Figures(
        since=since,
        until=until,
        mentions=tally.mentions,
        authors=tally.authors,
        negative=tally.negative,
        harmful=tally.harmful,
        neutral=tally.neutral,
        positive=tally.positive,
        engagement=tally.engagement,
        with_engagement=tally.with_engagement,
        reach=tally.reach,
        with_reach=tally.with_reach,
    )


def mentions_by_hour(session: Session, brand: str, since: datetime, until: datetime) -> dict[datetime, int]:
    """Mentions of each counted hour (its start, UTC), from the baseline's memory; hours without any are left out."""
    rows = session.execute(
        # The one number, and not the counts by language and kind around it, of some hundreds of hours.
        select(HourCountTable.hour, HourCountTable.counts["mentions"].as_integer()).where(
            HourCountTable.brand == brand, HourCountTable.hour >= since, HourCountTable.hour < until
        )
    )
    return {hour: mentions or 0 for hour, mentions in rows}


def harmful(risk: float) -> Any:
    """Whether a row of labels is harmful, `risk` being the threshold."""
    return or_(MentionBrandTable.sentiment == SentimentLabel.NEGATIVE, MentionBrandTable.risk >= risk)


def not_own() -> Any:
    """Whether a mention is not one of the brand's own posts."""
    return func.coalesce(MentionTable.author_role, AuthorRole.PUBLIC.value) != AuthorRole.OWN.value
