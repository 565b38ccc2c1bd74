"""Figures over any spans of time, from the days and hours that were counted beforehand.

A day is taken as a whole where it lies within one span, and its hours elsewhere.
An hour is counted again whenever one of its mentions has changed. Until then a mark says so, and whoever reads counts that hour from
the rows: an answer is never older than what was written.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage import counts, day_figures
from tocsin.storage.day_figures import Day, DayFigures
from tocsin.storage.merging import start_of_hour
from tocsin.storage.tables.figures import HourFiguresTable
from tocsin.storage.tables.mentions import DirtyHourTable
from tocsin.storage.tallies import NUMBERS, SLOT, Spans, Split, Tally, add_rows, slots_from_json
from tocsin.storage.thresholds import Thresholds

HOUR = timedelta(hours=1)
_SHORTEST_DAY = timedelta(hours=22)
"""Shorter than any day on which clocks are put forward."""
_FIGURES = HourFiguresTable.__table__.c


def tally_spans(
    session: Session, brand: str, edges: Sequence[datetime], *, split: Split | None, thresholds: Thresholds
) -> Spans:
    """Tallies between each two neighbours of `edges` (ascending, UTC), by value of the split ('' without one)."""
    if len(edges) < 2:
        return []
    uncounted = uncounted_hours(session, brand, start_of_hour(edges[0]), edges[-1])
    days = _whole_days(session, brand, edges, split, uncounted) if _has_room_for_a_day(edges) else []
    if not days:
        return tally_hours(session, brand, edges, split=split, thresholds=thresholds, uncounted=uncounted)
    spans: Spans = [{} for _ in edges[1:]]
    _add_days(session, brand, spans, edges, days, split=split)
    for since, until in _between(edges, [found.day for found in days]):
        within = [since, *(edge for edge in edges if since < edge < until), until]
        tallied = tally_hours(session, brand, within, split=split, thresholds=thresholds, uncounted=uncounted)
        for begin, values in zip(within, tallied, strict=False):
            position = bisect_right(edges, begin) - 1
            for value, tally in values.items():
                spans[position].setdefault(value, Tally()).unite(tally)
    return spans


def tally_hours(
    session: Session,
    brand: str,
    edges: Sequence[datetime],
    *,
    split: Split | None,
    thresholds: Thresholds,
    uncounted: Collection[datetime],
) -> Spans:
    """The same from hours alone; `uncounted` are those that must be counted from the rows."""
    spans: Spans = [{} for _ in edges[1:]]
    first, last = start_of_hour(edges[0]), edges[-1]
    uncounted = {hour for hour in uncounted if first <= hour < last}
    if split is Split.RISK_KIND:
        uncounted |= _hours_without(session, brand, first, last, split)
    # Where a span begins or ends within an hour, that hour is cut into its five minutes, or counted from the rows.
    cut = {start_of_hour(edge) for edge in edges if edge != start_of_hour(edge)}
    fine = {start_of_hour(edge) for edge in edges if edge.second or edge.microsecond or edge.minute % 5}
    from_rows = uncounted | fine
    _add_whole_hours(spans, edges, _whole_hours(session, brand, first, last, split), without=from_rows | cut)
    for hour, value, stored in _slots(session, brand, sorted(cut - from_rows), split):
        for slot, numbers, packed in slots_from_json(stored):
            _add(spans, edges, hour + slot * SLOT, (value, numbers, packed))
    for begin, end in counts.runs(sorted(from_rows)):
        since, until = max(begin, edges[0]), min(end + HOUR, last)
        add_rows(spans, edges, counts.observations(session, brand, since, until), split, thresholds)
    return spans


def _has_room_for_a_day(edges: Sequence[datetime]) -> bool:
    return any(until - since >= _SHORTEST_DAY for since, until in pairwise(edges))


def _whole_days(
    session: Session, brand: str, edges: Sequence[datetime], split: Split | None, uncounted: Collection[datetime]
) -> list[DayFigures]:
    """The days that are added up, in which nothing has changed since, and that lie within one span."""
    changed = sorted(uncounted)
    chosen: list[DayFigures] = []
    for found in day_figures.read(session, brand, edges[0], edges[-1], split):
        begins, ends = found.day
        unchanged = bisect_left(changed, ends) == bisect_right(changed, begins - HOUR)
        apart = not chosen or chosen[-1].day[1] <= begins  # a brand may have been in two time zones
        if unchanged and apart and bisect_right(edges, begins) == bisect_left(edges, ends):
            chosen.append(found)
    return chosen


def _add_days(
    session: Session,
    brand: str,
    spans: Spans,
    edges: Sequence[datetime],
    days: Sequence[DayFigures],
    *,
    split: Split | None,
) -> None:
    exact, parts = set(pairwise(edges)), []
    for found in days:
        if found.day not in exact:
            parts.append(found.day[0])
    # Whose authors must be united with those of others; of all others their number is enough.
    packed = day_figures.authors(session, brand, parts[0], parts[-1] + HOUR, split) if parts else {}
    for found in days:
        begins = found.day[0]
        values = spans[bisect_right(edges, begins) - 1]
        for value, (different_authors, numbers) in found.values.items():
            if (value == "") != (split is None) or not numbers[0]:
                continue
            tally = values.setdefault(value, Tally())
            if found.day in exact:
                tally.take(numbers, ())
                tally.counted_authors = different_authors
            else:
                tally.take(numbers, (packed[(begins, value)],))


def _between(edges: Sequence[datetime], days: Sequence[Day]) -> Iterator[tuple[datetime, datetime]]:
    """What the days leave of the time between the first and the last edge."""
    since = edges[0]
    for begins, ends in days:
        if since < begins:
            yield since, begins
        since = ends
    if since < edges[-1]:
        yield since, edges[-1]


def uncounted_hours(session: Session, brand: str, first: datetime, until: datetime) -> set[datetime]:
    """The hours from `first` to `until` that have changed and were not counted again yet."""
    return set(
        session.scalars(
            select(DirtyHourTable.hour)
            .where(DirtyHourTable.brand == brand, DirtyHourTable.hour >= first, DirtyHourTable.hour < until)
            .distinct()
        )
    )


def _hours_without(session: Session, brand: str, first: datetime, until: datetime, split: Split) -> set[datetime]:
    """Hours that were counted before figures were told apart by this: every mention has a value, so there would be rows of it."""
    told_apart = select(_FIGURES.hour).where(
        _FIGURES.brand == brand, _FIGURES.split == split.value, _FIGURES.hour >= first, _FIGURES.hour < until
    )
    whole = select(_FIGURES.hour).where(
        _FIGURES.brand == brand, _FIGURES.split == "", _FIGURES.hour >= first, _FIGURES.hour < until
    )
    return set(session.scalars(whole.except_(told_apart)))


def _whole_hours(session: Session, brand: str, first: datetime, until: datetime, split: Split | None) -> Sequence[Any]:
    """Rows of hour, value, packed authors, and the numbers."""
    return (
        session.connection()
        .execute(
            select(_FIGURES.hour, _FIGURES.value, _FIGURES.authors, *(_FIGURES[name] for name in NUMBERS)).where(
                _FIGURES.brand == brand,
                _FIGURES.split == ("" if split is None else split.value),
                _FIGURES.hour >= first,
                _FIGURES.hour < until,
            )
        )
        .all()
    )


def _add_whole_hours(
    spans: Spans, edges: Sequence[datetime], rows: Sequence[Any], *, without: Collection[datetime]
) -> None:
    # Thousands of rows for a long time: grouped first, then added up column by column, which takes a third of the time.
    positions: dict[datetime, int] = {}
    groups: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        hour = row[0]
        position = positions.get(hour)
        if position is None:
            position = positions[hour] = -1 if hour in without else bisect_right(edges, hour) - 1
        if 0 <= position < len(spans):
            groups.setdefault((position, row[1]), []).append(row)
    for (position, value), group in groups.items():
        _, _, packed, *numbers = zip(*group, strict=True)
        spans[position].setdefault(value, Tally()).take([sum(column) for column in numbers], packed)


def _slots(
    session: Session, brand: str, hours: Sequence[datetime], split: Split | None
) -> Iterable[tuple[datetime, str, Any]]:
    for start in range(0, len(hours), 500):
        rows = session.connection().execute(
            select(_FIGURES.hour, _FIGURES.value, _FIGURES.slots).where(
                _FIGURES.brand == brand,
                _FIGURES.split == ("" if split is None else split.value),
                _FIGURES.hour.in_(hours[start : start + 500]),
            )
        )
        yield from ((hour, value, stored) for hour, value, stored in rows)


def _add(spans: Spans, edges: Sequence[datetime], at: datetime, counted: tuple[str, Sequence[Any], bytes]) -> None:
    value, numbers, packed = counted
    position = bisect_right(edges, at) - 1
    if 0 <= position < len(spans):
        spans[position].setdefault(value, Tally()).take(numbers, (packed,))
