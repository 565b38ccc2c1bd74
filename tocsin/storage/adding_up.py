"""Which days are over and not added up, and adding them up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.storage import day_figures, timelines
from tocsin.storage.day_figures import Day
from tocsin.storage.tables.figures import HourFiguresTable
from tocsin.storage.tallies import SLOT, Split, Tally
from tocsin.storage.thresholds import Thresholds

_FIGURES = HourFiguresTable.__table__.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def missing_days(session: Session, brand: str, zone: ZoneInfo, now: datetime) -> list[Day]:
    """The days since the first hour with a mention that are over and not added up, the newest first."""
    first = session.scalar(select(func.min(_FIGURES.hour)).where(_FIGURES.brand == brand, _FIGURES.split == ""))
    if first is None:
        return []
    known = day_figures.days(session, brand)
    return [day for day in _days_back(first, now, zone) if day not in known]


def add_up(session: Session, brand: str, day: Day, thresholds: Thresholds) -> bool:
    """Write a day's figures, from those of its hours; False where one of these has yet to be counted again.

    The brand must be locked, so that nobody counts one of them meanwhile.
    """
    if timelines.uncounted_hours(session, brand, *day):
        return False
    tallies: dict[tuple[str, str], Tally] = {}
    for split in (None, *Split):
        (values,) = timelines.tally_hours(session, brand, day, split=split, thresholds=thresholds, uncounted=set())
        tallies |= {("" if split is None else split.value, value): tally for value, tally in values.items()}
    tallies.setdefault(("", ""), Tally())
    day_figures.write(session, brand, day, tallies)
    return True


def _days_back(first: datetime, now: datetime, zone: ZoneInfo) -> Iterator[Day]:
    day = now.astimezone(zone).date()
    ends = _midnight(day, zone)
    while ends > first:
        day -= timedelta(days=1)
        begins = _midnight(day, zone)
        # Before zones were agreed upon, midnights stood at odd seconds.
        if not ((begins - _EPOCH) % SLOT or (ends - _EPOCH) % SLOT):
            yield begins, ends
        ends = begins


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
