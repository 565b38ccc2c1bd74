"""Hashtags, words and links of a brand that rise against their own past, with the mentions behind them.

What is compared is the share of mentions that have a term: a busy day alone lets no word rise. Candidates are found in texts (all of
a short stretch, a sample of a long one); those that may have risen are then counted exactly with the full-text index.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from scipy.special import gammainc
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage.figures import not_own
from tocsin.storage.link_parts import hashtags_of, links_of, plain, without
from tocsin.storage.searches import MentionFilter, count_mentions
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable
from tocsin.storage.text_queries import Term, TextQuery, words_of
from tocsin.storage.thresholds import Thresholds

MOST_READ = 4000
"""Texts of the present, and of the past, that candidates are looked for in."""
FEWEST_AUTHORS = 3
LEAST_SURPRISE = 3.0
"""A term that rises by chance alone is shown once in a thousand."""
_EXAMPLES = 3
_SHORTEST_WORD = 3


class TrendKind(StrEnum):
    HASHTAG = "hashtag"
    WORD = "word"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Trend:
    """A term that rises. `surprise` is −log10 of the probability of so many by chance, were its share what it was."""

    kind: TrendKind
    term: str
    """Folded; a hashtag without its sign, a link without what only says where it was clicked."""
    mentions: int
    authors: int
    """Of the mentions that were read."""
    mentions_before: int
    expected: float
    """Mentions, if its share were what it was before."""
    surprise: float
    examples: tuple[uuid.UUID, ...]
    """The newest mentions with it."""


@dataclass(slots=True)
class _Seen:
    mentions: int = 0
    authors: set[str] = field(default_factory=set)
    examples: list[uuid.UUID] = field(default_factory=list)


_Term = tuple[TrendKind, str]


def rising(
    session: Session,
    brand: str,
    since: datetime,
    until: datetime,
    *,
    past_since: datetime,
    names: Collection[str] = (),
    thresholds: Thresholds,
    limit: int,
) -> list[Trend]:
    """At most `limit` terms of `since` (included) to `until` that rise against `past_since` to `since`, the most surprising first.

    `names` are left out: a brand's own name is in every mention of it.
    """
    own = {word for name in names for word in words_of(name)}
    present = _terms(_texts(session, brand, since, until, thresholds, sampled=False), own)
    past_rows = _texts(session, brand, past_since, since, thresholds, sampled=True)
    past = _terms(past_rows, own)
    total = count_mentions(session, MentionFilter(brand, since, until))
    total_before = count_mentions(session, MentionFilter(brand, past_since, since))
    read = len(past_rows)
    guesses = []
    for term, seen in present.items():
        if len(seen.authors) >= FEWEST_AUTHORS:
            before = past[term].mentions * total_before / max(read, 1) if term in past else 0.0
            guesses.append((_surprise(len(seen.authors), _expected(before, total_before, total)), term))
    # Three times as many as asked for: a sample may err.
    guesses.sort(key=lambda guess: (-guess[0], guess[1]))
    trends = []
    for guess, term in guesses[: 3 * limit]:
        if guess >= LEAST_SURPRISE:
            seen = present[term]
            mentions = count_mentions(session, _having(brand, since, until, term))
            before = count_mentions(session, _having(brand, past_since, since, term))
            expected = _expected(before, total_before, total)
            surprise = _surprise(len(seen.authors), expected)
            if surprise >= LEAST_SURPRISE:
                trends.append(
                    Trend(*term, mentions, len(seen.authors), before, round(expected, 2), round(surprise, 2),
                          tuple(seen.examples))
                )  # fmt: skip
    trends.sort(key=lambda trend: (-trend.surprise, -trend.authors, trend.kind, trend.term))
    return _without_echoes(trends)[:limit]


def _texts(
    session: Session, brand: str, since: datetime, until: datetime, thresholds: Thresholds, *, sampled: bool
) -> Sequence[Any]:
    labels, mention = MentionBrandTable, MentionTable
    chosen = (
        select(labels.mention_id, mention.text, mention.author_key)
        .join(mention, LABELS_OF_MENTION)
        .where(
            labels.brand == brand,
            labels.published_at >= since,
            labels.published_at < until,
            labels.in_counts,
            labels.relevance >= thresholds.relevance,
            mention.state == MentionState.LIVE,
            not_own(),
        )
    )
    # Ids are digests, so their order is a fair draw.
    order = labels.mention_id if sampled else labels.published_at.desc()
    return session.execute(chosen.order_by(order).limit(MOST_READ)).all()


def _terms(rows: Iterable[Any], own: Collection[str]) -> dict[_Term, _Seen]:
    terms: dict[_Term, _Seen] = defaultdict(_Seen)
    for identifier, said, author in rows:
        text: str = said or ""
        found: set[_Term] = {(TrendKind.HASHTAG, tag) for tag in hashtags_of(text)}
        links = links_of(text)
        found |= {(TrendKind.LINK, plain(link)) for link in links}
        words = {word for word in words_of(without(text, links)) if len(word) >= _SHORTEST_WORD and not word.isdigit()}
        found |= {(TrendKind.WORD, word) for word in words}
        for term in found:
            if term[1] not in own:
                seen = terms[term]
                seen.mentions += 1
                seen.authors.add(author or str(identifier))
                if len(seen.examples) < _EXAMPLES:
                    seen.examples.append(identifier)
    return terms


def _having(brand: str, since: datetime, until: datetime, term: _Term) -> MentionFilter:
    kind, text = term
    match kind:
        case TrendKind.HASHTAG:
            return MentionFilter(brand, since, until, hashtags=(text,))
        case TrendKind.LINK:
            return MentionFilter(brand, since, until, links=(text,))
        case TrendKind.WORD:
            return MentionFilter(brand, since, until, text=TextQuery((Term((text,)),)))


def _expected(before: float, total_before: int, total: int) -> float:
    # Half a mention more, so that what was never there is not expected never.
    return (before + 0.5) / (total_before + 1) * total


def _surprise(authors: int, expected: float) -> float:
    """−log10 P(Poisson(expected) ≥ authors)."""
    if authors <= expected:
        return 0.0
    chance = float(gammainc(authors, expected))
    return 300.0 if chance <= 0 else -math.log10(chance)


def _without_echoes(trends: list[Trend]) -> list[Trend]:
    """A word that is there only as a hashtag is shown once, as the hashtag."""
    kept: list[Trend] = []
    hashtags = {trend.term: trend for trend in trends if trend.kind is TrendKind.HASHTAG}
    for trend in trends:
        tag = hashtags.get(trend.term)
        if trend.kind is TrendKind.WORD and tag is not None and tag.authors >= 0.8 * trend.authors:
            continue
        kept.append(trend)
    return kept
