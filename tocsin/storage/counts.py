"""Counts of hours: always counted again from the rows, never added up; and the rows that detection looks at.

What is counted is detection's own affair: `recount` is given a function that makes counts of rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, bindparam, cast, delete, func, insert, or_, select, type_coerce
from sqlalchemy.orm import Session

from tocsin.storage import brands, hour_figures
from tocsin.storage.base import plain, upsert
from tocsin.storage.merging import BrandHour, start_of_hour
from tocsin.storage.tables.mentions import (
    LABELS_OF_MENTION,
    DirtyHourTable,
    HourCountTable,
    MentionBrandTable,
    MentionTable,
)
from tocsin.storage.thresholds import Thresholds

HOUR = timedelta(hours=1)
OPENING = 280
"""Characters of a text that detection looks at."""
_USUAL = Thresholds()
_LONGEST_RUN = 24
"""Hours that are counted with one look at the rows."""


class ObservedRow(NamedTuple):
    """What detection sees of one mention of one brand. Scores are 0–1, null without labels."""

    mention_id: str
    at: datetime
    author_key: str | None
    sentiment: str | None
    risk: float | None
    risk_kinds: tuple[str, ...]
    """Most probable first."""
    toxicity: float | None
    relevance: float
    language: str | None
    followers: int | None
    role: str
    source: str
    source_kind: str
    text: str
    """Its first `OPENING` characters; of a hidden mention, the crisis words that were in them."""
    copy_key: str
    engagement: int
    """Likes, reposts and replies."""
    repost: bool
    """It passes on somebody else's text and says so; unknown, so false, of a hidden mention."""
    wakes: bool
    views: int | None
    has_engagement: bool
    """Whether the source gives likes, reposts or replies."""


CountHours = Callable[[Sequence[ObservedRow]], Mapping[datetime, dict[str, Any]]]
"""Makes the counts of each hour (by its start, UTC) of rows; an hour where nothing counts is left out."""


def mark_dirty(session: Session, touched: Iterable[BrandHour]) -> None:
    """These hours must be counted again; to be called in the transaction that changed their rows."""
    marks = [{"brand": brand, "hour": hour} for brand, hour in sorted(touched)]
    if marks:
        session.execute(insert(plain(DirtyHourTable)), marks)


def mark_all_dirty(session: Session, brand: str, since: datetime) -> None:
    """All hours of a brand from `since` on must be counted again: what is counted has changed (a threshold, crisis words)."""
    published = session.scalars(
        select(MentionBrandTable.published_at).where(
            MentionBrandTable.brand == brand, MentionBrandTable.published_at >= since
        )
    )
    counted = session.scalars(
        select(HourCountTable.hour).where(HourCountTable.brand == brand, HourCountTable.hour >= since)
    )
    mark_dirty(session, {(brand, start_of_hour(at)) for at in published} | {(brand, hour) for hour in counted})


def brands_with_dirty_hours(session: Session) -> list[str]:
    """The brands that `recount` has something to do for."""
    return list(session.scalars(select(DirtyHourTable.brand).distinct().order_by(DirtyHourTable.brand)))


def recount(
    session: Session,
    brand: str,
    count: CountHours,
    *,
    now: datetime,
    thresholds: Thresholds = _USUAL,
    locked: bool = False,
    kept_since: datetime | None = None,
) -> list[datetime]:
    """Count the dirty hours of a brand again from its rows, for detection and for figures; returns these hours.

    The brand is locked, so that two evaluators never write an older count over a newer one. Marks are taken away before the rows
    are read, in the same transaction: what a handler is just committing keeps its own mark. `locked`: who calls has locked the
    brand already.

    Mentions published before `kept_since` go by retention, and the figures of their hours stay: such an hour is written only where
    there is now more in it than was counted (an import), never where there is less.
    """
    if not locked:
        brands.lock(session, brand, now=now)
    marks = DirtyHourTable.__table__
    taken = delete(plain(DirtyHourTable)).where(marks.c.brand == brand).returning(marks.c.hour)
    hours = sorted(set(session.connection().execute(taken).scalars()))
    for first, last in runs(hours):
        rows = observations(session, brand, first, last + HOUR)
        again, counted = [hour for hour in hours if first <= hour <= last], count(rows)
        if kept_since is not None and first < kept_since:
            more = _counted_before(session, brand, first, kept_since)
            again = [hour for hour in again if _mentions(counted.get(hour)) >= more.get(hour, 0)]
        _replace(session, brand, again, counted)
        hour_figures.replace(session, brand, again, rows, thresholds)
    return hours


