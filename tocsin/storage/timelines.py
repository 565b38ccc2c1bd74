"""Figures over any spans of time, from the hours that were counted beforehand.

An hour is counted again whenever one of its mentions has changed. Until then a mark says so, and whoever reads counts that hour from
the rows: an answer is never older than what was written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.storage import counts
from tocsin.storage.merging import start_of_hour
from tocsin.storage.tables.figures import HourFiguresTable
from tocsin.storage.tables.mentions import DirtyHourTable
from tocsin.storage.tallies import NUMBERS, SLOT, Spans, Split, Tally, add_rows, slots_from_json
from tocsin.storage.thresholds import Thresholds

HOUR = timedelta(hours=1)
_FIGURES = HourFiguresTable.__table__.c


def tally_spans(
    session: Session, brand: str, edges: Sequence[datetime], *, split: Split | None, thresholds: Thresholds
) -> Spans:
    """Tallies between each two neighbours of `edges` (ascending, UTC), by value of the split ('' without one)."""
    spans: Spans = [{} for _ in edges[1:]]
    if not spans:
        return spans
    first, last = start_of_hour(edges[0]), edges[-1]
    uncounted = _uncounted_hours(session, brand, first, last)
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


def _uncounted_hours(session: Session, brand: str, first: datetime, until: datetime) -> set[datetime]:
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
