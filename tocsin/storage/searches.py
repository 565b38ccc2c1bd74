"""What people ask of the mentions: lists in pages, figures over time, and the riskiest of them.

Everywhere only what counts: about the brand, and in its counts; own posts are listed and never counted (house rule).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    cast,
    column,
    func,
    or_,
    select,
    table,
)
from sqlalchemy.orm import Session

from tocsin.contracts.events import SentimentLabel
from tocsin.storage import link_parts, text_index
from tocsin.storage.figures import harmful, not_own
from tocsin.storage.planning import CrossJoin
from tocsin.storage.tables.figures import MentionStoryTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionState, MentionTable
from tocsin.storage.text_queries import TextQuery
from tocsin.storage.thresholds import Thresholds


class Sort(StrEnum):
    """What comes first; equals come the newest first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    RISK = "risk"
    """The riskiest first; without labels last."""
    REACH = "reach"
    """Seen by the most first: views where the source gives them, else the author's followers."""
    ENGAGEMENT = "engagement"
    """Most likes, reposts and replies first."""


@dataclass(frozen=True, slots=True)
class MentionFilter:
    """Which mentions of one brand; `since` is included, `until` is not.

    Of several values of one kind one is enough; what is None or empty is not asked for.
    """

    brand: str
    since: datetime | None = None
    until: datetime | None = None
    sources: Sequence[str] = ()
    source_kinds: Sequence[str] = ()
    languages: Sequence[str] = ()
    """`pt` finds `pt-BR` too."""
    sentiments: Sequence[SentimentLabel] = ()
    risk_at_least: float | None = None
    risk_kinds: Sequence[str] = ()
    authors: Sequence[str] = ()
    """Keys of authors (`FoundMention.author_key`), or names, whatever the case and accents."""
    hashtags: Sequence[str] = ()
    """Without their sign, whatever the case and accents."""
    links: Sequence[str] = ()
    """In a text; what says only where somebody clicked does not matter (`tocsin.storage.link_parts.plain`)."""
    campaigns: Sequence[str] = ()
    """`utm_campaign` of a link."""
    stories: Sequence[str] = ()
    """As the evidence of an alert and `tocsin.storage.stories` name them."""
    text: TextQuery | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last mention, and what it was sorted by (None where that is time alone)."""

    at: datetime
    id: uuid.UUID
    value: float | None = None


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
    author_key: str | None
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
    explanation: Sequence[dict[str, Any]] | None = None
    """`{start, end, weight}` of the words that moved its risk, places in `text`; None where nobody looked."""
    story: str | None = None
    """None where it was not given one yet."""
    correction: Mapping[str, Any] | None = None
    """What a person said instead of the network, and under `network` what that had said (`tocsin.storage.merging`)."""

    @property
    def engagement(self) -> float:
        """Likes, reposts and replies; 0 where the source gives none."""
        return float(self.likes or 0) + float(self.reposts or 0) + float(self.replies or 0)

    @property
    def reach(self) -> float:
        """Views, else the author's followers; 0 where the source gives neither."""
        return float(self.author_followers or 0) if self.views is None else float(self.views)

    def place(self, sort: Sort) -> Place:
        """Where a page that ends with it goes on."""
        values = {Sort.RISK: _UNKNOWN_RISK if self.risk is None else self.risk}
        values |= {Sort.REACH: self.reach, Sort.ENGAGEMENT: self.engagement}
        return Place(self.published_at, self.id, values.get(sort))


def find_mentions(
    session: Session, wanted: MentionFilter, *, limit: int, sort: Sort = Sort.NEWEST, after: Place | None = None
) -> list[FoundMention]:
    """At most `limit` mentions in the order of `sort`, from behind the place `after` on."""
    indexed = _on_sqlite(session) and _needs_index(wanted)
    if indexed and sort in (Sort.NEWEST, Sort.OLDEST):
        return _find_in_order_of_numbers(session, wanted, limit=limit, sort=sort, after=after)
    chosen = _chosen(session, wanted)
    if after is not None:
        chosen = chosen.where(_behind(after, sort))
    return [_found(row) for row in session.execute(chosen.order_by(*_order(sort)).limit(limit))]


def pages_are_cheap(session: Session, wanted: MentionFilter, sort: Sort) -> bool:
    """Whether a page costs the same however many mentions are found, because an index has them in that order.

    Else each page looks at everything that is found, and whoever wants all of it begins with `identifiers_in_order`.
    """
    if sort not in (Sort.NEWEST, Sort.OLDEST) or wanted.stories:
        return False
    return _on_sqlite(session) or not _needs_index(wanted)