def _counted_before(session: Session, brand: str, since: datetime, until: datetime) -> dict[datetime, int]:
    """How many mentions each hour had when it was last counted."""
    return {hour: _mentions(json.loads(counted)) for hour, counted in history(session, brand, since, until)}


def _mentions(counted: Mapping[str, Any] | None) -> int:
    return int(counted["mentions"]) if counted else 0


def observations(session: Session, brand: str, since: datetime, until: datetime) -> list[ObservedRow]:
    """The mentions of a brand that are in its counts, from `since` (included) to `until`, in order of time; own posts too."""
    statement = _observations(session.get_bind().dialect.name)
    rows = session.connection().execute(statement, {"brand": brand, "since": since, "until": until})
    return [ObservedRow._make((_dashed(row[0]), *row[1:5], kinds_from(row[5]), *row[6:])) for row in rows.all()]


@cache
def _observations(dialect: str) -> Select[Any]:
    """Made once: to put it together anew takes half as long as PostgreSQL takes to answer it."""
    # Plain columns of plain tables, and ids as text: entities and UUID objects would take longer than the query.
    link, mention = MentionBrandTable.__table__.c, MentionTable.__table__.c
    return (
        select(
            # SQLite holds it as 32 digits already.
            type_coerce(link.mention_id, Text) if dialect == "sqlite" else cast(link.mention_id, Text),
            link.published_at,
            mention.author_key,
            link.sentiment,
            link.risk,
            # As text: most have none, and reading ten thousand empty lists takes longer than looking at them.
            cast(link.risk_kinds, Text),
            link.toxicity,
            link.relevance,
            mention.language,
            mention.author_followers,
            mention.author_role,
            mention.source,
            mention.source_kind,
            func.substr(func.coalesce(mention.text, mention.crisis_words), 1, OPENING),
            mention.copy_key,
            func.coalesce(mention.likes, 0) + func.coalesce(mention.reposts, 0) + func.coalesce(mention.replies, 0),
            or_(mention.repost_of.is_not(None), func.lower(func.substr(mention.text, 1, 4)).like("rt @")),
            mention.wakes,
            mention.views,
            func.coalesce(mention.likes, mention.reposts, mention.replies).is_not(None),
        )
        .select_from(MentionBrandTable.__table__.join(MentionTable.__table__, LABELS_OF_MENTION))
        .where(
            link.brand == bindparam("brand"),
            link.published_at >= bindparam("since"),
            link.published_at < bindparam("until"),
            link.in_counts,
        )
        .order_by(link.published_at, link.mention_id)
    )


def history(session: Session, brand: str, since: datetime, until: datetime) -> list[tuple[datetime, str]]:
    """The counts of the hours that begin from `since` (included) to `until`, in order; hours without a mention are left out.

    As JSON texts: who asks every five minutes for hundreds of hours has read nearly all of them before.
    """
    table = HourCountTable.__table__.c
    rows = session.connection().execute(
        select(table.hour, cast(table.counts, Text))
        .where(table.brand == brand, table.hour >= since, table.hour < until)
        .order_by(table.hour)
    )
    return [(row[0], row[1]) for row in rows.all()]


def _dashed(identifier: str) -> str:
    if len(identifier) != 32:
        return identifier
    return f"{identifier[:8]}-{identifier[8:12]}-{identifier[12:16]}-{identifier[16:20]}-{identifier[20:]}"


def kinds_from(stored: str) -> tuple[str, ...]:
    """The kinds of risk in a column `risk_kinds`, read as text."""
    return () if stored == "[]" else tuple(item["kind"] for item in json.loads(stored))


def runs(hours: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Neighbouring hours together, as (first, last)."""
    runs: list[tuple[datetime, datetime]] = []
    for hour in hours:
        if runs and hour - runs[-1][1] == HOUR and hour - runs[-1][0] < _LONGEST_RUN * HOUR:
            runs[-1] = (runs[-1][0], hour)
        else:
            runs.append((hour, hour))
    return runs


def _replace(
    session: Session, brand: str, hours: Sequence[datetime], counted: Mapping[datetime, dict[str, Any]]
) -> None:
    by_hour = {hour.astimezone(UTC): counts for hour, counts in counted.items()}
    empty = [hour for hour in hours if hour not in by_hour]
    if empty:
        session.execute(
            delete(HourCountTable)
            .where(HourCountTable.brand == brand, HourCountTable.hour.in_(empty))
            .execution_options(synchronize_session=False)
        )
    rows = [{"brand": brand, "hour": hour, "counts": by_hour[hour]} for hour in hours if hour in by_hour]
    if rows:
        statement = upsert(session, HourCountTable)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[HourCountTable.brand, HourCountTable.hour], set_={"counts": statement.excluded.counts}
            ),
            rows,
        )