def identifiers_in_order(session: Session, wanted: MentionFilter, sort: Sort) -> Iterator[tuple[uuid.UUID, datetime]]:
    """Id and time of publication of everything that a search finds, in the order of `sort`; read a little at a time."""
    labels = MentionBrandTable
    origin, conditions = _origin(session, wanted)
    if sort in (Sort.REACH, Sort.ENGAGEMENT):
        origin = CrossJoin(origin, MentionTable.__table__, LABELS_OF_MENTION)
    chosen = select(labels.mention_id, labels.published_at).select_from(origin).where(*conditions)
    for row in session.execute(chosen.order_by(*_order(sort)).execution_options(yield_per=_READ_AT_ONCE)):
        yield row.mention_id, row.published_at


def find_identified(
    session: Session, brand: str, identifiers: Sequence[tuple[uuid.UUID, datetime]]
) -> list[FoundMention]:
    """Those of the mentions that are (still) in the counts of a brand, in the order in which they are given; a few hundred at most."""
    times = [at for _, at in identifiers]
    # The span tells PostgreSQL which months to look into.
    chosen = _chosen(session, MentionFilter(brand)).where(
        MentionBrandTable.mention_id.in_([identifier for identifier, _ in identifiers]),
        MentionBrandTable.published_at.between(min(times), max(times)),
    )
    found = {row.id: _found(row) for row in session.execute(chosen)}
    return [found[identifier] for identifier, _ in identifiers if identifier in found]


def find_risky(
    session: Session, brand: str, since: datetime, until: datetime, *, thresholds: Thresholds, limit: int
) -> list[FoundMention]:
    """At most `limit` harmful mentions of a span of time that can be read and are not the brand's own, the riskiest first."""
    chosen = _chosen(session, MentionFilter(brand, since, until)).where(
        MentionTable.state == MentionState.LIVE,
        not_own(),
        MentionBrandTable.relevance >= thresholds.relevance,
        harmful(thresholds.risk),
    )
    ordered = chosen.order_by(
        func.coalesce(MentionBrandTable.risk, 0.0).desc(),
        MentionBrandTable.published_at.desc(),
        MentionBrandTable.mention_id,
    )
    return [_found(row) for row in session.execute(ordered.limit(limit))]


_FTS5 = table("mention_tokens", column("rowid", BigInteger), column("tokens", Text))
_UNKNOWN_RISK = -1.0
_READ_AT_ONCE = 10_000

_SORTED_BY: dict[Sort, ColumnElement[float]] = {
    # As floating point: three counts of 64 bits each would not fit into one.
    Sort.RISK: func.coalesce(MentionBrandTable.risk, _UNKNOWN_RISK),
    Sort.REACH: cast(func.coalesce(MentionTable.views, MentionTable.author_followers, 0), Float),
    Sort.ENGAGEMENT: cast(func.coalesce(MentionTable.likes, 0), Float)
    + cast(func.coalesce(MentionTable.reposts, 0), Float)
    + cast(func.coalesce(MentionTable.replies, 0), Float),
}

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
    MentionTable.author_key,
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
    MentionBrandTable.explanation,
    MentionStoryTable.story,
    MentionBrandTable.correction,
)


def count_mentions(session: Session, wanted: MentionFilter) -> int:
    """How many mentions a search finds."""
    return session.execute(_chosen(session, wanted).with_only_columns(func.count())).scalar_one()


def _chosen(session: Session, wanted: MentionFilter) -> Select[Any]:
    labels, told = MentionBrandTable, MentionStoryTable
    origin, conditions = _origin(session, wanted)
    chosen = select(*_COLUMNS).select_from(CrossJoin(origin, MentionTable.__table__, LABELS_OF_MENTION))
    chosen = chosen.outerjoin(told, and_(told.mention_id == labels.mention_id, told.brand == labels.brand))
    return chosen.where(*conditions)


def _origin(session: Session, wanted: MentionFilter) -> tuple[FromClause, list[ColumnElement[bool]]]:
    """The labels that a search is among, and what they must meet."""
    labels, told = MentionBrandTable, MentionStoryTable
    origin: FromClause = labels.__table__
    conditions: list[ColumnElement[bool]] = [labels.brand == wanted.brand, labels.in_counts.is_(True)]
    if _needs_index(wanted):
        groups = _facets(wanted)
        if _on_sqlite(session):
            # It keeps the lists of other brands out of the way.
            groups = [[text_index.facet("brand", wanted.brand)], *groups]
            origin = CrossJoin(_FTS5, origin, _FTS5.c.rowid == labels.search_number)
            conditions.append(_FTS5.c.tokens.op("MATCH")(text_index.fts5_query(groups, wanted.text)))
            # Only numbers of those seconds need be looked at.
            if wanted.since is not None:
                conditions.append(_FTS5.c.rowid >= text_index.first_number(wanted.since))
            if wanted.until is not None:
                conditions.append(_FTS5.c.rowid < text_index.first_number(wanted.until) + text_index.SECOND)
        else:
            # Without the brand's facet: beside the brand itself PostgreSQL would expect a thirtieth of what is found, and look at all
            # of it (80 to 200 ms for a common word) instead of the newest.
            conditions.append(labels.tokens.op("@@")(text_index.tsquery(groups, wanted.text)))
    if wanted.stories:
        of_stories = select(told.mention_id).where(told.brand == wanted.brand, told.story.in_(wanted.stories))
        conditions.append(labels.mention_id.in_(of_stories))
    if wanted.since is not None:
        conditions.append(labels.published_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(labels.published_at < wanted.until)
    if wanted.sentiments:
        conditions.append(labels.sentiment.in_(wanted.sentiments))
    if wanted.risk_at_least is not None:
        conditions.append(labels.risk >= wanted.risk_at_least)
    return origin, conditions


def _needs_index(wanted: MentionFilter) -> bool:
    asked = (
        wanted.sources, wanted.source_kinds, wanted.languages, wanted.risk_kinds, wanted.authors,
        wanted.hashtags, wanted.links, wanted.campaigns,
    )  # fmt: skip
    return any(asked) or wanted.text is not None


def _facets(wanted: MentionFilter) -> list[list[str]]:
    """Groups of which one facet each must be there; an empty one asks for nothing."""
    return [
        [text_index.facet("source", source) for source in wanted.sources],
        [text_index.facet("source_kind", kind) for kind in wanted.source_kinds],
        [text_index.facet("language", language.lower()) for language in wanted.languages],
        [text_index.facet("risk_kind", kind) for kind in wanted.risk_kinds],
        [text_index.facet("hashtag", text_index.folded_hashtag(tag)) for tag in wanted.hashtags],
        [text_index.facet("link", link_parts.plain(link)) for link in wanted.links],
        [text_index.facet("campaign", campaign) for campaign in wanted.campaigns],
        [
            item
            for author in wanted.authors
            for item in (text_index.facet("author", author), text_index.name_facet(author))
        ],
    ]


def _find_in_order_of_numbers(
    session: Session, wanted: MentionFilter, *, limit: int, sort: Sort, after: Place | None
) -> list[FoundMention]:
    """On SQLite: the first rows in the order of the index's numbers, so that nothing is sorted that is not shown.

    Numbers go by the second; who shares the last row's second is fetched too, and the exact order made here.
    """
    newest = sort is Sort.NEWEST
    number = _FTS5.c.rowid
    chosen = _chosen(session, wanted).add_columns(MentionBrandTable.search_number)
    if after is not None:
        edge = text_index.first_number(after.at) + (text_index.SECOND if newest else 0)
        chosen = chosen.where(_behind(after, sort), number < edge if newest else number >= edge)
    rows = session.execute(chosen.order_by(number.desc() if newest else number.asc()).limit(limit)).all()
    if len(rows) == limit:
        last = rows[-1].search_number
        first = last - last % text_index.SECOND
        beyond = (
            and_(number >= first, number < last) if newest else and_(number > last, number < first + text_index.SECOND)
        )
        rows = [*rows, *session.execute(chosen.where(beyond).order_by(*_order(sort)).limit(limit)).all()]
    found = [_found(row) for row in rows]
    return sorted(found, key=lambda mention: (mention.published_at, mention.id), reverse=newest)[:limit]


def _order(sort: Sort) -> list[ColumnElement[Any]]:
    at, identifier = MentionBrandTable.published_at, MentionBrandTable.mention_id
    if sort is Sort.OLDEST:
        return [at.asc(), identifier.asc()]
    value = _SORTED_BY.get(sort)
    return [*([] if value is None else [value.desc()]), at.desc(), identifier.desc()]


def _behind(after: Place, sort: Sort) -> ColumnElement[bool]:
    # Spelt out, because values in a tuple would not be bound as the columns' types, and SQLite would compare instants with words.
    at, identifier = MentionBrandTable.published_at, MentionBrandTable.mention_id
    if sort is Sort.OLDEST:
        return and_(at >= after.at, or_(at > after.at, and_(at == after.at, identifier > after.id)))
    # The first condition alone already uses the index; the second then decides among equals.
    behind = and_(at <= after.at, or_(at < after.at, and_(at == after.at, identifier < after.id)))
    value = _SORTED_BY.get(sort)
    if value is None or after.value is None:
        return behind
    return and_(value <= after.value, or_(value < after.value, and_(value == after.value, behind)))


def _on_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _found(row: Row[Any]) -> FoundMention:
    fields = dict(row._mapping)
    fields.pop("search_number", None)
    return FoundMention(**{**fields, "state": MentionState(fields["state"]), "risk_kinds": fields["risk_kinds"] or ()})
